"""A meter that takes its time, or hangs: it has a thread of its own, and nobody waits for it."""
import threading

from colmet.node.backends import Unavailable
from colmet.node.clock import boottime
from colmet.node.power.reading import Silent
from colmet.node.source import OLDEST

MISSED = 3      # readings that were asked for and did not come: from then on, what is older than OLDEST is not told


class Late:
    """`reader` read beside its caller. `answered` is set once it said anything, `fault` is what it raised last."""

    def __init__(self, reader):
        self.reader, self.name = reader, reader.name
        self.answered, self.fault = threading.Event(), None
        self._latest, self._at, self._missed = {}, boottime(), 0
        self._wanted, self._ended = threading.Event(), False
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()
        self._wanted.set()

    @property
    def whole(self):
        """Names of those of its meters that measure the whole node."""
        return self.reader.whole

    def read(self):
        """Start a reading, and give the one before: {} where there is none yet, or the meter hangs. Raises what the
        reader raised."""
        if not self._thread.is_alive():
            raise RuntimeError("the thread of %s ended" % self.name)
        self._missed += 1
        self._wanted.set()
        if self.fault:
            raise self.fault.with_traceback(None)       # which would grow each time
        hangs = self._missed > MISSED and boottime() - self._at > OLDEST
        return {} if hangs else self._latest

    def close(self):
        """Let the thread end after its reading; it closes the reader itself."""
        self._ended = True
        self.reader.stop()
        self._wanted.set()

    def _run(self):
        while True:
            self._wanted.wait()
            self._wanted.clear()
            if self._ended:
                break
            try:
                self._latest, self.fault = self.reader.read(), None
            except (OSError, Silent, Unavailable) as fault:
                self._latest, self.fault = {}, fault
            self._at, self._missed = boottime(), 0
            self.answered.set()
        self.reader.close()
