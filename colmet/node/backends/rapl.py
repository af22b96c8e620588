"""Energy of the RAPL zones of the node, from powercap (`colmet.node.rapl.powercap`) or the PMU "power"
(`colmet.node.rapl.power_pmu`): a row for each zone in `rapl`, and 0.6's columns in `RAPLstats_default`.

A thread reads powercap beside the ticks, often enough that no counter begins anew unseen.
"""
import threading
import time

from colmet.common.metrics import rapl, rapl06
from colmet.node import mapping
from colmet.node.backends import Unavailable
from colmet.node.clock import SECOND, boottime
from colmet.node.rapl.power_pmu import PowerPmu
from colmet.node.rapl.powercap import Powercap
from colmet.node.rapl.columns import csv, slots, used, values
from colmet.node.rapl.zones import summed

TABLES = (rapl06.TABLE, rapl.TABLE)
READERS = (Powercap, PowerPmu)
STEM = "RAPL"           # of the mapping file


def clock():
    """(CLOCK_BOOTTIME, how much of it the machine slept, Unix time), ns."""
    now = boottime()
    return now, now - time.monotonic_ns(), time.time_ns()


class Backend:
    """The zones below `root`; `options.mapping_dir` takes the mapping file. Raises Unavailable where nothing counts
    energy that this user may read."""

    def __init__(self, root, options):
        self.refused = {}
        self._zones = self._open(root)
        self.reader, self.lacks, self.tables = self._zones.name, self._zones.lacks, options.tables
        self._slots = slots(self._zones.zones)
        self._summed = summed(self._zones.zones)
        self._lines = csv(self._slots)
        self.described = {rapl06.TABLE.name: mapping.described(rapl06.TABLE, [line.partition(",")[2]
                                                                              for line in self._lines])}
        self._folder, self._written = options.mapping_dir, False
        self._before, self._before06 = {}, {}
        self._lock, self._ended = threading.Lock(), threading.Event()
        if self._zones.interval:
            threading.Thread(target=self._follow, name="rapl", daemon=True).start()

    def sample(self, jobs):
        """A row for each zone of the one table, and one of the other."""
        with self._lock:
            found = self._zones.read()
        now, rows = boottime(), {}
        if self.tables is None or rapl.TABLE.name in self.tables:
            rows[rapl.TABLE.name] = [(None, zone.name, self._row(zone, reading, now))
                                     for zone, reading in found.items()]
        if self.tables is None or rapl06.TABLE.name in self.tables:
            if not self._written:
                self._written = True
                mapping.write(STEM, self._lines, self._folder)
            rows[rapl06.TABLE.name] = [(None, "", values(self._slots, found, self._before06))]
            self._before06.update(known(found))
        self._before.update((zone, (now, reading)) for zone, reading in known(found).items())
        return rows

    def close(self):
        """Ends the thread and closes the files."""
        self._ended.set()
        with self._lock:
            self._zones.close()

    def _open(self, root):
        reasons = []
        for reader in READERS:
            try:
                return reader(root, clock)
            except Unavailable as reason:
                reasons.append(str(reason).partition("; "))
                self.refused[reader.name] = str(reason)
        raise Unavailable("; ".join((", ".join(why for why, _, _ in reasons),
                                     ", or ".join(filter(None, (do for _, _, do in reasons))))))

    def _row(self, zone, reading, now):
        at, before = self._before.get(zone, (now, None))
        energy = used(reading, before) if now > at else None
        power = None if energy is None else energy * 1000 / (now - at)      # uJ/ns is kW
        return [reading.since, reading.energy, power, reading.wraps, reading.span, int(zone.name in self._summed)]

    def _follow(self):
        while not self._ended.wait(self._zones.interval / SECOND):
            with self._lock:
                if not self._ended.is_set():
                    self._zones.read()


def known(found):
    """Those of {zone: `Reading`} whose energy is known."""
    return {zone: reading for zone, reading in found.items() if reading.energy is not None}
