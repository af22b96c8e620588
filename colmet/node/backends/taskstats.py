"""What the tasks of each job did, from the best reader that this machine has (`colmet.node.account_readers`): sums over
those that live in `taskstats_default`, over all that there were in `account`.

A job without tasks has no row of the former; the latter is for jobs whose ended tasks are known.
"""
from colmet.common.metrics import account, taskstats
from colmet.node.account_readers import Readers
from colmet.node.counters import Counters

TABLES = (taskstats.TABLE, account.TABLE)
BY_TASKS = [metric.name for metric in account.TABLE.metrics].index("cpu")       # so many values are from the reader
DELAYS = [place for place, metric in enumerate(account.TABLE.metrics) if "task_delayacct" in metric.doc]
RUNTIME = [metric.name for metric in account.TABLE.metrics].index("runtime")


class Backend:
    """Raises Unavailable where no reader opens."""

    def __init__(self, root, options):
        self._readers = Readers(root, options)
        self.reader, self.refused = self._readers.name, self._readers.refused
        self._root = root
        self._cpu = {}                          # {job: [Counters]}
        self._unknown = () if delays_are_counted(root) else DELAYS

    def sample(self, jobs):
        """One row of the one table for each job that has tasks; one of the other for each, and a last one when it
        ended."""
        rows, sums = [], []
        for reader, read in self._readers.read(jobs):
            rows += [(job, "", live[1:]) for job, (live, _) in read.items() if live[0]]
            told = [reader.lost, account.SOURCES.index(reader.name)]
            sums += [(job, "", self._row(job, total) + told) for job, (_, total) in read.items() if total]
        if len(self._cpu) > len(jobs):
            for job in set(self._cpu).difference(jobs):
                _close(self._cpu.pop(job))
        return {taskstats.TABLE.name: rows, account.TABLE.name: sums}

    def close(self):
        """Closes the readers, and the counters of cgroups."""
        self._readers.close()
        while self._cpu:
            _close(self._cpu.popitem()[1])

    def _row(self, job, total):
        """The values of `account` of one job but the last two, from what was read by tasks."""
        cpu = self._cpu_of(job)
        explained = total[RUNTIME] / cpu if cpu else None
        for place in self._unknown:
            total[place] = None
        return total + [cpu, explained]

    def _cpu_of(self, job):
        """CPU time of its cgroups in ns, read now, or last before they went; None where no counter tells."""
        counters = self._cpu.get(job)
        if counters is None or len(counters) != len(job.parts):
            _close(counters or ())
            counters = self._cpu[job] = [Counters(path, self._root, {"cpu"}) for path in job.cgroups]
        for each in counters:
            each.read()
        if len(counters) == 1:
            return counters[0].values.get("cpu")
        found = {each.identities["cpu"]: each.values["cpu"] for each in counters if "cpu" in each.values}
        return sum(found.values()) if found else None


def _close(counters):
    for each in counters:
        each.close()


def delays_are_counted(root):
    """Whether the kernel measures waits for I/O and memory: kernel.task_delayacct, which before Linux 5.14 was none."""
    try:
        return (root / "proc" / "sys" / "kernel" / "task_delayacct").read_text().strip() != "0"
    except OSError:
        return True
