"""What becomes of each job on this node: read at each tick and when it is empty, made into one row of the table `job`
at its end."""
import time

from colmet.common.metrics.job import TABLE
from colmet.node.clock import SECOND
from colmet.node.jobs.ending import SETTLE_NS

_READINGS = 5               # most that are made of a job whose counters do not stand still though it is empty


class History:
    """A backend of the node itself, which the sampler asks last; `ending(job)` makes the `Ending`
    (`colmet.node.jobs.ending`) that follows one job, `counters` (`colmet.node.cgroup.counters.Counters`) read the
    cgroups of all."""

    def __init__(self, counters, ending):
        self._counters, self._ending = counters, ending
        self._endings = {}              # job: Ending

    def read(self, jobs):
        """Read all of them; those that are found empty, until the CPU time of their last task is in."""
        self._follow(jobs, self._counters.read)

    def saw(self, made, sequence):
        """Note the rows {job: [(table, values)]} of a tick, whose batch is `sequence`."""
        for job, rows in made.items():
            ending = self._of(job)
            for table, values in rows:
                ending.saw(table, values)
            ending.sampled(sequence)

    def end(self, job, sequence):
        """The last row of `job`, which has ended, for the batch `sequence`."""
        ending = self._endings.pop(job, None) or self._ending(job)
        return {TABLE.name: [(job, "", ending.row(sequence, lambda name: self._counters.version(job, name)))]}

    def attend(self, new, empty):
        """Read the jobs `new` for the first time, and those that lost their last task: {job: CLOCK_BOOTTIME}."""
        for job, when in empty.items():
            self._of(job).emptied(when)
        self._follow(list(new) + list(empty), self._counters.read_all)      # it may be the last that can be read

    def forget(self):
        """Let go of all jobs: no rows are wanted any more."""
        self._endings = {}

    def close(self):
        """Free the descriptors that are kept."""
        self._counters.close()

    def _follow(self, jobs, read):
        empty = [self._of(job).is_empty() for job in jobs]
        rows = read(jobs)
        last = [job for job, is_empty in zip(jobs, empty)
                if self._of(job).take(rows.get(job), self._counters.alive(job), is_empty)]
        for _ in range(_READINGS if last else 0):
            if not all(self._of(job).settled() for job in last):
                time.sleep(SETTLE_NS / SECOND)
            rows = self._counters.read_all(last)
            last = [job for job in last if self._of(job).close(rows.get(job), self._counters.alive(job))]
            if not last:
                break

    def _of(self, job):
        if job not in self._endings:
            self._endings[job] = self._ending(job)
        return self._endings[job]
