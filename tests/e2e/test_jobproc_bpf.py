"""jobproc by BPF against /proc/PID/io and status of the same processes, and against what these did."""
import os
import select
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import jobs
import pytest

from accounts import found
from colmet.common.metrics.jobproc import TABLE
from colmet.node import compiled
from colmet.node.backends import jobproc
from colmet.node.jobs.job import Cgroup, Job, directory_key
from colmet.node.jobs.processes import Process
from programs import wait_for
from workload import settle

pytest_plugins = ("harness",)
pytestmark = pytest.mark.root
NAMES = [metric.name for metric in TABLE.metrics]
COUNTERS = [place for place, metric in enumerate(TABLE.metrics) if metric.kind == "counter"]
HOLDS = """
import mmap, os, sys, threading, time
with open("/dev/zero", "rb", buffering=0) as zeros:
    threads = [threading.Thread(target=lambda: zeros.read(3 << 20)) for _ in range(3)]     # that end
    threads += [threading.Thread(target=time.sleep, args=(1000,), daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads[:3]:
        thread.join()
kept, shared = [], mmap.mmap(-1, 2 << 20)
shared.write(bytes(2 << 20))
for cpu in sorted(os.sched_getaffinity(0)):         # what each CPU keeps back of the counters of memory
    os.sched_setaffinity(0, [cpu])
    kept.append(bytearray(b"x" * (300 << 10)))
with open(sys.argv[1], "wb") as file:
    file.write(bytes(1 << 20))
    file.flush()
    os.fsync(file.fileno())
print("ready", flush=True)
sys.stdin.readline()
"""
THREADS = """
import os, sys, threading
null = os.open("/dev/null", os.O_WRONLY)
def work():
    for _ in range(10):
        os.write(null, b"x")
print("ready", flush=True)
for _ in range(int(sys.argv[1])):
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print("ready", flush=True)
sys.stdin.readline()
"""
LEADER_ENDS = """
import ctypes, threading, time
def stay():
    print("ready", flush=True)
    time.sleep(1000)
threading.Thread(target=stay).start()
ctypes.CDLL(None).pthread_exit(None)
"""


def started(job, program, *arguments):
    """A process of `job` that runs the text `program`, once it says that it is ready."""
    process = job.run(sys.executable, "-S", "-c", program, *arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    return process


def holding(job, path):
    """One that did all kinds of things, with the file `path`, and sleeps: nothing of it changes any more."""
    process = started(job, HOLDS, path)
    settle(process.pid)
    return process


def state(tid):
    """The letter of what it does, of proc(5)."""
    return Path("/proc/%d/stat" % tid).read_text().rpartition(") ")[2][0]


@contextmanager
def reading(root, reader="bpf"):
    """A function that gives {job: values} of jobs, with the backend opened for that reader."""
    source = jobproc.Backend(Path("/"), SimpleNamespace(tables=None, task_reader=reader,
                                                        cpuset_rootpath=[str(getattr(root, "path", root))]))
    if source.refused:
        pytest.skip("needs BPF: %s" % source.refused["bpf"])
    assert source.reader == reader
    try:
        yield lambda *of: {job: values for job, _, values in source.sample(of)[TABLE.name]}
    finally:
        source.close()


def test_both_readers_say_the_same_of_processes_that_sleep(root, tmp_path):
    made = [root.job(number) for number in (1, 2, 3)]
    for number, job in enumerate(made):
        for each in range(number):          # the first has no process
            holding(job, tmp_path / ("%d-%d" % (number, each)))
    of = [found(job) for job in made]
    with reading(root) as by_bpf, reading(root, "proc") as by_files:
        ours, theirs = by_bpf(*of), by_files(*of)
    assert ours == theirs and list(ours) == of[1:]
    values = dict(zip(NAMES, ours[of[2]]))
    assert values["rchar"] >= 2 * 9 << 20 and values["wchar"] >= 2 << 20
    assert values["RssShmem"] == 2 * 2 << 10 and values["VmSize"] > values["VmRSS"] > 2 * 1024


def test_what_threads_did_is_neither_lost_nor_twice_there_while_they_end(root):
    """Samples as fast as they come, while 4000 threads write and end."""
    job = root.job(1)
    of, before, samples, ended = found(job), [0] * len(NAMES), 0, False
    with reading(root) as by_bpf:
        process = started(job, THREADS, 1000)
        while not ended:
            ended = bool(select.select([process.stdout], [], [], 0)[0])     # then it waits, after all that it did
            values = by_bpf(of)[of]
            assert all(values[place] >= before[place] for place in COUNTERS), (before, values)
            before, samples = values, samples + 1
    assert samples > 20 and 40000 <= before[NAMES.index("syscw")] <= 40000 + 100


def test_a_process_whose_first_thread_ended_is_still_one(root):
    job = root.job(1)
    process = started(job, LEADER_ENDS)
    wait_for(lambda: {state(tid) for tid in job.tasks()} == {"S"} and state(process.pid) == "Z", 30,
             "end of its first thread")
    of = found(job)
    with reading(root) as by_bpf, reading(root, "proc") as by_files:
        assert by_bpf(of) == by_files(of) != {}


def test_directories_come_and_go_and_each_is_read_once(root, tmp_path):
    job = root.job(1)
    holding(job, tmp_path / "above")
    below = job.path / "step"
    jobs.make(below)
    process = holding(job, tmp_path / "below")
    (below / "cgroup.procs").write_text(str(process.pid))
    of = found(job)
    with reading(root) as by_bpf, reading(root, "proc") as by_files:
        first, [part] = by_files(of), of.parts
        assert by_bpf(of) == first
        part.directories = (str(job.path), str(below))
        both = by_files(of)
        assert by_bpf(of) == both and both[of][NAMES.index("VmSize")] > first[of][NAMES.index("VmSize")]
        other = Job("2")                    # it is the other's now
        other.parts = (Cgroup(str(below), directory_key(str(below))),)
        part.directories = (str(job.path),)
        assert by_bpf(other, of) == by_files(other, of) and by_bpf(of) == first and by_bpf() == {}
        assert by_bpf(other, of)[of] == first[of]
    (job.path / "cgroup.procs").write_text(str(process.pid))
    jobs.remove(below)


@pytest.fixture(name="unified")
def _unified(tmp_path):
    """A cgroup of version 2 with a threaded one, `threads`, in it."""
    mount, name = tmp_path / "unified", "colmet-test-%d" % os.getpid()
    mount.mkdir()
    subprocess.run(["mount", "-t", "cgroup2", "none", str(mount)], check=True)
    below = mount / name / "threads"
    try:
        below.mkdir(parents=True)
        (below / "cgroup.type").write_text("threaded")
        yield mount / name
    finally:
        for folder in (below, below.parent):
            jobs.remove(folder)
        subprocess.run(["umount", "--lazy", str(mount)], check=True)


def test_in_version_2_a_process_is_read_wherever_its_threads_are(root, unified, tmp_path):
    """With its first thread above, and then below, where the kernel lists no processes; another one is above."""
    made, of = root.job(1), Job("1")
    of.parts = (Cgroup(str(unified), directory_key(str(unified))),)
    of.parts[0].directories = (str(unified), str(unified / "threads"))
    both = [holding(made, tmp_path / "one"), holding(made, tmp_path / "other")]
    for process in both:
        (unified / "cgroup.procs").write_text(str(process.pid))
    with reading(unified) as by_bpf, reading(unified, "proc") as by_files:
        above = by_bpf(of)
        assert above == by_files(of) and above[of][NAMES.index("RssShmem")] == 2 * 2 << 10
        (unified / "threads" / "cgroup.threads").write_text(str(both[0].pid))
        assert by_bpf(of) == by_files(of) == above
    made.end()


def test_a_job_that_is_a_process_is_read_from_its_files_beside(root, tmp_path):
    job, of = root.job(1), Job("2")
    process = holding(job, tmp_path / "file")
    of.parts = (Process("/proc", process.pid),)
    with reading(root) as by_bpf:
        values = by_bpf(found(job), of)
    assert len(values) == 2 and values[of] in [values[each] for each in values if each is not of]


def test_jobs_for_which_there_is_no_room_are_read_from_their_files(root, tmp_path):
    made = root.job(1)
    holding(made, tmp_path / "file")
    most = compiled.load("_account").lib.PROCESSES_JOBS
    many = [found(made) for _ in range(most)]
    for each in many:
        each.parts = (Cgroup(str(root.path), directory_key(str(root.path))),)
    last = found(made)
    with reading(root) as by_bpf:
        values = by_bpf(*many, last)
        assert list(values) == [last]
    with reading(root, "proc") as by_files:
        assert by_files(last) == values


def test_programs_that_begin_others_all_the_time_do_no_harm(root):
    """exec(2) takes a process its memory away, and an end too: whatever the moment, no value is impossible."""
    job = root.job(1)
    of, end, seen = found(job), time.monotonic() + 3, 0
    job.run("sh", "-c", "while :; do sh -c 'exec true' & sh -c 'exec true'; wait; done", stderr=subprocess.DEVNULL)
    with reading(root) as by_bpf:
        while time.monotonic() < end:
            for values in by_bpf(of).values():
                row = dict(zip(NAMES, values))
                assert 0 <= row["RssShmem"] <= row["VmRSS"] < 1 << 20 and 0 <= row["VmSize"] < 1 << 20
                assert 0 <= row["rchar"] < 1 << 30
                seen += 1
    assert seen > 20 and os.path.exists(job.path)
