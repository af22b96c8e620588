"""The RAPL zones of the node by whichever way it has, powercap or the PMU "power"; a thread reads them beside the
ticks, often enough that no counter begins anew unseen.
"""
import threading

from colmet.node.backends import Unavailable
from colmet.node.clock import SECOND
from colmet.node.held import Held
from colmet.node.rapl.power_pmu import PowerPmu
from colmet.node.rapl.powercap import Powercap

READERS = (Powercap, PowerPmu)


class Followed(Held):
    """Those below `root`; `clock` gives (CLOCK_BOOTTIME, ns of it asleep, Unix time). `name`, `zones` and `lacks` are
    those of the reader; `refused` says of the one before it why it is not that. Raises Unavailable where nothing counts
    energy that this user may read."""

    def __init__(self, root, clock):
        self.refused = {}
        self._reader = self._open(root, clock)
        self.name, self.zones, self.lacks = self._reader.name, self._reader.zones, self._reader.lacks
        self._clock, self._latest, self._at = clock, {}, 0
        self._lock, self._ended = threading.Lock(), threading.Event()
        if self.interval:
            threading.Thread(target=self._follow, name="rapl", daemon=True).start()

    @property
    def interval(self):
        """ns between two readings of the thread; None where none is needed."""
        return self._reader.interval

    def read(self, since=None):
        """{zone: `Reading`}; or what somebody read after `since` (ns of CLOCK_BOOTTIME)."""
        if since is None or self._at < since:
            with self._lock:
                self._latest, self._at = self._reader.read(), self._clock()[0]
        return self._latest

    def _end(self):
        """Ends the thread and closes the files."""
        self._ended.set()
        with self._lock:
            self._reader.close()

    def _open(self, root, clock):
        reasons = []
        for reader in READERS:
            try:
                return reader(root, clock)
            except Unavailable as reason:
                reasons.append(str(reason).partition("; "))
                self.refused[reader.name] = str(reason)
        raise Unavailable("; ".join((", ".join(why for why, _, _ in reasons),
                                     ", or ".join(filter(None, (do for _, _, do in reasons))))))

    def _follow(self):
        while not self._ended.wait(self.interval / SECOND):
            with self._lock:
                if not self._ended.is_set():
                    self._reader.read()
