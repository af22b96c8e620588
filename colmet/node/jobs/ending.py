"""The end of a job: what is read of it to the last, and its row of the `job` table.

The counters of its cgroups answer as long as they are there, and stand afterwards. They are exact if they were read
when the job had no task left, and stood still from then on for a moment: a task is told to have left before the last
of its CPU time is added. Else the job did more than was read: a lower bound.
"""
import json
import time

from colmet.common.metrics import account, cgroup, energy, jobproc, taskstats
from colmet.common.metrics.job import CPU_SOURCES, END_SOURCES, STORED, TABLE
from colmet.common.schema import MISSING
from colmet.node.clock import MS, boottime
from colmet.node.cgroup.group import METRICS

SETTLE_NS = 5 * MS                  # for which counters must stand still: more than a scheduler tick
COUNTED = ("cpu", "memory_peak", "io_read_bytes", "io_write_bytes")      # of the table cgroup
_FRESH_NS = 100 * MS
_FACTS = ("start", "end", "cpu", "peak_memory", "read_bytes", "write_bytes")
_CPU, _PEAK, _READ, _WRITTEN = (METRICS.index(name) for name in COUNTED)
_WATCHED = {            # {table: [(metric, name here, factor)]}: what sampled rows tell of a job's total
    taskstats.TABLE: (("cpu_run_virtual_total", "cpu", 1), ("read_bytes", "read_bytes", 1),
                      ("write_bytes", "write_bytes", 1)),
    jobproc.TABLE: (("VmRSS", "peak_memory", 1024), ("read_bytes", "read_bytes", 1), ("write_bytes", "write_bytes", 1)),
    account.TABLE: (("runtime", "records_cpu", 1), ("processes_started", "processes", 1),
                    ("read_bytes", "records_read_bytes", 1), ("write_bytes", "records_write_bytes", 1)),
    cgroup.TABLE: (("memory_peak", "watermark", 1),),       # --reset-peak leaves less to be read here
}
_SOURCE, _LIVE, _ENDED, _LOST = account.TABLE.places("source", "processes", "processes_ended", "exits_lost")
_SINCE, _ENERGY = energy.TABLE.places("since", "energy")
_BPF = account.SOURCES.index("bpf")     # alone knows what a task had used before it came into the job
_PLACES = {table.name: [(*table.places(metric), name, factor) for metric, name, factor in watched]
           for table, watched in _WATCHED.items()}


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
    """The last readings of `job`, a `colmet.node.jobs.job.Job`. At each reading: `is_empty()`, `take(...)`, and as long
    as that says so, `close(...)`; for each of its rows `saw(table, values)`; `sampled(sequence)` if the batch has any.
    `facts` is the path of the exit facts or None."""

    def __init__(self, job, facts=None):
        self.job, self._facts = job, facts
        self._row = [MISSING] * len(METRICS)    # of the counters, as they stand
        self._final = False                     # whether they stood still after the last task had left
        self._still = 0                         # CLOCK_BOOTTIME since which they do
        self._emptied = self._told = None       # (Unix time, boottime) at which it was without tasks; who told
        self._most = {}                         # greatest values of sampled rows, by name
        self._counted = None                    # the last row of the table account
        self._energy = {}                       # {since: the last}, of the totals that began then
        self._rows = dict.fromkeys((table.name for table in STORED), 0)
        self._first, self._samples = None, 0

    def is_empty(self):
        """Whether it has no task now, as far as its directories tell."""
        seen, when = self.job.seen
        if seen and not self._told and boottime() - when < _FRESH_NS:
            return False                        # a source of this tick has listed them, need not do it again
        return not any(len(part.tasks()) for part in self.job.parts)    # not the job's: no source has seen them

    def emptied(self, when):
        """The kernel told that a cgroup of it lost its last task at `when`, CLOCK_BOOTTIME."""
        self._told = time.time_ns() - (boottime() - when), when

    def take(self, row, alive, empty):
        """Note a reading: `row` of the table cgroup or None; `alive`: all cgroups answered; `empty`: it has no task
        since. Whether the last is to be read of it now."""
        self._note(row)
        if not empty or not (self.job.started or self._told or self._row[_CPU] > 0):
            self._emptied, self._told, self._final = None, None, False
            return False
        if self._emptied is None and (alive or self._told):
            self._emptied, self._still = self._told or (time.time_ns(), boottime()), boottime()
        return alive and not self._final

    def settled(self):
        """Whether a reading that begins now may be the last."""
        return boottime() - self._still >= SETTLE_NS

    def close(self, row, alive):
        """Note a reading that was made after it had `settled()`. Whether there must be one more."""
        before = self._row[_CPU]
        self._note(row)
        if self._row[_CPU] != before:
            self._still = boottime()
        elif alive:
            self._final = True
        return alive and not self._final

    def _note(self, row):
        if row is not None:
            peak = max(row[_PEAK], self._row[_PEAK])
            self._row = row[:_PEAK] + [peak] + row[_PEAK + 1:]

    def saw(self, table, values):
        """Count a row of the table named `table`, and keep what it tells; None and negative ones are "not known"."""
        if table in self._rows:
            self._rows[table] += 1
            if table == energy.TABLE.name:
                self._energy[values[_SINCE]] = values[_ENERGY]
            if table == account.TABLE.name:
                self._counted = values
            others = table == account.TABLE.name and values[_SOURCE] != _BPF
            for place, name, factor in _PLACES.get(table, ()):
                if values[place] is not None and values[place] >= 0 and not (others and name == "records_cpu"):
                    self._most[name] = max(self._most.get(name, 0), values[place] * factor)

    def sampled(self, sequence):
        """Note that batch `sequence` has a row of it."""
        self._first = sequence if self._first is None else self._first
        self._samples += 1

    def row(self, sequence, version):
        """Its values of the `job` table, in order; None is "not known". `sequence` is that of the batch it goes in;
        `version(name)` tells where a metric of the table cgroup is from."""
        facts = self._read_facts()
        values = dict(self._times(facts), first_sequence=self._first, last_sequence=sequence, samples=self._samples,
                      processes=self._processes(), steps=len(self.job.steps) or None)
        values["energy"] = sum(self._energy.values()) if self._energy else None
        values.update(("rows_" + name, count) for name, count in self._rows.items())
        values["cpu"], values["cpu_source"] = self._cpu(facts["cpu"], version("cpu"))
        values["peak_memory"], values["peak_memory_source"] = self._peak(facts["peak_memory"], version("memory_peak"))
        values.update(self._io(facts, version("io_read_bytes")))
        return tuple(values[metric.name] for metric in TABLE.metrics)

    def _processes(self):
        """Those that ended in it, once none lives: a scheduler's own may come in, and leave before the end. Else those
        that were seen at one time or another."""
        last = self._counted
        if last and last[_LIVE] == 0 and last[_LOST] == 0 and last[_ENDED] is not None:
            return last[_ENDED]
        return self._most.get("processes")

    def _read_facts(self):
        facts = self._facts and read_facts(self._facts)
        return facts if facts and facts["job"] == self.job.id else dict.fromkeys(_FACTS)

    def _times(self, facts):
        job = self.job
        start, end, end_boot = job.start, job.end, job.end_boot
        if self._emptied and (end is None or self._emptied[1] < end_boot):
            end, end_boot = self._emptied
        wall = None if end_boot is None else end_boot - job.start_boot
        how = "exact" if self._final else "records" if self._emptied and self._told else "last sample"
        if facts["end"] is not None:
            start, end, how = facts["start"] if facts["start"] is not None else start, facts["end"], "exact"
            wall = end - start
        return {"start": start, "end": end, "end_source": None if end is None else END_SOURCES.index(how), "wall": wall}

    def _cpu(self, waited, version):
        """A cgroup's time where it is final, else the greatest of what are lower bounds all."""
        counted = _known(self._row[_CPU])
        bounds = [(counted, version), (waited, "wait4"), (self._most.get("records_cpu"), "records")]
        known = [each for each in bounds if each[0] is not None]
        if known:
            best = known[0] if self._final and counted is not None else max(known, key=lambda each: each[0])
            return best[0], CPU_SOURCES.index(best[1])
        return _sampled(self._most.get("cpu"))

    def _peak(self, waited, version):
        counted = _known(max(self._row[_PEAK], self._most.get("watermark", MISSING)))
        if counted is not None and version:
            return counted, CPU_SOURCES.index(version)
        if waited is not None:
            return waited, CPU_SOURCES.index("wait4")
        return _sampled(self._most.get("peak_memory"))

    def _io(self, facts, version):
        names = ("read_bytes", "write_bytes")
        counted = _known(self._row[_READ]), _known(self._row[_WRITTEN])
        waited, recorded, sampled = (tuple(known.get(prefix + name) for name in names) for known, prefix in
                                     ((facts, ""), (self._most, "records_"), (self._most, "")))
        for values, source in ((counted, version), (waited, "wait4"), (recorded, "records"), (sampled, "last sample")):
            if any(value is not None for value in values):
                return dict(zip(names, values), io_source=CPU_SOURCES.index(source))
        return dict.fromkeys(names + ("io_source",))


def _known(value):
    return None if value == MISSING else value


def _sampled(value):
    return value, None if value is None else CPU_SOURCES.index("last sample")
