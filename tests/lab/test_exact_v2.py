"""Jobs of known CPU time and processes on cgroup v2 alone, in a guest, and what its readers of tasks say of the same.

The checks are those of real machines: ``tests/e2e/exact.py`` and ``accounts.py``.
"""
import os

import pytest

import exact
from accounts import NAMES, check_netlink, check_proc
from colmet.common.metrics import taskstats
from colmet.common.schema import MISSING
from known_cpu import Shape, Truth
from lab.results import JOBS, NODES, asleep, rows, still

pytest_plugins = ("lab.one_guest",)
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("guest")]
MISSING_06 = -1             # in tables of 0.6
LATER = 0.3                 # of what a task does that ends, in a slow guest
ENTRY = 10 ** 9             # ns, more than the processes of `JOBS` used before they entered, on a busy machine
LATE = 10 ** 9              # ns that wait4 may miss, where a processor of the guest stands still as a process leaves it
SETTLED = "2"               # a job whose directory's directory was known when it was made
# Other than on a real machine, ticks are lost: proc makes up for them, netlink does not. Both tell the age of a task.
TAKEN_APART = ("cpu_run_real_total", "ac_utime", "ac_stime", "ac_etime", "ac_btime")
THREADS = {"1": 2}          # of jobs that have not one


def truths(lab, name):
    """{id: Truth}."""
    return {number: Truth(Shape(*shape), *rest) for number, (shape, *rest) in lab.truth[name].items()}


def known(row, names, missing=MISSING):
    """The metrics `names` of a row; None for what is missing."""
    return {name: None if row[name] == missing else row[name] for name in names}


@pytest.mark.parametrize("name", NODES)
def test_cpu_time_and_processes_are_those_of_wait4(lab, name):
    lasting, removed, close = truths(lab, "lasting"), truths(lab, "removed"), []
    for number, truth in {**lasting, **removed}.items():
        [row], tasks = rows(lab, number, "job", name), rows(lab, number, "account", name)
        assert bool(tasks) is (name != "proc"), number
        if tasks:
            exact.check_tasks(truth, row, tasks[-1])
        if number in lasting:
            close.append(exact.check_lasting(truth, row, "cgroup v2", LATE))
        else:
            exact.check_removed(truth, row, "bpf" if name in ("bpf", "slow") else name)
        if os.environ.get("COLMET_SHOW"):
            print("%-4s %-8s %s" % (number, name, exact.shown(truth, row)))
    assert len(close) == len(exact.LASTING) and sum(close) >= len(close) / 2


@pytest.mark.parametrize("number", JOBS)
def test_the_account_by_netlink_is_that_by_bpf_up_to_what_the_kernel_rounds(lab, number):
    for when in (lambda found: still(lab, number, found)[0], lambda found: found[-1]):
        ours, theirs = (known(when(rows(lab, number, "account", reader)), NAMES) for reader in ("netlink", "bpf"))
        check_netlink(ours, theirs, ENTRY, LATER)
        assert ours["cpu"] == theirs["cpu"]
        assert number != SETTLED or ours["since"] == theirs["since"]


@pytest.mark.parametrize("number", JOBS)
def test_proc_says_of_live_tasks_what_netlink_does_as_far_as_it_can_know(lab, number):
    names = [metric.name for metric in taskstats.TABLE.metrics if metric.name not in TAKEN_APART]
    ours, theirs = (known(asleep(lab, number, "taskstats_default", reader), names, MISSING_06)
                    for reader in ("proc", "netlink"))
    check_proc(ours, theirs, THREADS.get(number, 1))
