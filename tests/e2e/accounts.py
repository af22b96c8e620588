"""What tests of the account share: a job as a node finds it, its row, and what must hold between those of readers."""
import math
import os

from colmet.common.metrics import account, taskstats
from colmet.node.jobs.job import Cgroup, Job, directory_key
from workload import SCHEDULER_TICK

NAMES = [metric.name for metric in account.TABLE.metrics]
TOTALS = NAMES[:NAMES.index("cpu")]
UNKNOWN = {"syscr", "syscw"}        # by netlink
KIB = {"rchar", "wchar"}            # of each task whole KiB
US = {"utime", "stime"}             # of each task whole us
LATER = {"runtime", "utime", "stime", "cpu_count", "cpu_delay_total", "nvcsw", "nivcsw"}     # BPF looks a little later
SAMPLED = {"ac_utime": 1e6, "ac_stime": 1e6, "cpu_run_real_total": 1e9}      # a second in their units
PROC_EXACT = {"cpu_run_virtual_total", "cpu_delay_total"}
PROC_UNKNOWN = {"blkio_count", "swapin_count", "swapin_delay_total", "coremem", "virtmem", "ac_utimescaled",
                "ac_stimescaled", "cpu_scaled_run_real_total", "freepages_count", "freepages_delay_total"}
COUNTERS = [metric.name for metric in account.TABLE.metrics if metric.kind == "counter"]


def found(made):
    """The `colmet.node.jobs.job.Job` of a `jobs.Job`, as a node finds it."""
    job = Job(str(made.number))
    job.parts = (Cgroup(str(made.path), directory_key(str(made.path))),)
    return job


def total(source, *jobs):
    """{metric: value} of the one row of `account`."""
    [(_, instance, values)] = source.sample(jobs)["account"]
    assert instance == "" and len(values) == len(NAMES)
    return dict(zip(NAMES, values))


def check_netlink(ours, theirs, before, later=0.05):
    """That the row `ours` of account by netlink says what `theirs` by BPF says, up to what the kernel rounds; None is
    "not known". More by at most `before` ns of CPU time that its tasks used before they entered, which BPF takes off;
    less by the share `later` of what tasks that ended did after their record was made. Who counts from later on counts
    less. Their peaks are left out."""
    assert account.SOURCES[ours["source"]] == "netlink" and ours["exits_lost"] == 0
    tasks, ended = theirs["tasks_started"], theirs["tasks_ended"]
    for name in TOTALS[1:]:
        if name in UNKNOWN or theirs[name] is None:
            assert ours[name] is None, name
        elif name != "peak_rss":
            off = 1024 * tasks if name in KIB else 1000 * tasks if name in US else 0
            off += theirs[name] * later + ended if name in LATER and ended else 0
            more = before if name == "runtime" else 0
            context = name, ours[name], theirs[name], ours["since"] - theirs["since"]
            assert theirs[name] - off <= ours[name] or ours["since"] > theirs["since"] and name in COUNTERS, context
            assert ours[name] <= theirs[name] + more or ours["since"] < theirs["since"] and name in COUNTERS, context


def check_proc(ours, theirs, threads):
    """That the rows of taskstats_default, `ours` by proc, `theirs` by netlink, of a process of so many threads that
    sleep are the same as far as proc(5) can know; what `ours` has not is left out."""
    clock = threads * 1000000 // os.sysconf("SC_CLK_TCK")      # us: each time in whole ticks of proc(5)
    inexact = {"us": clock, "ns": 2000 * clock, "s": 2}
    for metric in taskstats.TABLE.metrics:
        name = metric.name
        if name in PROC_UNKNOWN:
            assert ours[name] is None, name
        elif name in ours:
            off = 0 if name in PROC_EXACT else inexact.get(metric.unit, 0)
            off += SAMPLED.get(name, 0) * 4 * math.sqrt(ours["cpu_run_virtual_total"] / 1e9 * SCHEDULER_TICK)
            assert abs(ours[name] - theirs[name]) <= off, (name, ours[name], theirs[name])
