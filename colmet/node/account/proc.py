"""Jobs read task by task from /proc (proc(5)), where the kernel refuses better ways: dear, and much is not told."""
import os
import time

from colmet.common.metrics.taskstats import TABLE
from colmet.node.backends import Unavailable
from colmet.node.clock import SECOND

KIB = ~1023                         # the table has what taskstats gives: whole KiB of each task
_TICK = SECOND // os.sysconf("SC_CLK_TCK")
_UTIME, _STIME, _START = 11, 12, 19     # places after the command's name in stat
_MINFLT, _MAJFLT, _BLKIO = 7, 9, 39
_IO = {"rchar": ("read_char", KIB), "wchar": ("write_char", KIB), "syscr": ("read_syscalls", KIB),
       "syscw": ("write_syscalls", KIB), "read_bytes": ("read_bytes", -1), "write_bytes": ("write_bytes", -1),
       "cancelled_write_bytes": ("cancelled_write_bytes", -1)}
_FOLDS = {"min": min, "max": max, "add": lambda one, other: one + other}


def parse_stat(text, now, wall):
    """Of /proc/TID/task/TID/stat; `now` is CLOCK_BOOTTIME in ns, `wall` the Unix time in s."""
    fields = text.rpartition(")")[2].split()
    user, system = int(fields[_UTIME]) * _TICK, int(fields[_STIME]) * _TICK
    age = max(0, now - int(fields[_START]) * _TICK)
    return {"cpu_run_real_total": user + system, "ac_utime": user // 1000, "ac_stime": system // 1000,
            "ac_minflt": int(fields[_MINFLT]), "ac_majflt": int(fields[_MAJFLT]), "ac_etime": age // 1000,
            "ac_btime": wall - age // SECOND, "blkio_delay_total": int(fields[_BLKIO]) * _TICK}


def parse_schedstat(text):
    """Of schedstat: "run waited times"."""
    run, waited, times = text.split()[:3]
    return {"cpu_run_virtual_total": int(run), "cpu_delay_total": int(waited), "cpu_count": int(times)}


def parse_io(text):
    """Of io: "rchar: 123" a line."""
    found = {}
    for line in text.splitlines():
        name, _, number = line.partition(": ")
        if name in _IO:
            metric, mask = _IO[name]
            found[metric] = int(number) & mask
    return found


def parse_status(text):
    """The switches in status."""
    words = dict(line.split(":", 1) for line in text.splitlines() if "ctxt_switches" in line)
    return {metric: int(words[name]) for name, metric in (("voluntary_ctxt_switches", "nvcsw"),
                                                          ("nonvoluntary_ctxt_switches", "nivcsw")) if name in words}


class Proc:
    """A reader (`colmet.node.account.readers`) of the live tasks of all jobs, from `root`/proc."""
    name = "proc"
    tables = (TABLE.name,)
    lost = 0

    def __init__(self, root, options):
        self._proc = str(root / "proc")
        if not os.path.exists(self._proc + "/self"):
            raise Unavailable("%s is no proc file system" % self._proc)

    def read(self, jobs):
        """What lives of all jobs."""
        return {job: (self._live(job.tasks()), None) for job in jobs}

    def close(self):
        """Nothing is held."""

    def _live(self, tids):
        """[number of tasks, sums...]; None for what is not known of one of them."""
        now, wall = time.clock_gettime_ns(time.CLOCK_BOOTTIME), int(time.time())
        tasks = [task for task in (self._task(tid, now, wall) for tid in tids) if task]
        return [len(tasks)] + [_joined(metric, tasks) for metric in TABLE.metrics]

    def _task(self, tid, now, wall):
        """{metric: value} of one task, what this user may read of it; {} when it is gone."""
        found = {}
        for name, parse in (("stat", lambda text: parse_stat(text, now, wall)), ("schedstat", parse_schedstat),
                            ("io", parse_io), ("status", parse_status)):
            try:
                with open("%s/%d/task/%d/%s" % (self._proc, tid, tid, name)) as file:
                    found.update(parse(file.read()))
            except PermissionError:
                continue
            except (FileNotFoundError, ProcessLookupError):
                if name == "stat":
                    return {}
        return found


def _joined(metric, tasks):
    joined = None
    for task in tasks:
        value = task.get(metric.name)
        if value is None:
            return None
        joined = value if joined is None else _FOLDS[metric.fold](joined, value)
    return joined
