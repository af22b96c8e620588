"""Stand-ins for what a sampler works with: jobs set by hand, sources of a few lines, the end of a job."""
import select

from colmet.common.metrics import TABLES
from colmet.node.clock import SECOND, boottime

TASKSTATS, PROCSTATS = TABLES["taskstats_default"], TABLES["procstats_default"]


class Jobs:
    """Jobs that a test sets by hand."""
    lost_events = 0

    def __init__(self, *jobs):
        self.here, self.over, self.extra = list(jobs), [], False

    def present(self):
        return list(self.here)

    def ended(self):
        over, self.over = self.over, []
        return over

    def wait(self, until, wake):
        if self.extra:
            self.extra = False
            return True
        select.select([wake], [], [], max(0, (until - boottime()) / SECOND))
        return False


class OfJobs:
    """A row with the number of the reading for each job."""
    def __init__(self):
        self.readings = 0

    def sample(self, jobs):
        self.readings += 1
        return {TASKSTATS.name: [(job, "", [self.readings] * len(TASKSTATS.metrics)) for job in jobs]}

    def close(self):
        pass


class OfNode(OfJobs):
    def sample(self, jobs):
        self.readings += 1
        return {PROCSTATS.name: [(None, "", [self.readings] * len(PROCSTATS.metrics))]}


class Broken(OfNode):
    """A source whose sample is whatever the test says."""
    def __init__(self, act):
        self.act = act

    def sample(self, jobs):
        return self.act()


class Ending:
    """The readings of one job, as `colmet.node.jobs.ending.Ending` offers them."""
    def __init__(self, job):
        self.seen, self.sequences = [], []

    def is_empty(self):
        return False

    def take(self, row, alive, empty):
        return False

    def saw(self, table, values):
        self.seen.append(table)

    def sampled(self, sequence):
        self.sequences.append(sequence)

    def row(self, sequence, version):
        found = {"first_sequence": self.sequences[0] if self.sequences else None, "last_sequence": sequence,
                 "samples": len(self.sequences), "rows_taskstats_default": len(self.seen)}
        return [found.get(metric.name) for metric in TABLES["job"].metrics]
