"""The events of perf_event_open(2), by name: those of Colmet 0.6, those of caches, and those of any PMU as perf(1)
writes them: ``cpu/event=0x3c,umask=0x0/``, ``uncore_imc_0/cas_count_read/``, ``r20d1``.

Numbers are those of linux/perf_event.h; what a PMU knows by name stands in /sys/bus/event_source/devices
(Documentation/ABI/testing/sysfs-bus-event_source-devices-events and -format of the kernel).
"""
import difflib
import re
from itertools import product
from pathlib import Path
from typing import NamedTuple, Optional, Tuple

from colmet.node.backends import Unavailable

HARDWARE, SOFTWARE, CACHE, RAW = 0, 1, 3, 4
CPU = "cpu"                 # the PMU of HARDWARE, CACHE and RAW
DEVICES = Path("sys/bus/event_source/devices")
DEFAULT_EVENTS = ("instructions", "cache_misses", "page_faults")        # those of 0.6
_HARDWARE = {
    "cpu_cycles": 0, "instructions": 1, "cache_references": 2, "cache_misses": 3, "branch_instructions": 4,
    "branch_misses": 5, "bus_cycles": 6, "ref_cpu_cycles": 9,
}
_CACHE = {      # in 0.6 with the number of the cache alone, which means reads; the last three say another thing
    "cache_l1d": 0, "cache_ll": 2, "cache_dtlb": 3, "cache_itlb": 4, "cache_bpu": 5, "cache_node": 6,
    "cache_op_read": 0, "cache_op_prefetch": 2, "cache_result_access": 0,
}
_SOFTWARE = {
    "cpu_clock": 0, "task_clock": 1, "page_faults": 2, "context_switches": 3, "cpu_migrations": 4,
    "page_faults_min": 5, "page_faults_maj": 6, "alignment_faults": 7, "emulation_faults": 8, "dummy": 9,
    "bpf_output": 10,
}
NAMES_06 = tuple(_HARDWARE) + tuple(_CACHE) + tuple(_SOFTWARE)
_CACHES, _USES, _RESULTS = (("l1d", "l1i", "ll", "dtlb", "itlb", "bpu", "node"), ("read", "write", "prefetch"),
                            ("access", "miss"))
_MORE = {"stalled_cycles_frontend": (HARDWARE, 7), "stalled_cycles_backend": (HARDWARE, 8),
         "cgroup_switches": (SOFTWARE, 11)}
_MORE.update(("_".join((cache, use, result)), (CACHE, number | place << 8 | missed << 16))
             for (number, cache), (place, use), (missed, result)
             in product(enumerate(_CACHES), enumerate(_USES), enumerate(_RESULTS)))
BY_NAME = {name: (kind, config) for kind, names in ((HARDWARE, _HARDWARE), (CACHE, _CACHE), (SOFTWARE, _SOFTWARE))
           for name, config in names.items()}
BY_NAME.update(_MORE)
_RAW = re.compile(r"r([0-9a-fA-F]{1,16})")
_OF_PMU = re.compile(r"(\w[\w.-]*)/([\w.=,-]+)/")
_CONFIGS = ("config", "config1", "config2")
_RANGE = re.compile(r"(\d+)(?:-(\d+))?")


class Event(NamedTuple):
    """What is counted, as lib_perf_hw takes it. `pmu` tells whose counters it needs, `cpus` on which CPUs these are,
    None for all; `of_node` that they are outside the CPU cores, and tell nothing of a job."""
    name: str
    pmu: str
    type: int
    configs: Tuple[int, int, int]
    cpus: Optional[Tuple[int, ...]] = None
    of_node: bool = False


def event_fault(name):
    """A check: "" or why `name` can be no event on any machine."""
    if name in BY_NAME or _RAW.fullmatch(name) or _OF_PMU.fullmatch(name):
        return ""
    near = difflib.get_close_matches(name, BY_NAME, 1)
    return "no such event; " + ("did you mean %s?" % near[0] if near else "docs/perf.rst names them")


def find(name, root):
    """The Event `name`, one that has no `event_fault`, in the file system `root`. Raises Unavailable."""
    if name in BY_NAME:
        kind, config = BY_NAME[name]
        return Event(name, "software" if kind == SOFTWARE else CPU, kind, (config, 0, 0))
    raw = _RAW.fullmatch(name)
    if raw:
        return Event(name, CPU, RAW, (int(raw.group(1), 16), 0, 0))
    pmu, terms = _OF_PMU.fullmatch(name).groups()
    return _of_pmu(name, root / DEVICES / pmu, terms)


def _of_pmu(name, folder, terms):
    kind = _text(folder / "type")
    if kind is None:
        there = sorted(path.name for path in folder.parent.glob("*"))
        raise Unavailable("this machine has no PMU %s, but %s" % (folder.name, ", ".join(there) or "none at all"))
    values = {}
    for term in terms.split(","):
        alias = _text(folder / "events" / term.partition("=")[0])
        values.update(_pair(each) for each in (alias if alias and "=" not in term else term).split(","))
    configs = [0, 0, 0]
    for term, value in values.items():
        _set(configs, folder, term, value)
    outside, some = _text(folder / "cpumask"), _text(folder / "cpus")
    cpus = some if outside is None else outside
    return Event(name, folder.name, int(kind), tuple(configs), None if cpus is None else numbers(cpus),
                 outside is not None)


def _pair(term):
    """(name, number) of "name=0x12", or of "name" for name=1."""
    name, equals, value = term.strip().partition("=")
    try:
        return name, int(value, 0) if equals else 1
    except ValueError:
        raise Unavailable("%s: no number; give one" % term) from None


def _set(configs, folder, term, value):
    """Put `value` where the PMU of `folder` takes the `term`: "config1:0-7,21" tells the bits, lowest first."""
    layout = term + ":0-63" if term in _CONFIGS else _text(folder / "format" / term)
    if layout is None:
        there = sorted(path.name for part in ("events", "format") for path in (folder / part).glob("*"))
        raise Unavailable("the PMU %s has no %s, but %s" % (folder.name, term, ", ".join(there)))
    config, _, ranges = layout.partition(":")
    if config not in _CONFIGS:
        raise Unavailable("%s of the PMU %s is in %s, which is not known" % (term, folder.name, config))
    left = value
    for first, last in _RANGE.findall(ranges):
        for bit in range(int(first), int(last or first) + 1):
            configs[_CONFIGS.index(config)] |= (left & 1) << bit
            left >>= 1
    if left:
        raise Unavailable("%s=%#x: the PMU %s has no room for it (%s)" % (term, value, folder.name, layout))


def numbers(text):
    """The numbers of a list such as "0-3,8" (cpuset(7), list format): tuple."""
    return tuple(number for first, last in _RANGE.findall(text)
                 for number in range(int(first), int(last or first) + 1))


def _text(path):
    """The text of a file of one line; None where there is none."""
    try:
        return path.read_text().strip()
    except OSError:
        return None
