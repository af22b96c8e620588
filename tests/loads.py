"""Processes of known load, for the tests that find the load back: this file is also the program that makes it.

    python loads.py FOLDER SECONDS PAGES WRITE READ THREADS

burns SECONDS of CPU time in each of THREADS threads, touches PAGES new pages, writes WRITE bytes to a file in FOLDER
and reads READ bytes of it, says "ready" and sleeps until its standard input is closed.
"""
import gc
import mmap
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

PIECE = 1 << 16     # bytes of each call of read(2) and write(2)


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
    """A Process that has done this and sleeps; it ends with the block, and `usage` is what wait4(2) then said."""
    command = [sys.executable, "-S", __file__, str(folder)] + [str(n) for n in (seconds, pages, write, read, threads)]
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


def wait_for(condition, seconds, what):
    """Returns when `condition()` is true; fails after `seconds`, naming `what` did not happen."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "after %s s still no %s" % (seconds, what)
        time.sleep(0.01)


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


def _burn(seconds, burned, done):
    while time.thread_time() < seconds:
        pass
    burned.release()
    done.wait()


def _work(folder, pages, write, read):
    if pages:
        memory = mmap.mmap(-1, pages * mmap.PAGESIZE)
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        for page in range(pages):
            memory[page * mmap.PAGESIZE] = 1
        memory.close()
    fd = os.open(os.path.join(folder, "load.%d" % os.getpid()), os.O_RDWR | os.O_CREAT, 0o600)
    for start in range(0, write, PIECE):
        os.write(fd, bytes(min(PIECE, write - start)))
    os.fsync(fd)
    for start in range(0, read, PIECE):
        os.pread(fd, min(PIECE, read - start), start)
    os.close(fd)


def main(folder, seconds, pages, write, read, threads):
    """Do it, say so, sleep."""
    burned, done = threading.Semaphore(0), threading.Event()
    others = [threading.Thread(target=_burn, args=(float(seconds), burned, done)) for _ in range(int(threads) - 1)]
    for other in others:
        other.start()
    _work(folder, int(pages), int(write), int(read))
    while time.process_time() < float(seconds) * int(threads):
        pass
    for other in others:
        burned.acquire()
    os.write(1, b"ready\n")
    sys.stdin.buffer.read()
    done.set()
    for other in others:
        other.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
