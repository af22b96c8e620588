"""The files of a cgroup that are read, of v1 and of v2, and where in them each metric of the table `cgroup` stands.

See Documentation/admin-guide/cgroup-v1/ and cgroup-v2.rst of the kernel. Of two files that give one metric, the first
that is there counts.
"""
from typing import NamedTuple, Tuple

from colmet.common.mounts import V2
from colmet.node.clock import SECOND

ITSELF = "itself"
SELDOM_NS = 30 * SECOND
_USEC, _CLOCK = 3, 7        # digits to add: us to ns; ticks of proc(5), a hundredth of a second, to ns
_RAN = "cpuacct.usage"


class File(NamedTuple):
    """`name` in the directory of a `controller` of v1, or of V2; `numbers` are (metric, then what follows in
    `colmet.node.numbers.Field`). With `after`, the name of a file of the same controller or of V1's CPU time, it is
    read when the numbers of that one have changed, and again as long as its own do; with ITSELF, which is for what
    seldom does, only so; and all every SELDOM_NS. A cgroup that used no CPU time has done nothing new."""
    controller: str
    name: str
    numbers: Tuple
    after: str = ""


def _one(controller, name, metric, after=""):
    return File(controller, name, ((metric, ""),), after)


def _pressure(resource):
    """"some avg10=0.06 avg60=0.21 avg300=0.99 total=8537362", and "full" (Documentation/accounting/psi.rst)."""
    return File(V2, resource + ".pressure", tuple(("%s_%s" % (resource, line), "total", 0, 0, line)
                                                  for line in ("some", "full")), "cpu.stat")


def _io(name, kind):
    """"8:0 Read 4096" a line; without any line that says so, it is not counted."""
    return File("blkio", "blkio.throttle.%s_recursive" % name,
                (("io_read" + kind, "read"), ("io_write" + kind, "write")), _RAN)


FILES = (
    _one("cpuacct", _RAN, "cpu"),
    File("cpuacct", "cpuacct.stat", (("user", "user", 0, _CLOCK), ("system", "system", 0, _CLOCK)), _RAN),
    File("cpu", "cpu.stat", tuple((name, name) for name in ("nr_periods", "nr_throttled", "throttled_time")), _RAN),
    _one("memory", "memory.usage_in_bytes", "memory_current"),
    File("memory", "memory.stat", (
        ("memory_anon", "total_rss"), ("memory_file", "total_cache"), ("memory_shmem", "total_shmem"),
        ("swap", "total_swap"), ("memory_limit", "hierarchical_memory_limit")), "memory.usage_in_bytes"),
    _one("memory", "memory.max_usage_in_bytes", "memory_peak", "memory.usage_in_bytes"),
    _one("memory", "memory.kmem.usage_in_bytes", "memory_kernel", "memory.usage_in_bytes"),
    _one("memory", "memory.failcnt", "memory_limit_hits", "memory.usage_in_bytes"),
    File("memory", "memory.oom_control", (("oom_kill", "oom_kill"),), "memory.usage_in_bytes"),
    _io("io_service_bytes", "_bytes"),
    _io("io_serviced", "s"),
    _one("pids", "pids.current", "pids"),
    _one("pids", "pids.peak", "pids_peak", "pids.current"),
    _one("pids", "pids.max", "pids_limit", ITSELF),
    File(V2, "cpu.stat", (
        ("cpu", "usage_usec", 0, _USEC), ("user", "user_usec", 0, _USEC), ("system", "system_usec", 0, _USEC),
        ("nr_periods", "nr_periods"), ("nr_throttled", "nr_throttled"),
        ("throttled_time", "throttled_usec", 0, _USEC))),
    _one(V2, "memory.current", "memory_current"),
    File(V2, "memory.stat", tuple(("memory_" + name, name) for name in ("anon", "file", "shmem", "kernel")),
         "memory.current"),
    _one(V2, "memory.peak", "memory_peak", "memory.current"),
    _one(V2, "memory.max", "memory_limit", ITSELF),
    _one(V2, "memory.swap.current", "swap", "memory.current"),
    File(V2, "memory.events", (("memory_limit_hits", "max"), ("oom", "oom"), ("oom_kill", "oom_kill")),
         "memory.current"),
    File(V2, "io.stat", (("io_read_bytes", "rbytes"), ("io_write_bytes", "wbytes"), ("io_reads", "rios"),
                         ("io_writes", "wios"))),
    _one(V2, "pids.current", "pids"),
    _one(V2, "pids.peak", "pids_peak", "pids.current"),
    _one(V2, "pids.max", "pids_limit", ITSELF),
    _pressure("cpu"),
    _pressure("memory"),
    _pressure("io"),
)
CONTROLLERS = tuple(dict.fromkeys(file.controller for file in FILES))
LOCAL = frozenset(place for place, file in enumerate(FILES)     # these count what happens in a directory itself
                  if (file.controller, file.name) in (("cpu", "cpu.stat"), ("memory", "memory.oom_control")))


def _after(place, file):
    """The place of the file that tells when `file` is read; -1: it always is."""
    if not file.after or file.after == ITSELF:
        return place if file.after else -1
    return max(other for other, each in enumerate(FILES[:place]) if each.name == file.after)


AFTER = [_after(place, file) for place, file in enumerate(FILES)]
