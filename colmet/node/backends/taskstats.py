"""What the tasks of each job did, from the best reader that this machine has (`colmet.node.account.readers`): sums over
those that live in `taskstats_default`, over all that there were in `account`.

A job without tasks has no row of the former; the latter is for jobs whose ended tasks are known.
"""
from colmet.common.metrics import account, taskstats
from colmet.common.schema import MISSING
from colmet.node.account.readers import Readers
from colmet.node.cgroup.counters import Counters
from colmet.node.cgroup.group import METRICS

TABLES = (taskstats.TABLE, account.TABLE)
[RUNTIME] = account.TABLE.places("runtime")
DELAYS = [place for place, metric in enumerate(account.TABLE.metrics) if "task_delayacct" in metric.doc]
CPU = METRICS.index("cpu")


class Backend:
    """Raises Unavailable where no reader opens."""

    def __init__(self, root, options):
        self._readers = Readers(root, options)
        self.reader, self.refused = self._readers.name, self._readers.refused
        self.unfilled = [table.name for table in TABLES if table.name not in self._readers.tables]
        self._counters = Counters(root, {"cpu"})
        self._unknown = () if delays_are_counted(root) else DELAYS
        self.tables, self.counters = options.tables, self._counters

    def sample(self, jobs):
        """One row of the one table for each job that has tasks; one of the other for each, and a last one when it
        ended."""
        rows, sums = [], []
        for reader, read in self._readers.read(jobs):
            rows += [(job, "", live[1:]) for job, (live, _) in read.items() if live[0]]
            if self.tables is not None and account.TABLE.name not in self.tables:
                continue
            totals = {job: total for job, (_, total) in read.items() if total}
            counted = self.counters.read(list(totals))
            told = [reader.lost, account.SOURCES.index(reader.name)]
            sums += [(job, "", self._row(total, counted.get(job)) + told) for job, total in totals.items()]
        return {taskstats.TABLE.name: rows, account.TABLE.name: sums}

    def close(self):
        """Closes the readers."""
        self._readers.close()
        self._counters.close()

    def _row(self, total, counted):
        """The values of `account` of one job but the last two, from what was read by tasks and the row of its cgroups,
        None without any: their CPU time now, or when they were read last before they went."""
        cpu = counted[CPU] if counted and counted[CPU] != MISSING else None
        explained = total[RUNTIME] / cpu if cpu else None
        for place in self._unknown:
            total[place] = None
        return total + [cpu, explained]


def delays_are_counted(root):
    """Whether the kernel measures waits for I/O and memory: kernel.task_delayacct, which before Linux 5.14 was none."""
    try:
        return (root / "proc" / "sys" / "kernel" / "task_delayacct").read_text().strip() != "0"
    except OSError:
        return True
