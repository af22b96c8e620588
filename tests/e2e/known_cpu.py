"""A job whose CPU time and processes are known. This file is also the program that runs in it:

    python known_cpu.py FOLDER ENTRIES KIND MS AT COUNT

enters the cgroups by writing to the files ENTRIES (joined by ":", that of the cgroup that counts CPU time last), writes
the CPU time in ns that it had before the last and after it, and burns COUNT times MS ms in processes, AT of them at a
time, in FOLDER; the program ``burn`` (burn.c) lies in the folder above. KIND:

    fork     children that end by _exit(2)
    exec     children that are a new program
    thread   one process, AT threads at a time
    daemon   processes that are left behind and wait for nobody; this one collects them (PR_SET_CHILD_SUBREAPER)
    late     none: this one, which burned OUTSIDE ms before it entered
    make     ``make -j AT``, whose recipes burn
"""
import ctypes
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

SUBREAPER = 36          # prctl(2)
SIDE_BY_SIDE = 6
OUTSIDE = 1000          # ms
BURN = "../burn"


class Shape(NamedTuple):
    """What a job does."""
    kind: str
    ms: int
    at: int
    count: int

    def processes(self):
        """How many there are, the first one included; None where it is not known."""
        return {"fork": 1 + self.count, "exec": 1 + self.count, "thread": 1, "late": 1,
                "daemon": 1 + 2 * self.count}.get(self.kind)


class Truth(NamedTuple):
    """What is true of a job that ended: CPU times in ns, page faults, bytes."""
    shape: Shape
    cpu: int        # that it used in the job, by wait4(2)
    before: int     # that its first process used before
    entry: int      # of `before`, what may have been used in the job
    counted: int    # by the kernel for the cgroup
    minflt: int     # by wait4(2), and of what came before the job too
    majflt: int
    rchar: int      # by proc(5), alike
    wchar: int


class Run:
    """`shape` in `job` (`jobs.Job`). `begin(words)` starts this file's `main` with these words, what it writes on its
    standard output in a pipe: (pid, file of the pipe)."""

    def __init__(self, job, shape, folder, begin=None):
        self.job, self.shape = job, shape
        self._pid, self._said = (begin or _program)([str(folder), ":".join(job.entries())] + list(map(str, shape)))

    def wait(self, lasting):
        """The Truth, after its end and `lasting` s more."""
        early, before = map(int, self._said.readline().split())
        self._said.close()
        os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOWAIT)
        time.sleep(lasting)
        lines = Path("/proc/%d/io" % self._pid).read_text().splitlines()        # the children's too, once waited for
        moved = {name: int(value) for name, value in (line.split(": ") for line in lines)}
        _, status, usage = os.wait4(self._pid, 0)
        assert status == 0, self.shape
        return Truth(self.shape, round((usage.ru_utime + usage.ru_stime) * 1e9) - before, before, before - early,
                     self.job.cpu(), usage.ru_minflt, usage.ru_majflt, moved["rchar"], moved["wchar"])


def _program(words):
    command = [sys.executable, "-S", "-E", __file__] + words
    reading, writing = os.pipe()
    pid = os.posix_spawn(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, writing, 1)])
    os.close(writing)
    return pid, os.fdopen(reading)


def remove(job):
    """Take its directories away, each as soon as the kernel lets go of it."""
    for path in job.paths:
        end = time.monotonic() + 30
        while path.exists():
            try:
                path.rmdir()
            except OSError:
                assert time.monotonic() < end, path


def run(root, shapes, folder, first, lasting, then=remove, begin=None):
    """Run the shapes as jobs `first` and up, some at a time, in `folder`: {id: Truth}. Each ends with `then(job)`,
    `lasting` s after the end of its last process."""
    done, running = {}, []

    def finish():
        each = running.pop(0)
        done[str(each.job.number)] = each.wait(lasting)
        then(each.job)

    for number, shape in enumerate(shapes, first):
        if len(running) == SIDE_BY_SIDE:
            finish()
        place = folder / str(number)
        place.mkdir()
        running.append(Run(root.job(number), shape, place, begin))
    while running:
        finish()
    return done


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


def main(folder, entries, kind, ms, at, count):
    """Enter, say so, work."""
    ms, at, count = int(ms), int(at), int(count)
    os.chdir(folder)
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    if kind == "late":
        burn(OUTSIDE)
    for path in entries.split(":"):
        fd = os.open(path, os.O_WRONLY)
        early = time.process_time_ns()
        os.write(fd, b"0")
        before = time.process_time_ns()
        os.close(fd)
    os.write(1, b"%d %d\n" % (early, before))
    if kind == "fork":
        many(lambda: fork(lambda: burn(ms)), at, count)
    elif kind == "exec":
        many(lambda: os.posix_spawn(BURN, [BURN, str(ms)], os.environ), at, count)
    elif kind == "thread":
        threads(ms, at, count)
    elif kind == "late":
        burn(ms * count)
    elif kind == "daemon":
        many(lambda: leave(ms), at, count)
    elif kind == "make":
        targets = " ".join("%d.done" % number for number in range(count))
        Path("Makefile").write_text("all: %s\n%%.done:\n\t@%s %d\n" % (targets, BURN, ms))
        subprocess.run(["make", "-s", "-j", str(at)], check=True)
    collect()


if __name__ == "__main__":
    main(*sys.argv[1:])
