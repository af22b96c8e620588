"""The account of jobs by BPF against netlink, wait4(2) and what was started, in real cgroups."""
import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from accounts import COUNTERS, NAMES, check_proc, found, total
from colmet.common.metrics import account as declared
from colmet.common.metrics.taskstats import TABLE
from colmet.node import compiled
from colmet.node.account import bpf
from colmet.node.backends import Unavailable, taskstats
from colmet.node.cgroup.hierarchies import hierarchy, usual
from colmet.node.jobs.job import Job
from workload import load

pytest_plugins = ("harness",)
pytestmark = pytest.mark.root
ROUNDED = {"coremem": 32, "virtmem": 32}    # netlink rounds that of each task
AGED = {"ac_etime": 2_000_000, "ac_btime": 1}        # us between the two readings; s
CHILDREN = """
import os, sys
for _ in range(int(sys.argv[1])):
    child = os.fork()
    if child == 0:
        os.read(os.open("/dev/zero", os.O_RDONLY), 12345)
        os._exit(0)
    os.waitpid(child, 0)
"""


def options(root, reader="bpf", pins=""):
    """What the source is told."""
    return SimpleNamespace(tables=None, task_reader=reader, cpuset_rootpath=[str(root.path)], scheduler="none",
                           rule=(), account_pins=str(pins))


@pytest.fixture(name="source")
def _source(root):
    try:
        backend = taskstats.Backend(Path("/"), options(root))
    except Unavailable as reason:
        pytest.skip("needs BPF: %s" % reason)
    yield backend
    backend.close()


def inside(path):
    """A cpuset below `path`, fit to take tasks."""
    path.mkdir()
    for name in ("cpuset.cpus", "cpuset.mems"):
        (path / name).write_text((path.parent / name).read_text())
    return path


def children(job, count, *before):
    """Run and await a process in `job` that has `count` children, one after the other; what wait4 says of them all."""
    process = job.run(*before, sys.executable, "-S", "-E", "-c", CHILDREN, count)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    assert status == 0
    return usage


def test_bpf_and_netlink_say_the_same_of_live_tasks(root, source, tmp_path):
    other = taskstats.Backend(Path("/"), options(root, "netlink"))
    made = root.job(1)
    with load(made, tmp_path, 0.3, 1 << 22, 3 << 20, 2 << 20, 500, 4):
        one, two = ([row[2] for row in each.sample([found(made)])["taskstats_default"]] for each in (source, other))
    other.close()
    assert (source.reader, other.reader) == ("bpf", "netlink") and len(one) == len(two) == 1
    for metric, ours, theirs in zip(TABLE.metrics, one[0], two[0]):
        rounded = 4 * (metric.unit == "us")         # of each thread
        assert abs(ours - theirs) <= {**ROUNDED, **AGED}.get(metric.name, 0) + rounded, metric.name


def test_proc_says_of_live_tasks_what_netlink_does_as_far_as_it_can_know(root, tmp_path):
    proc, netlink = (taskstats.Backend(Path("/"), options(root, reader)) for reader in ("proc", "netlink"))
    made = root.job(13)
    with load(made, tmp_path, 0.3, 1 << 22, 3 << 20, 2 << 20, 500, 4):
        ours, theirs = (dict(zip([metric.name for metric in TABLE.metrics], row[2])) for each in (proc, netlink)
                        for row in each.sample([found(made)])["taskstats_default"])
    netlink.close()
    assert [name for name, off in AGED.items() if abs(ours.pop(name) - theirs[name]) > off] == []
    check_proc(ours, theirs, 4)
    assert proc.reader == "proc" and proc.sample([found(made)]) == {"taskstats_default": [], "account": []}


def test_every_process_is_counted_and_what_it_did(root, source):
    made = root.job(2)
    job = found(made)
    assert total(source, job)["tasks_started"] == 0
    usage = children(made, 200)
    seen = total(source, job)
    assert seen["processes_started"] == seen["processes_ended"] == seen["tasks_ended"] == 201
    assert seen["tasks"] == seen["processes"] == seen["exits_lost"] == 0
    assert (seen["minflt"], seen["majflt"]) == (usage.ru_minflt, usage.ru_majflt)
    assert seen["peak_rss"] == usage.ru_maxrss << 10
    assert 200 * 12345 <= seen["rchar"] <= 200 * 12345 + (1 << 20) and seen["syscr"] >= 200
    assert seen["cpu"] == made.read("cpuacct", "cpuacct.usage") and 0 < seen["explained"] <= 1
    assert abs(seen["since"] - job.start) <= 1 and declared.SOURCES[seen["source"]] == "bpf"


def test_steps_made_and_removed_between_two_samples_count(root, source):
    made = root.job(3)
    job = found(made)
    total(source, job)
    for number in range(20):
        step = inside(made.path / ("step%d" % number))
        deep = inside(step / "task")
        children(made, 3, "sh", "-c", 'echo 0 > "$0"/tasks && exec "$@"', deep)
        deep.rmdir()
        step.rmdir()
    seen = total(source, job)
    assert seen["processes_started"] == seen["processes_ended"] == 20 * 4 and seen["exits_lost"] == 0


def test_more_steps_than_there_is_room_for_at_one_time(root, source):
    made = root.job(4)
    job = found(made)
    for _ in range(5000):
        (made.path / "step").mkdir()
        (made.path / "step").rmdir()
    children(made, 1)
    seen = total(source, job)
    assert seen["processes_started"] == 2 and seen["exits_lost"] == 0


def test_no_counter_goes_back_while_processes_end(root, source):
    made = root.job(5)
    job = found(made)
    process = made.run(sys.executable, "-S", "-E", "-c", CHILDREN, 1500)
    before, looks = total(source, job), 0
    while process.poll() is None or looks <= 10:
        now, looks = total(source, job), looks + 1
        assert [name for name in COUNTERS if now[name] is not None and now[name] < before[name]] == []
        assert now["processes_started"] <= 1501
        before = now
    assert total(source, job)["processes_ended"] == 1501


def test_of_a_job_that_was_here_before_it_counts_from_the_first_look(root, tmp_path):
    made, began = root.job(6), time.time_ns()
    with load(made, tmp_path, 0.2, pages=3000) as process:
        late = taskstats.Backend(Path("/"), options(root))
        job = found(made)
        first, second = total(late, job), total(late, job)
        assert first["tasks"] == first["tasks_started"] == 1 and first["runtime"] == first["minflt"] == 0
        assert began < first["since"] == second["since"] < time.time_ns()
        process.stdin.write(b"x")
    last = total(late, job)
    assert last["processes_ended"] == 1 and last["since"] == first["since"] and 0 < last["minflt"] < 3000
    late.close()


def test_a_job_that_ended_has_a_last_row_and_no_other(root, source):
    made, other = root.job(7), root.job(8)
    first, second = found(made), found(other)
    source.sample([first, second])
    children(made, 5)
    made.remove()
    rows = source.sample([second])["account"]
    assert {job.id for job, _, _ in rows} == {"7", "8"}
    [last] = [values for job, _, values in rows if job is first]
    assert dict(zip(NAMES, last))["processes_ended"] == 6
    assert [job.id for job, _, _ in source.sample([second])["account"]] == ["8"]
    third = found(root.job(9))
    [values] = [values for job, _, values in source.sample([second, third])["account"] if job is third]
    assert dict(zip(NAMES, values))["processes_started"] == 0       # what the first had is not this one's


def test_a_job_by_number_is_read_by_netlink_beside_it(root):
    both = taskstats.Backend(Path("/"), options(root, "auto"))
    job = Job("1")
    job.parts = (SimpleNamespace(directories=(), tasks=lambda: [os.getpid()]),)
    rows = both.sample([job])
    both.close()
    assert [row[0] for row in rows["taskstats_default"]] == [job] and rows["account"] == []


@pytest.fixture(name="pins")
def _pins(tmp_path):
    """A directory to be, in a bpf file system of its own."""
    if not shutil.which("mount"):
        pytest.skip("needs mount: install util-linux")
    place = tmp_path / "bpf"
    place.mkdir()
    subprocess.run(["mount", "-t", "bpf", "bpf", str(place)], check=True)
    yield place / "colmet"
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_restart_in_the_middle_of_a_job_loses_nothing(root, source, pins):
    first = taskstats.Backend(Path("/"), options(root, "auto", pins))
    made = root.job(11)
    job = found(made)
    children(made, 5)
    before = total(first, job)
    first.close()
    assert before["processes_ended"] == 6
    step = inside(made.path / "step")
    usage = children(made, 7, "sh", "-c", 'echo 0 > "$0"/tasks && exec "$@"', step)
    step.rmdir()
    second = taskstats.Backend(Path("/"), options(root, "auto", pins))
    again = found(made)
    after = total(second, again)
    assert after["processes_ended"] == after["processes_started"] == 6 + 8
    assert after["since"] == before["since"] and after["minflt"] == before["minflt"] + usage.ru_minflt
    assert len(os.listdir(pins)) == 1
    made.remove()
    assert dict(zip(NAMES, second.sample([])["account"][0][2]))["processes_ended"] == 14
    second.close()
    assert os.listdir(pins) == []


def test_two_at_a_time_do_not_share_what_is_pinned(root, source, pins):
    both = [taskstats.Backend(Path("/"), options(root, "auto", pins)) for _ in range(2)]
    made = root.job(12)
    assert [each.reader for each in both] == ["bpf", "bpf"] and len(os.listdir(pins)) == 1
    children(made, 3)
    counted = [total(each, found(made))["processes_ended"] for each in both]
    for each in both:
        each.sample([])
        each.close()
    assert counted == [4, 4]
    assert os.listdir(pins) == []


def test_pins_of_another_version_and_half_made_ones_are_removed(source, pins):
    stale = pins / ("0123456789abcdef-%d" % hierarchy(usual())[1])
    stale.mkdir(parents=True)
    whole = bpf.Account(usual(), str(pins))
    [name] = os.listdir(pins)
    assert name != stale.name and {"groups", "cells", "spare", "state", "on_exit"} <= set(os.listdir(pins / name))
    whole.read([Job("1")])              # a job is there: what is pinned stays
    whole.close()
    (pins / name / "on_exit").unlink()
    bpf.Account(usual(), str(pins)).close()
    assert os.listdir(pins) == []


def test_without_rights_it_says_which_it_needs():
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.setuid(65534)
        try:
            bpf.Account(usual())
        except Unavailable as reason:
            os.write(writing, str(reason).encode())
        os.kill(os.getpid(), signal.SIGKILL)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as said:
        assert "CAP_BPF" in said.read()


def test_what_is_no_hierarchy_of_cgroups_is_refused(tmp_path):
    with pytest.raises(Unavailable, match="no hierarchy"):
        bpf.Account(os.stat(tmp_path).st_dev)


def test_a_controller_that_the_kernel_lacks_is_refused():
    helper = compiled.load("_account")
    opened = helper.ffi.new("struct account **")
    assert -helper.lib.account_open(opened, os.fsencode(bpf.OBJECT), b"absent", 1, b"", b"") == errno.EOPNOTSUPP
