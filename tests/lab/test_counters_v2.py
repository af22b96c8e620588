"""The table `cgroup` on cgroup v2 alone, in a guest: value by value what the kernel's files say while no task runs."""
import re

import pytest

from colmet.common.metrics import cgroup
from colmet.common.schema import MISSING
from lab.results import FEW, JOBS, READERS, rows, still

pytest_plugins = ("lab.one_guest",)
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("guest")]
ALONE = r"^(\d+)$"          # not "max"
WHERE = {       # metric: (file, what stands before its number, by what it is multiplied)
    "cpu": ("cpu.stat", r"^usage_usec (\d+)$", 1000), "user": ("cpu.stat", r"^user_usec (\d+)$", 1000),
    "system": ("cpu.stat", r"^system_usec (\d+)$", 1000), "nr_periods": ("cpu.stat", r"^nr_periods (\d+)$", 1),
    "nr_throttled": ("cpu.stat", r"^nr_throttled (\d+)$", 1),
    "throttled_time": ("cpu.stat", r"^throttled_usec (\d+)$", 1000),
    "memory_current": ("memory.current", ALONE, 1), "memory_peak": ("memory.peak", ALONE, 1),
    "memory_limit": ("memory.max", ALONE, 1), "memory_limit_hits": ("memory.events", r"^max (\d+)$", 1),
    "memory_anon": ("memory.stat", r"^anon (\d+)$", 1), "memory_file": ("memory.stat", r"^file (\d+)$", 1),
    "memory_shmem": ("memory.stat", r"^shmem (\d+)$", 1), "memory_kernel": ("memory.stat", r"^kernel (\d+)$", 1),
    "swap": ("memory.swap.current", ALONE, 1), "oom": ("memory.events", r"^oom (\d+)$", 1),
    "oom_kill": ("memory.events", r"^oom_kill (\d+)$", 1),
    "io_read_bytes": ("io.stat", r"rbytes=(\d+)", 1), "io_write_bytes": ("io.stat", r"wbytes=(\d+)", 1),
    "io_reads": ("io.stat", r"rios=(\d+)", 1), "io_writes": ("io.stat", r"wios=(\d+)", 1),
    "pids": ("pids.current", ALONE, 1), "pids_peak": ("pids.peak", ALONE, 1), "pids_limit": ("pids.max", ALONE, 1),
    **{"%s_%s" % (resource, line): (resource + ".pressure", r"^%s .*total=(\d+)$" % line, 1)
       for resource in ("cpu", "memory", "io") for line in ("some", "full")},
}
OURS = {"since", "memory_peak_interval"}        # no file has these
CPU, PRESSURE = {"cpu", "user", "system"}, {name for name in WHERE if name.endswith(("_some", "_full"))}
# A live job's are read seldom while they stay as they are, the peak while the memory is what it was; the kernel frees
# memory at its leisure.
SELDOM = PRESSURE | {"memory_peak", "memory_limit", "memory_limit_hits", "oom", "oom_kill", "pids_limit", "pids_peak"}
FREED = {"memory_current", "memory_anon", "memory_file", "memory_shmem", "memory_kernel"}
LIMITS = {"memory_limit": 256 << 20, "pids_limit": 100}


def said(texts, name):
    """The number of a metric in the texts of files, lines of several devices added; MISSING without any."""
    file, pattern, factor = WHERE[name]
    found = re.findall(pattern, texts.get(file, ""), re.MULTILINE)
    return sum(map(int, found)) * factor if found else MISSING


def test_every_metric_is_looked_up():
    assert set(WHERE) | OURS == {metric.name for metric in cgroup.TABLE.metrics}


@pytest.mark.parametrize("number", [*JOBS, *FEW])
@pytest.mark.parametrize("reader", READERS)
def test_each_value_is_the_kernels(lab, number, reader):
    before, after = lab.truth["jobs"][number]["still"]
    for row in still(lab, number, rows(lab, number, "cgroup", reader)):
        for name in WHERE:
            bounds = sorted(said(texts, name) for texts in (before, after))
            assert bounds[0] <= row[name] <= bounds[1] or name in SELDOM and row[name] < bounds[0], \
                (name, row[name], bounds)
        assert row["memory_peak_interval"] == MISSING


@pytest.mark.parametrize("number", [*JOBS, *FEW])
@pytest.mark.parametrize("reader", READERS)
def test_after_the_end_of_a_job_each_value_is_what_the_kernel_says_last(lab, number, reader):
    texts = lab.truth["jobs"][number]["counters"]
    *_, row, _ = [row for row in rows(lab, number, "cgroup", reader) if row["time"] < texts["time"]]
    assert {name: row[name] for name in WHERE if name not in FREED} == \
        {name: said(texts, name) for name in WHERE if name not in FREED}


def test_what_no_controller_counts_is_missing(lab):
    seen = {number: {name for name in WHERE for row in still(lab, number, rows(lab, number, "cgroup", "bpf"))
                     if row[name] != MISSING} for number in FEW}
    memory = {name for name in WHERE if name.startswith(("memory", "oom"))} - {"memory_limit"}
    assert seen["5"] == CPU | PRESSURE
    assert seen["6"] - {"swap"} == CPU | PRESSURE | memory | {"pids", "pids_peak"}


def test_what_was_done_is_seen(lab):
    last = {number: rows(lab, number, "cgroup", "bpf")[-1] for number in JOBS}
    assert {name: last["4"][name] for name in LIMITS} == LIMITS and last["4"]["nr_periods"] > 0
    assert last["2"]["pids_peak"] >= 2 and last["3"]["io_writes"] > last["3"]["io_reads"] > 0
    assert all(last[number][name] == MISSING for number in "123" for name in LIMITS)
