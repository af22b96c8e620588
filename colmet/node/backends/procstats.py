"""Reads the node as a whole from /proc/uptime, meminfo, vmstat, stat and loadavg (proc(5)).

Units are those of the files, but for the uptime in whole seconds. Fields are found by their names: a kernel or an
architecture that lacks one gives "not known" for it.
"""
import os
from operator import itemgetter

from colmet.common.metrics import cpu, procstats
from colmet.common.schema import MISSING
from colmet.node.backends import Unavailable

TABLES = (procstats.TABLE, cpu.TABLE)
CPU_FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guest_nice")
STAT_FIELDS = ("intr", "ctxt", "btime", "processes", "procs_blocked")
NS = 10 ** 9
READ = 1 << 14      # bytes asked for at a time
PIECEMEAL = ("vmstat",)     # the kernel gives fewer though more follows; of the others, all that it has at once
PIECE_LEAST = 4096 - 64     # bytes of such a piece when more follows: a page less a line


def _wanted(prefix):
    """What follows `prefix` in the metrics' names: the fields of one file."""
    return frozenset(metric.name[len(prefix):] for metric in procstats.TABLE.metrics
                     if metric.name.startswith(prefix))


MEMINFO_FIELDS = _wanted("meminfo_")
VMSTAT_FIELDS = _wanted("vmstat_")
_UNKNOWN = {metric.name: MISSING if metric.code == "q" else float("nan") for metric in procstats.TABLE.metrics}
_values = itemgetter(*_UNKNOWN)     # a row without None is packed in one go


def parse_uptime(text):
    """Of /proc/uptime; "3675.92 7017.50"."""
    total, idle = text.split()[:2]
    return {"uptime_total": int(float(total)), "uptime_idle": int(float(idle))}


class Named:
    """A parser of texts in which a word that names a field stands before its number, as "MemTotal:  8152596 kB" or
    "pgfault 4711": gives {prefix + field: number} of the wanted `fields`. A kernel writes the same words in the same
    places each time: they are looked for once, and again when one is not where it was."""

    def __init__(self, prefix, fields):
        self._prefix, self._fields = prefix, fields
        self._length, self._names, self._places, self._labels = 0, [], [], []

    def __call__(self, text):
        words = text.split()
        if len(words) != self._length or [words[place - 1] for place in self._places] != self._names:
            self._learn(words)
        return dict(zip(self._labels, [int(words[place]) for place in self._places]))

    def _learn(self, words):
        places = {word.rstrip(":").lower(): place for place, word in enumerate(words[:-1], 1)}
        known = [field for field in self._fields if field in places]
        self._length, self._places = len(words), [places[field] for field in known]
        self._names = [words[place - 1] for place in self._places]
        self._labels = [self._prefix + field for field in known]


def parse_stat(text):
    """Of /proc/stat; older kernels lack the last fields of its first line."""
    found = {}
    for line in text.splitlines():
        name, _, rest = line.partition(" ")
        if name == "cpu":
            found.update(("stat_cpu_" + field, int(number)) for field, number in zip(CPU_FIELDS, rest.split()))
        elif name in STAT_FIELDS:
            found["stat_" + name] = int(rest.split(None, 1)[0])
    return found


def parse_loadavg(text):
    """Of /proc/loadavg; "0.35 0.29 0.21 3/347 12345": the fourth is runnable/all tasks."""
    one, five, fifteen, tasks = text.split()[:4]
    runnable, _, total = tasks.partition("/")
    return {"loadavg_1min": float(one), "loadavg_5min": float(five), "loadavg_15min": float(fifteen),
            "loadavg_runnable": float(runnable), "loadavg_total_threads": float(total)}


PARSERS = {"uptime": lambda: parse_uptime, "meminfo": lambda: Named("meminfo_", MEMINFO_FIELDS),
           "vmstat": lambda: Named("vmstat_", VMSTAT_FIELDS), "stat": lambda: parse_stat,
           "loadavg": lambda: parse_loadavg}       # what makes the parser of each file


def cpu_values(found):
    """The values of the table `cpu` from what the files gave."""
    boot = found.get("stat_btime")
    found = dict(found, stat_cpu_since=None if boot is None else boot * NS)
    return [found.get("stat_cpu_" + metric.name) for metric in cpu.TABLE.metrics]


class Backend:
    """The node's counters, from files in `root`/proc that stay open."""

    def __init__(self, root, options):
        self._tables = options.tables
        self._fds, self._parsers = {}, {name: make() for name, make in PARSERS.items()}
        for name in PARSERS:
            try:
                self._fds[name] = os.open(root / "proc" / name, os.O_RDONLY | os.O_CLOEXEC)
            except (FileNotFoundError, NotADirectoryError, PermissionError):
                continue
        if not self._fds:
            raise Unavailable("%s has none of %s; is proc mounted there?" % (root / "proc", ", ".join(PARSERS)))

    def sample(self, jobs):
        """One row of each of its tables; the jobs play no part."""
        found = dict(_UNKNOWN)
        for name, fd in self._fds.items():
            found.update(self._parsers[name](_text(fd, name in PIECEMEAL)))
        rows = {procstats.TABLE.name: [(None, "", _values(found))]}
        if self._tables is None or cpu.TABLE.name in self._tables:
            rows[cpu.TABLE.name] = [(None, "", cpu_values(found))]
        return rows

    def close(self):
        """Closes the files."""
        while self._fds:
            os.close(self._fds.popitem()[1])


def _text(fd, piecemeal):
    """All of an open file of the kernel, read anew."""
    whole = piece = os.pread(fd, READ, 0)
    while len(piece) >= (PIECE_LEAST if piecemeal else READ):
        piece = os.pread(fd, READ, len(whole))
        whole += piece
    return whole.decode("ascii", "replace")
