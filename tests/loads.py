"""Processes of known load, for the tests that find the load back, and what else tests want of processes."""
import gc
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from e2e import workload
from e2e.programs import wait_for


class Process:
    """A job of one process, as sources see it."""
    parts = ()

    def __init__(self, pid, tids=()):
        self.id = str(pid)
        self.pid = pid
        self._tids = list(tids)

    def tasks(self):
        """Its threads, those that were given first."""
        return self._tids + sorted(int(name) for name in os.listdir("/proc/%d/task" % self.pid))

    def processes(self):
        """Itself."""
        return [self.pid]

    def fields(self, name):
        """/proc/PID/`name`, a file of lines "field: value", as {field: first word}."""
        lines = Path("/proc/%d/%s" % (self.pid, name)).read_text(encoding="ascii").splitlines()
        return {line.partition(":")[0]: (line.partition(":")[2].split() or [""])[0] for line in lines}

    def asleep(self):
        """Whether all its threads sleep."""
        stats = [Path("/proc/%d/task/%d/stat" % (self.pid, tid)).read_text() for tid in self.tasks()]
        return all(stat.rpartition(") ")[2].startswith("S") for stat in stats)

    def cpu(self):
        """CPU time in ns of its threads together, by the scheduler."""
        return sum(int(Path("/proc/%d/task/%d/schedstat" % (self.pid, tid)).read_text().split()[0])
                   for tid in self.tasks())


@contextmanager
def load(folder, seconds=0.0, pages=0, write=0, read=0, threads=1):
    """A Process that did this (``e2e/workload.py``), each thread for `seconds`, and sleeps; it ends with the block,
    and `usage` is what wait4(2) then said."""
    words = (folder, seconds * threads, 0, write, read, pages, threads)
    command = [sys.executable, "-S", workload.__file__] + [str(word) for word in words]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert child.stdout.readline() == b"ready\n"
        process = Process(child.pid)
        wait_for(process.asleep, 30, "sleep of the load")
        yield process
    finally:
        child.stdin.close()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = status
        child.stdout.close()
    process.usage = usage


def executable(path, text):
    """Make the program `path`. Another process writes it: one that a thread here starts at that moment would have the
    file open for writing too, and nobody could run it (ETXTBSY)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["install", "-m", "755", "/dev/stdin", str(path)], input=text.encode(), check=True)


def descriptors():
    """How many this process has open, those left out that nothing refers to any more."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def gone():
    """The id of a process that has ended."""
    child = subprocess.Popen(["true"])
    child.wait()
    return child.pid
