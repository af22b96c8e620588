"""Reads the node as a whole from /proc/uptime, meminfo, vmstat, stat and loadavg (proc(5)), in C (lib_files).

Units are those of the files, but for the uptime in whole seconds. Fields are found by their names: a kernel or an
architecture that lacks one gives "not known" for it.
"""
import os
from operator import itemgetter

from colmet.common.metrics import cpu, procstats
from colmet.common.schema import MISSING
from colmet.node import compiled
from colmet.node.backends import Unavailable
from colmet.node.numbers import Field, Numbers

TABLES = (procstats.TABLE, cpu.TABLE)
FILES = ("uptime", "meminfo", "vmstat", "stat", "loadavg")
CPU_FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guest_nice")
NS = 10 ** 9
DECIMALS = 2        # of the numbers in loadavg
NOT_THERE = "%%s has none of %s; is proc mounted there?" % ", ".join(FILES)


def _named(prefix):
    return [metric.name for metric in procstats.TABLE.metrics if metric.name.startswith(prefix)]


def _field(name):
    """Where the metric `name` of procstats is found; of a file without words, the declared order tells."""
    file, _, field = name.partition("_")
    if file in ("uptime", "loadavg"):
        return Field(FILES.index(file), "", _named(file).index(name), DECIMALS if file == "loadavg" else 0)
    if field.startswith("cpu_"):
        return Field(FILES.index(file), "cpu", CPU_FIELDS.index(field[len("cpu_"):]))
    return Field(FILES.index(file), field)


_ROW = [_field(metric.name) for metric in procstats.TABLE.metrics]
_CPU = [_field("stat_cpu_" + name) for name in CPU_FIELDS] + [Field(FILES.index("stat"), "btime")]
FIELDS = sorted(set(_ROW + _CPU))
_FRACTIONS = [place for place, metric in enumerate(procstats.TABLE.metrics) if metric.code == "d"]
_in_row = itemgetter(*[FIELDS.index(field) for field in _ROW])
_in_cpu = itemgetter(*[FIELDS.index(field) for field in _CPU])


def row(numbers):
    """The values of procstats_default from those of `FIELDS`."""
    values = list(_in_row(numbers))
    for place in _FRACTIONS:
        values[place] = float("nan") if values[place] == MISSING else values[place] / 10 ** DECIMALS
    return values


def cpu_row(numbers):
    """The values of the table `cpu` from those of `FIELDS`."""
    *times, boot = _in_cpu(numbers)
    return times + [MISSING if boot == MISSING else boot * NS]


class Backend:
    """The node's counters, from files in `root`/proc that stay open."""

    def __init__(self, root, options):
        helper = compiled.load("_files")
        proc = root / "proc"
        try:
            self._numbers = Numbers(helper, proc, FILES, FIELDS)
        except FileNotFoundError:
            raise Unavailable(NOT_THERE % proc) from None
        if not self._numbers.there:
            self._numbers.close()
            raise Unavailable(NOT_THERE % proc)
        self.tables = options.tables

    def sample(self, jobs):
        """One row of each of its tables; the jobs play no part."""
        numbers = self._numbers.read()
        rows = {procstats.TABLE.name: [(None, "", row(numbers))]}
        if self.tables is None or cpu.TABLE.name in self.tables:
            rows[cpu.TABLE.name] = [(None, "", cpu_row(numbers))]
        return rows

    def close(self):
        """Closes the files."""
        self._numbers.close()
