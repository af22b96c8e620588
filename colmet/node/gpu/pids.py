"""Whose the processes on a GPU are: those of jobs by their lists of processes."""
from colmet.node.clock import SECOND, boottime

RECENT = SECOND         # a list that another source made in the same tick need not be made again


class Owners:
    """Which job each process belongs to; one that ended since the reading before is still known."""

    def __init__(self):
        self.lists = {}                 # {job: its pids}, as of the last look
        self._now, self._before = {}, {}

    def look(self, jobs):
        """Read which processes `jobs` have now."""
        since = boottime() - RECENT
        self.lists = {job: job.processes(since) for job in jobs}
        self._before, self._now = self._now, {pid: job for job, pids in self.lists.items() for pid in pids}

    def pids(self):
        """Those of jobs: {pid: job}."""
        return self._now

    def of(self, pid):
        """The job of the process, None where it is nobody's."""
        return self._now.get(pid) or self._before.get(pid)
