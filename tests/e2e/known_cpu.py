"""A job whose CPU time and processes are known. This file is also the program that runs in it:

    python known_cpu.py TASKS KIND MS AT COUNT

enters the cgroups whose tasks files are TASKS (joined by ":", that of cpuacct last), writes the CPU time in ns that it
had by then, and burns COUNT times MS ms in processes, AT of them at a time. KIND:

    fork     children that end by _exit(2)
    exec     children that are a new Python
    thread   one process, AT threads at a time
    daemon   processes that are left behind and wait for nobody; this one collects them (PR_SET_CHILD_SUBREAPER)
    make     ``make -j AT`` in the current folder, whose recipes burn
"""
import ctypes
import os
import subprocess
import sys
import threading
import time
from typing import NamedTuple

SUBREAPER = 36          # prctl(2)
BURN = "import time\nend = time.process_time() + %s / 1000\nwhile time.process_time() < end: pass"


class Shape(NamedTuple):
    """What a job does."""
    kind: str
    ms: int
    at: int
    count: int

    def processes(self):
        """How many there are, the first one included; None where it is not known."""
        return {"fork": 1 + self.count, "exec": 1 + self.count, "thread": 1,
                "daemon": 1 + 2 * self.count}.get(self.kind)


class Run:
    """`shape` in `job` (`jobs.Job`)."""

    def __init__(self, job, shape, folder):
        tasks = [str(path / "tasks") for path in job.paths]
        tasks.sort(key=lambda path: "cpuacct" in path)
        self.job, self.shape = job, shape
        command = [sys.executable, "-S", "-E", __file__, ":".join(tasks)] + list(map(str, shape))
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=str(folder))
        self.before = self.cpu = self.counted = 0

    def wait(self, lasting):
        """Wait for its end, and `lasting` s more. `cpu` is then what it used in the job, `before` what before, by
        wait4(2), `counted` what the kernel counted for the cgroup, in ns."""
        self.before = int(self.process.stdout.readline())
        _, status, usage = reap(os.P_PID, self.process.pid, lasting)
        self.process.returncode = status
        self.process.stdout.close()
        assert status == 0, self.shape
        self.cpu = round((usage.ru_utime + usage.ru_stime) * 1e9) - self.before
        self.counted = self.job.read("cpuacct", "cpuacct.usage")


def reap(kind, pid, pause=0.01):
    """wait4(2) for one process (waitid(2)), `pause` s after its end: who asks at once does not learn of all its CPU
    time, for up to a tick of the scheduler is added only when it has left its CPU."""
    ended = os.waitid(kind, pid, os.WEXITED | os.WNOWAIT).si_pid
    time.sleep(pause)
    return os.wait4(ended, 0)


def burn(ms, clock=time.process_time):
    """Compute for that long."""
    end = clock() + ms / 1000
    while clock() < end:
        pass


def fork(work):
    """A child that does `work` and ends."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    return child


def leave(ms):
    """A process that is nobody's child and burns."""
    reap(os.P_PID, fork(lambda: fork(lambda: burn(ms))))


def many(start, at, count):
    """`count` children by `start()`, `at` of them at a time."""
    for number in range(count):
        if number >= at:
            reap(os.P_ALL, 0)
        start()


def collect():
    """Wait for all children, those left behind too."""
    while True:
        try:
            reap(os.P_ALL, 0)
        except ChildProcessError:
            return


def threads(ms, at, count):
    """One process: `count` threads, `at` of them at a time."""
    for _ in range(count // at):
        running = [threading.Thread(target=burn, args=(ms, time.thread_time)) for _ in range(at)]
        for each in running:
            each.start()
        for each in running:
            each.join()


def main(tasks, kind, ms, at, count):
    """Enter, say so, work."""
    ms, at, count = int(ms), int(at), int(count)
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    for path in tasks.split(":"):
        fd = os.open(path, os.O_WRONLY)
        os.write(fd, b"0")
        before = time.process_time_ns()
        os.close(fd)
    os.write(1, b"%d\n" % before)
    command = [sys.executable, "-S", "-E", "-c", BURN % ms]
    if kind == "fork":
        many(lambda: fork(lambda: burn(ms)), at, count)
    elif kind == "exec":
        many(lambda: os.posix_spawn(command[0], command, os.environ), at, count)
    elif kind == "thread":
        threads(ms, at, count)
    elif kind == "daemon":
        many(lambda: leave(ms), at, count)
    elif kind == "make":
        with open("Makefile", "w") as file:
            file.write("all: %s\n%%.done:\n\t@%s -S -E burn.py\n" % (
                " ".join("%d.done" % number for number in range(count)), sys.executable))
        with open("burn.py", "w") as file:
            file.write(BURN % ms)
        subprocess.run(["make", "-s", "-j", str(at)], check=True)
    collect()


if __name__ == "__main__":
    main(*sys.argv[1:])
