"""When to look at a process at what costs much: when it is new, and again each time its age since then has doubled, at
the latest after ten minutes."""
from colmet.node.clock import SECOND

LATEST = 600 * SECOND


class Looks:
    """Those at the processes that `keep` was given last."""

    def __init__(self):
        self._first, self._due = {}, {}         # {pid: time of the first look}, {pid: of the next}

    def keep(self, pids):
        """Only these are there now, keys of a dict; another that gets the number of one that left is new. Those that
        left are given."""
        left = [pid for pid in self._due if pid not in pids]
        for pid in left:
            del self._first[pid], self._due[pid]
        return left

    def due(self, pids, now):
        """Those of `pids` for which it is time at `now` (CLOCK_BOOTTIME, ns): they are looked at."""
        found = [pid for pid in pids if now >= self._due.get(pid, now)]
        for pid in found:
            self._due[pid] = now + min(now - self._first.setdefault(pid, now), LATEST)
        return found
