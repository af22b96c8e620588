"""Sums over the live tasks of each job, from the best reader that this machine has (`colmet.node.account_readers`).

A job without tasks has no row.
"""
from colmet.common.metrics.taskstats import TABLE
from colmet.node.account_readers import Readers

TABLES = (TABLE,)


class Backend:
    """Raises Unavailable where no reader opens."""

    def __init__(self, root, options):
        self._readers = Readers(root, options)
        self.reader, self.refused = self._readers.name, self._readers.refused

    def sample(self, jobs):
        """One row for each job that has tasks."""
        live = self._readers.live(jobs)
        return {TABLE.name: [(job, "", values[1:]) for job, values in live.items() if values[0]]}

    def close(self):
        """Closes the readers."""
        self._readers.close()
