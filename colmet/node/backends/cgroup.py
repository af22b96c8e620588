"""The counters of each job's cgroups, v1 and v2 (`colmet.node.cgroup.counters`): a row for each job made of such."""
from colmet.common.metrics.cgroup import TABLE
from colmet.common.mounts import mounted
from colmet.common.schema import MISSING
from colmet.node.backends import Unavailable
from colmet.node.cgroup.counters import Counters
from colmet.node.cgroup.group import METRICS
from colmet.node.jobs.job import others
from colmet.node.cgroup.marks import Watermarks, count_io

TABLES = (TABLE,)
_SINCE, _PEAK, _INTERVAL = (METRICS.index(name) for name in ("since", "memory_peak", "memory_peak_interval"))


class Backend:
    """Reads them below `root`; `options.blkio_rule` and `options.reset_peak` let it write to the cgroups of jobs."""

    def __init__(self, root, options):
        if (root / "proc" / "self" / "mountinfo").exists() and not mounted(root):
            raise Unavailable("no hierarchy of cgroups is mounted; mount -t cgroup2 cgroup2 /sys/fs/cgroup")
        self.counters = self._counters = Counters(root)
        if self._counters.fault:
            raise Unavailable(self._counters.fault)
        self._root = root
        self._rule = options.blkio_rule
        self._marks = Watermarks(root) if options.reset_peak else None
        self._known = {}                # jobs that it has read, in their order

    def sample(self, jobs):
        """One row for each job that has a cgroup."""
        for job in others(self._known, jobs):
            self._forget(job)
        for job in jobs if self._rule else ():
            if job not in self._known:
                count_io(job, self._root)
        self._known.update(dict.fromkeys(jobs))
        rows = [(job, "", list(row)) for job, row in self.counters.read(jobs).items()]
        for job, _, row in rows:
            row[_SINCE] = job.start
            if self._marks is not None:
                self._reset(job, row)
        return {TABLE.name: rows}

    def close(self):
        """Closes all that is its own."""
        for job in list(self._known):
            self._forget(job)
        self._counters.close()

    def _reset(self, job, row):
        """The kernel's watermark of v1 begins anew: the job's own is the greatest that there was."""
        interval, peak = self._marks.take(job)
        row[_INTERVAL] = MISSING if interval is None else interval
        if peak is not None and row[_PEAK] != MISSING:
            row[_PEAK] = max(row[_PEAK], peak)

    def _forget(self, job):
        self._known.pop(job, None)
        if self._marks is not None:
            self._marks.forget(job)
