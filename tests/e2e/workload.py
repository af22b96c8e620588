"""A process of known load in a job, and what the kernel says it did. This file is also the program that does it:

    python workload.py FOLDER SECONDS MEMORY WRITE READ PAGES THREADS

Burns SECONDS of CPU time in THREADS threads together, writes WRITE and reads READ bytes of a file in FOLDER, maps
and touches MEMORY bytes and keeps them, faults PAGES further pages, says "ready" and waits for its standard input
to end.
"""
import mmap
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

PIECE = 1 << 16     # bytes of each call of read(2) and write(2)
SCHEDULER_TICK = 0.01       # s, the longest that a kernel has: user and system time are counted by samples so far apart


@contextmanager
def load(job, folder, seconds=0.0, memory=0, write=0, read=0, pages=0, threads=1):
    """The Popen of a process inside `job` (`jobs.Job`) that did this and sleeps as long as the block lasts; its
    attribute `usage` is then what wait4(2) said."""
    words = [str(word) for word in (folder, seconds, memory, write, read, pages, threads)]
    process = job.run(sys.executable, "-S", __file__, *words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"ready\n"
        settle(process.pid)
        yield process
    finally:
        process.stdin.close()
        if process.returncode is None:
            _, status, process.usage = os.wait4(process.pid, 0)
            process.returncode = status


def settle(pid, seconds=60):
    """Return when all threads of `pid` sleep and their CPU time stands still."""
    end, before = time.monotonic() + seconds, None
    while True:
        states = [(task / "stat").read_text().rpartition(") ")[2][0] for task in Path("/proc/%d/task" % pid).iterdir()]
        now = cpu([pid])
        if set(states) == {"S"} and now == before:
            return
        assert time.monotonic() < end, "process %d does not go to sleep" % pid
        before = now
        time.sleep(0.05)


def cpu(pids):
    """CPU time in ns of all threads of `pids`, by the scheduler (/proc/PID/task/TID/schedstat)."""
    return sum(int((task / "schedstat").read_text().split()[0])
               for pid in pids for task in Path("/proc/%d/task" % pid).iterdir())


def fields(pid, name):
    """/proc/PID/`name`, "io" or "status", as {field: first word, an int where it is one}."""
    found = {}
    for line in Path("/proc/%d/%s" % (pid, name)).read_text().splitlines():
        field, _, rest = line.partition(":")
        word = (rest.split() or [""])[0]
        found[field] = int(word) if word.isdigit() else word
    return found


def burn(seconds, burned, done):
    """One thread: `seconds` of CPU time, then sleep."""
    while time.thread_time() < seconds:
        pass
    burned.release()
    done.wait()


def touch(size):
    """`size` bytes of new memory, each page written to, none of them a huge one."""
    memory = mmap.mmap(-1, size)
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    for place in range(0, size, mmap.PAGESIZE):
        memory[place] = 1
    return memory


def transfer(folder, write, read):
    """Write and read a file in pieces."""
    fd = os.open(os.path.join(folder, "workload.%d" % os.getpid()), os.O_RDWR | os.O_CREAT, 0o600)
    for start in range(0, write, PIECE):
        os.write(fd, bytes(min(PIECE, write - start)))
    os.fsync(fd)
    for start in range(0, read, PIECE):
        os.pread(fd, min(PIECE, read - start), start)
    os.close(fd)


def main(folder, seconds, memory, write, read, pages, threads):
    """Do it, say so, wait."""
    burned, done = threading.Semaphore(0), threading.Event()
    each = float(seconds) / int(threads)
    others = [threading.Thread(target=burn, args=(each, burned, done)) for _ in range(int(threads) - 1)]
    for other in others:
        other.start()
    kept = touch(int(memory)) if int(memory) else None
    if int(pages):
        touch(int(pages) * mmap.PAGESIZE).close()
    transfer(folder, int(write), int(read))
    while time.process_time() < float(seconds):
        pass
    for other in others:
        burned.acquire()
    os.write(1, b"ready\n")
    sys.stdin.buffer.read()
    done.set()
    for other in others:
        other.join()
    return kept


if __name__ == "__main__":
    main(*sys.argv[1:])
