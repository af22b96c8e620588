"""The two ways in which the account visits live tasks: those of cgroups that are followed, or all there are."""
import platform
import subprocess
import sys
from pathlib import Path

import jobs
import pytest

from accounts import NAMES, found
from colmet.common.metrics import account as declared
from colmet.node.account.bpf import Account
from colmet.node.backends import Unavailable
from colmet.node.jobs.job import Cgroup, Job, directory_key
from workload import load

pytest_plugins = ("harness",)
pytestmark = pytest.mark.root
SYSCALL = "31"              # BPF_PROG_TYPE_SYSCALL, the kind of program that visits cgroup by cgroup (linux/bpf.h)
AGED = (9, 10)              # cells of `live`: ac_btime and ac_etime change between two readings
STEPS = ("", "step-1", "step-2")
RUNTIME = NAMES.index("runtime")
BEFORE, AFTER, THREADS = 0.2, 0.1, 4        # s of CPU time of each thread
TICK = 10_000_000           # ns that the kernel may not yet have added when a thread ends
MOVED = """
import sys, threading, time
before, after = map(float, sys.argv[1:3])
done, go = threading.Semaphore(0), threading.Semaphore(0)
def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
def work():
    burn(before)
    done.release()
    go.acquire()
    burn(after)
threads = [threading.Thread(target=work) for _ in range(int(sys.argv[3]))]
for thread in threads:
    thread.start()
for _ in threads:
    done.acquire()
print(time.process_time_ns(), flush=True)
sys.stdin.readline()
for _ in threads:
    go.release()
for thread in threads:
    thread.join()
print(time.process_time_ns(), flush=True)
sys.stdin.readline()
"""


@pytest.fixture(name="open_account")
def _open_account(root):
    opened = []

    def make(walk):
        try:
            opened.append(Account(root.path.stat().st_dev, walk=walk))
        except Unavailable as reason:
            pytest.skip("needs BPF: %s" % reason)
        return opened[-1]
    yield make
    for each in opened:
        each.close()


def programs():
    """Types of the BPF programs that this process holds open (proc(5), fdinfo)."""
    found = []
    for fd in Path("/proc/self/fd").iterdir():
        try:
            lines = Path("/proc/self/fdinfo", fd.name).read_text().splitlines()
        except FileNotFoundError:
            continue
        found += [line.split()[1] for line in lines if line.startswith("prog_type:")]
    return found


def stepwise(made):
    """A `colmet.node.jobs.job.Job` with steps in its cgroup, the directories below included."""
    for name in STEPS[1:]:
        step = made.path / name
        step.mkdir()
        for file in ("cpuset.cpus", "cpuset.mems"):
            (step / file).write_text((made.path / file).read_text())
    job = Job(str(made.number))
    part = Cgroup(str(made.path), directory_key(str(made.path)))
    part.directories = tuple(str(made.path / name).rstrip("/") for name in STEPS)
    job.parts = (part,)
    return job


def remove_steps(made):
    """Take the steps away, once their tasks are back in the job's own cgroup."""
    for name in STEPS[1:]:
        for tid in (made.path / name / "tasks").read_text().split():
            (made.path / "tasks").write_text(tid)
        (made.path / name).rmdir()


def test_both_ways_tell_the_same(root, open_account, tmp_path):
    made = root.job(31)
    job = stepwise(made)
    with load(made, tmp_path, 0.1, 1 << 20, 1 << 20, 1 << 20, 50, 4):
        moved = made.tasks()
        for place, tid in enumerate(moved):
            (made.path / STEPS[place % len(STEPS)] / "tasks").write_text(str(tid))
        one, two = (open_account(walk).read([job])[job] for walk in (True, False))
        remove_steps(made)
    assert one[0][0] == two[0][0] == len(moved) >= 4
    differing = [place for place, (ours, theirs) in enumerate(zip(one[0], two[0])) if ours != theirs]
    assert set(differing) <= set(AGED)


def test_where_the_kernel_can_only_followed_cgroups_are_visited(open_account):
    if tuple(map(int, platform.release().split("-")[0].split(".")[:2])) < (6, 8):
        pytest.skip("needs Linux 6.8: iterators of cgroups in BPF")
    before = programs()
    open_account(False)
    assert programs().count(SYSCALL) == before.count(SYSCALL)
    open_account(True)
    assert programs().count(SYSCALL) == before.count(SYSCALL) + 1


@pytest.mark.parametrize("walk", [True, False])
def test_what_a_process_used_before_it_was_moved_in_is_not_the_jobs(root, open_account, walk):
    made, account = root.job(33), open_account(walk)
    job = found(made)
    account.read([job])
    command = [sys.executable, "-S", "-E", "-c", MOVED] + list(map(str, (BEFORE, AFTER, THREADS)))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        outside = int(process.stdout.readline())
        for path in made.entries():
            (Path(path).parent / "cgroup.procs").write_text(str(process.pid))
        live, came = account.read([job])[job]
        process.stdin.write(b"\n")
        process.stdin.flush()
        truth = int(process.stdout.readline()) - outside
        lived = account.read([job])[job][1][RUNTIME]
        process.kill()
    used = made.cpu()       # its end included, which takes its time on a busy machine
    made.remove()
    runtime = account.read([])[job][1][RUNTIME]
    assert live[0] == THREADS + 1 and came[RUNTIME] <= truth
    assert truth - THREADS * TICK <= lived <= runtime <= used + TICK


def test_a_job_keeps_its_sums_though_the_directory_above_was_unknown_when_it_came(root, open_account):
    account = open_account(True)
    account.follow_root(str(root.path))
    user, path = root.path / "uid_5", root.path / "uid_5" / "job_32"
    jobs.make(user)
    jobs.make(path)         # the programs take it up by themselves, as a part of what is above it
    command = 'echo 0 > "$1/tasks"; for each in 1 2 3; do /bin/true; done; echo; read -r line'
    try:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(["sh", "-c", command, "sh", path], **pipes) as child:
            child.stdout.readline()
            job = Job("32")
            job.parts = (Cgroup(str(path), directory_key(str(path))),)
            account.follow_root(str(user))
            live, _ = account.read([job])[job]
            assert live[0] == 1
        jobs.remove(path)
        _, total = account.read([])[job]
    finally:
        jobs.remove(path)
        jobs.remove(user)
    sums = dict(zip((metric.name for metric in declared.TABLE.metrics), total))
    assert sums["processes_started"] == sums["processes_ended"] == 4
