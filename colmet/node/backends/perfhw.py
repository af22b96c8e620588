"""Counters of processors and of the kernel for each job (`colmet.node.perf.counters`), those of --perfhw-list: a row
for each of them in `perf`, and the first five in the columns of 0.6, `perfhwstats_default`.

A job whose cgroups cannot be counted has no row of the former.
"""
import errno
import os

from colmet.common.metrics import perf, perfhw
from colmet.node import mapping
from colmet.node.backends import Unavailable
from colmet.node.log import TELL, log
from colmet.node.perf.counters import Counters
from colmet.node.perf.events import CPU, find

TABLES = (perfhw.TABLE, perf.TABLE)
COLUMNS = len(perfhw.TABLE.metrics)
STEM = "perfhw"             # of the mapping file
NO_COUNTER = "no_counter"   # 0.6's word for a column that is not used
PARANOID = "proc/sys/kernel/perf_event_paranoid"


class Backend:
    """The events named in `options.perfhw_list`, on the machine below `root`; `options.mapping_dir` takes the mapping
    file. `lacks` says of those that are not counted here why; where that is all of them, raises Unavailable."""

    def __init__(self, root, options):
        self._names = list(dict.fromkeys(options.perfhw_list))
        events, self.lacks = [], {}
        for name in self._names:
            try:
                events.append(find(name, root))
            except Unavailable as error:
                self.lacks[name] = str(error)
        self._counters = Counters(root, events)
        faults = [self._counters.fault(place) for place in range(len(events))]
        self.lacks.update((event.name, refusal(fault, event, root)) for event, fault in zip(events, faults) if fault)
        self._counters.count([place for place, fault in enumerate(faults) if not fault])
        self._events = events
        if len(self.lacks) == len(self._names):
            raise Unavailable("; ".join(dict.fromkeys(self.lacks.values())))
        self.tables, self._folder, self._begun = options.tables, options.mapping_dir, False
        self._lines = csv(self._names)
        self.described = {perfhw.TABLE.name: mapping.described(perfhw.TABLE, [line.partition(",")[2]
                                                                              for line in self._lines])}
        self._before = {}                   # {job: {name: value of its last row}}
        self._sums = {}                     # of the last sample

    def sample(self, jobs):
        """Rows of all that is counted, of a job that ended too; then it is let go."""
        old = self.tables is None or perfhw.TABLE.name in self.tables
        if old and not self._begun:
            self._begun = True
            self._tell()
        self._sums = sums = self._counters.read(jobs)
        ended = self._counters.others(jobs)
        rows = [(job, self._events[place].name, list(found)) for job, counted in sums.items()
                for place, found in counted.items()]
        growth = [(job, "", self._growth(job, sums.get(job, {}))) for job in [*jobs, *ended]] if old else []
        for job in ended:
            self._counters.forget(job)
            self._before.pop(job, None)
        return {perfhw.TABLE.name: growth, perf.TABLE.name: rows}

    def counted(self, name):
        """{job: value of its counter `name` at the last sample}, of those where it is known."""
        return {job: found[1] for job, counted in self._sums.items() for place, found in counted.items()
                if job and found[1] is not None and self._events[place].name == name}

    def attend(self, jobs):
        """Begins to count for jobs that were just found: before their first process, if it can be."""
        self._counters.follow(jobs)

    def close(self):
        """Ends all counting."""
        self._counters.close()

    def _tell(self):
        """Once: what the columns of 0.6 are."""
        if len(self._names) > COLUMNS:
            log.log(TELL, "%s has room for %d counters: %s; the table %s has all %d", perfhw.TABLE.name, COLUMNS,
                    ", ".join(self._names[:COLUMNS]), perf.TABLE.name, len(self._names))
        mapping.write(STEM, self._lines, self._folder)

    def _growth(self, job, counted):
        """What the first five grew by since the row before, None where that is not known."""
        before = self._before.setdefault(job, {})
        now = {self._events[place].name: value for place, (_, value, _, _) in counted.items() if value is not None}
        grown = [now[name] - before.get(name, 0) if name in now else None for name in self._names[:COLUMNS]]
        before.update(now)
        return grown + [None] * (COLUMNS - len(grown))


def csv(names):
    """The lines of 0.6's mapping file: "counter1,instructions"."""
    used = names[:COLUMNS] + [NO_COUNTER] * (COLUMNS - len(names))
    return ["counter%d,%s" % each for each in enumerate(used, 1)]


def refusal(code, event, root):
    """Why the kernel refuses `event` with the errno `code`, and what to do."""
    if code in (errno.EACCES, errno.EPERM):
        try:
            level = (root / PARANOID).read_text().strip()
        except OSError:
            level = "not there"
        return "kernel.perf_event_paranoid is %s; run colmet-node as root or with CAP_PERFMON, or sysctl " \
               "kernel.perf_event_paranoid=0" % level
    if code == errno.ENOSYS:
        return "this kernel has no perf_event_open(2); one with CONFIG_PERF_EVENTS is needed"
    if event.pmu == CPU and code in (errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP):
        return "the CPU shows no such counter; a virtual machine needs a virtual PMU"
    return "the PMU %s does not count it (%s)" % (event.pmu, os.strerror(code))
