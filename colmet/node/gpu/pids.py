"""Whose the processes on a GPU are: those of jobs by their lists of processes."""


class Owners:
    """Which job each process belongs to; one that ended since the reading before is still known."""

    def __init__(self):
        self._now, self._before = {}, {}

    def look(self, jobs):
        """Read which processes `jobs` have now."""
        self._before, self._now = self._now, {pid: job for job in jobs for pid in job.processes()}

    def pids(self):
        """Those of jobs: {pid: job}."""
        return self._now

    def of(self, pid):
        """The job of the process, None where it is nobody's."""
        return self._now.get(pid) or self._before.get(pid)
