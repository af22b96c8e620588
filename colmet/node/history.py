"""What becomes of each job on this node: read at each tick, made into one row of the table `job` at its end."""
from colmet.common.metrics.job import TABLE


class History:
    """A backend of the node itself, which the sampler asks last; `ending(job)` makes the `colmet.node.ending.Ending`
    that follows one job."""

    def __init__(self, ending):
        self._ending = ending
        self._endings = {}              # job: Ending

    def rows(self, jobs, ended, made, sequence):
        """Rows of the jobs in `ended`, which are not in `jobs` any more; `made` are the rows {job: [(table, values)]}
        of this tick, whose batch is `sequence`."""
        for job in list(jobs) + list(ended):
            if job in self._endings:
                self._endings[job].read()
            else:
                self._endings[job] = self._ending(job)
        for job, rows in made.items():
            for table, values in rows:
                self._endings[job].saw(table, values)
            self._endings[job].sampled(sequence)
        return {TABLE.name: [(job, "", self._end(job, sequence)) for job in ended]}

    def close(self):
        """Free the descriptors that are kept."""
        for ending in self._endings.values():
            ending.close()

    def _end(self, job, sequence):
        ending = self._endings.pop(job)
        values = ending.row(sequence)
        ending.close()
        return values
