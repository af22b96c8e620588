"""What becomes of each job on this node: read at each tick and when it is empty, made into one row of the table `job`
at its end."""
import time

from colmet.common.metrics.job import TABLE
from colmet.node.clock import SECOND
from colmet.node.ending import SETTLE_NS


class History:
    """A backend of the node itself, which the sampler asks last; `ending(job)` makes the `colmet.node.ending.Ending`
    that follows one job, `counters` (`colmet.node.counters.Counters`) read the cgroups of all."""

    def __init__(self, counters, ending):
        self._counters, self._ending = counters, ending
        self._endings = {}              # job: Ending

    def rows(self, jobs, ended, made, sequence):
        """Rows of the jobs in `ended`, which are not in `jobs` any more; `made` are the rows {job: [(table, values)]}
        of this tick, whose batch is `sequence`."""
        self._read(list(jobs) + list(ended))
        for job, rows in made.items():
            for table, values in rows:
                self._of(job).saw(table, values)
            self._of(job).sampled(sequence)
        return {TABLE.name: [(job, "", self._end(job, sequence)) for job in ended]}

    def attend(self, new, empty):
        """Read the jobs `new` for the first time, and those that lost their last task: {job: CLOCK_BOOTTIME}."""
        for job, when in empty.items():
            self._of(job).emptied(when)
        self._read(list(new) + list(empty))

    def forget(self):
        """Let go of all jobs: no rows are wanted any more."""
        for job in self._endings:
            self._counters.forget(job)
        self._endings = {}

    def close(self):
        """Free the descriptors that are kept."""
        self._counters.close()

    def _of(self, job):
        if job not in self._endings:
            self._endings[job] = self._ending(job)
        return self._endings[job]

    def _read(self, jobs):
        """Read all of them; those that are found empty, again when the CPU time of their last task is in."""
        fresh = self._take(jobs)
        if fresh:
            time.sleep(SETTLE_NS / SECOND)
            self._take(fresh)

    def _take(self, jobs):
        """Read all of them; returns those of which the last reading must be made again."""
        empty = [self._of(job).is_empty() for job in jobs]      # before the counters: none can be added afterwards
        rows = self._counters.read(jobs)
        return [job for job, is_empty in zip(jobs, empty)
                if self._of(job).take(rows.get(job), self._counters.alive(job), is_empty)]

    def _end(self, job, sequence):
        values = self._endings.pop(job).row(sequence, lambda name: self._counters.version(job, name))
        self._counters.forget(job)
        return values
