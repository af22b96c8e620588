"""The end of a job: what is read of it to the last, and its row of the `job` table.

A kept counter answers no more once its cgroup was removed, so it is read at each tick, and the last answer stands. It
is exact if the job had no task left when it was read; else the job did more after it: a lower bound, "last sample".
"""
import json
import time

from colmet.common.metrics import jobproc, taskstats
from colmet.common.metrics.job import CPU_SOURCES, END_SOURCES, STORED, TABLE
from colmet.node.clock import boottime
from colmet.node.counters import Counters

_FRESH_NS = 10 ** 8
_FACTS = ("start", "end", "cpu", "peak_memory", "read_bytes", "write_bytes")
_WATCHED = {            # {table: [(place of the metric, name here, factor)]}: what sampled rows tell of a job's total
    taskstats.TABLE.name: (("cpu_run_virtual_total", "cpu", 1), ("read_bytes", "read_bytes", 1),
                           ("write_bytes", "write_bytes", 1)),
    jobproc.TABLE.name: (("VmRSS", "peak_memory", 1024), ("read_bytes", "read_bytes", 1),
                         ("write_bytes", "write_bytes", 1)),
}
_PLACES = {table.name: [([metric.name for metric in table.metrics].index(metric), name, factor)
                        for metric, name, factor in _WATCHED[table.name]] for table in (taskstats.TABLE, jobproc.TABLE)}


def read_facts(path):
    """What whoever waited for a job's process wrote of its end (``--exit-facts``): a dict with "job" (text), and None
    or an int for "start", "end" (Unix time), "cpu" (ns), "peak_memory", "read_bytes", "write_bytes" (bytes). None
    when there is no such file, or it is none of ours."""
    try:
        with open(path, "rb") as file:
            facts = json.loads(file.read())
        found = {"job": str(facts["job"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    for name in _FACTS:
        value = facts.get(name)
        found[name] = value if type(value) is int and 0 <= value < 2 ** 63 else None
    return found


class Ending:
    """The last readings of `job`, a `colmet.node.job.Job`. At each tick: `read()`; `saw(table, values)` for each of its
    rows; `sampled(sequence)` if the batch has any. When it ended: `read()` once more, `row(sequence)`, `close()`.
    `root` is the Path of the file system, `facts` the path of the exit facts or None."""

    def __init__(self, job, root, facts=None):
        self.job, self._root, self._facts = job, root, facts
        self._parts = None                      # those of the job whose counters are here
        self._counters = {}                     # {directory: Counters}
        self._final = False                     # whether the last answer came after the last task had left
        self._emptied = None                    # (Unix time, boottime) at which it was first seen without tasks
        self._most = {}                         # greatest values of sampled rows, by name
        self._rows = dict.fromkeys((table.name for table in STORED), 0)
        self._first, self._samples = None, 0
        self.read()

    def read(self):
        """Read the counters of its cgroups again."""
        if self.job.parts is not self._parts:
            self._parts = self.job.parts
            for path in self.job.cgroups:
                self._counters.setdefault(path, Counters(path, self._root))
        if self._counters:
            empty = self._is_empty()            # before the counters: none can be added to them afterwards
            answered = [counters.read() for counters in self._counters.values()]
            if any(answered):
                self._note(empty)

    def saw(self, table, values):
        """Count a row of the table named `table`, and keep what it tells; None and -1 are "not known"."""
        if table in self._rows:
            self._rows[table] += 1
            for place, name, factor in _PLACES[table]:
                if values[place] is not None and values[place] >= 0:
                    self._most[name] = max(self._most.get(name, 0), values[place] * factor)

    def sampled(self, sequence):
        """Note that batch `sequence` has a row of it."""
        self._first = sequence if self._first is None else self._first
        self._samples += 1

    def row(self, sequence):
        """Its values of the `job` table, in order; None is "not known". `sequence` is that of the batch it goes in."""
        facts = self._read_facts()
        values = dict(self._times(facts), first_sequence=self._first, last_sequence=sequence, samples=self._samples)
        values.update(("rows_" + name, count) for name, count in self._rows.items())
        values["cpu"], values["cpu_source"] = self._cpu(facts["cpu"])
        values["peak_memory"], values["peak_memory_source"] = self._choose(
            "peak_memory", self._total("peak_memory", max), facts["peak_memory"], self._most.get("peak_memory"))
        values.update(self._io(facts))
        return tuple(values[metric.name] for metric in TABLE.metrics)

    def close(self):
        """Free the descriptors."""
        for counters in self._counters.values():
            counters.close()

    def _is_empty(self):
        seen, when = self.job.seen
        if seen and boottime() - when < _FRESH_NS:      # a source of this tick has listed them, need not do it again
            return False
        return self.job.started and not self.job.tasks()

    def _note(self, empty):
        self._final = empty
        if not empty:
            self._emptied = None
        elif self._emptied is None:
            self._emptied = time.time_ns(), boottime()

    def _read_facts(self):
        facts = self._facts and read_facts(self._facts)
        return facts if facts and facts["job"] == self.job.id else dict.fromkeys(_FACTS)

    def _times(self, facts):
        job = self.job
        start, end, end_boot = job.start, job.end, job.end_boot
        if self._final and (end is None or self._emptied[1] < end_boot):
            end, end_boot = self._emptied
        wall = None if end_boot is None else end_boot - job.start_boot
        exact = self._final
        if facts["end"] is not None:
            start, end, exact = facts["start"] if facts["start"] is not None else start, facts["end"], True
            wall = end - start
        source = None if end is None else END_SOURCES.index("exact" if exact else "last sample")
        return {"start": start, "end": end, "end_source": source, "wall": wall}

    def _total(self, name, fold):
        """(value, source) of the counter `name` over its cgroups, each taken once; None when no one has it."""
        found = {counters.identities[name]: (counters.values[name], counters.sources[name])
                 for counters in self._counters.values() if name in counters.values}
        if not found:
            return None
        return fold(value for value, _ in found.values()), min(source for _, source in found.values())

    def _cpu(self, waited):
        """A cgroup's time, unless it is a lower bound and the one that was waited for is above it."""
        total = self._total("cpu", sum)
        if total and waited is not None and not self._final and waited > total[0]:
            total = None
        return self._choose("cpu", total, waited, self._most.get("cpu"))

    def _choose(self, name, total, waited, sampled):
        """(value, code of its source): the best of a cgroup's total, exit facts and what was sampled."""
        if total is not None:
            return total[0], CPU_SOURCES.index(total[1])
        if waited is not None:
            return waited, CPU_SOURCES.index("wait4")
        return sampled, None if sampled is None else CPU_SOURCES.index("last sample")

    def _io(self, facts):
        total = self._total("io", lambda pairs: tuple(map(sum, zip(*pairs))))
        names = ("read_bytes", "write_bytes")
        waited, sampled = (tuple(known.get(name) for name in names) for known in (facts, self._most))
        for values, source in (total or ((), ""), (waited, "wait4"), (sampled, "last sample")):
            if any(value is not None for value in values):
                return dict(zip(names, values), io_source=CPU_SOURCES.index(source))
        return dict.fromkeys(names + ("io_source",))
