"""Jobs in a guest: cgroups of version 2 with processes of known load in them, and what the kernel says these did.

Nothing is started by exec: Python takes seconds to start in a guest without KVM, and a fork of this process does not.
"""
import json
import mmap
import os
import threading
import time
from pathlib import Path

TOP = Path("/sys/fs/cgroup")
CONTROLLERS = ("cpuset", "cpu", "io", "memory", "pids")
FILES = ("cpu.stat", "memory.current", "memory.peak", "memory.max", "memory.stat", "memory.swap.current",
         "memory.events", "io.stat", "pids.current", "pids.peak", "pids.max", "cpu.pressure", "memory.pressure",
         "io.pressure")
DISK = "/dev/nvme0n1"
PIECE = 1 << 16         # bytes of each read and write
FROM_ZERO = 12345       # bytes that each of `children` reads


class Cgroup:
    """The cgroup `name` (below `TOP`); processes enter its cgroup `leaf`, "" for itself. Of its `number` are the names.
    `controllers` count what is done in it, where not all do so for what is above it."""

    def __init__(self, number, name, leaf="", controllers=CONTROLLERS):
        self.number, self.path = number, TOP / name
        self._leaf = self.path / leaf
        _make(self._leaf, controllers)
        self.paths = [self._leaf] + [path for path in self._leaf.parents if path.is_relative_to(self.path)]

    def entries(self):
        """Paths of the files by which a process enters."""
        return [str(self._leaf / "cgroup.procs")]

    def cpu(self):
        """CPU time in ns that the kernel counted for it."""
        words = (self.path / "cpu.stat").read_text().split()
        return int(words[words.index("usage_usec") + 1]) * 1000

    def counters(self):
        """What it says: texts of files, the time, and whether it has processes. Its CPU time may grow by a scheduler's
        tick after its last process was waited for, as that leaves its CPU for the last time."""
        texts = {name: (self.path / name).read_text() for name in FILES if (self.path / name).exists()}
        return dict(texts, time=time.time_ns(), populated="populated 1" in (self.path / "cgroup.events").read_text())

    def remove(self):
        """Remove its directories, as its scheduler does."""
        for path in self.paths:
            path.rmdir()


class Job(Cgroup):
    """With a process in it, which bears `title` before it enters if there is one. It does ``work(*arguments)``, says so
    and waits to be told to end."""

    def __init__(self, place, title, work, *arguments):
        super().__init__(*place)
        self._said, saying = os.pipe()
        waiting, self._hold = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._hold)
            if title:
                bear(title)
            (self._leaf / "cgroup.procs").write_text("0")
            entered = time.process_time_ns()
            kept = work(*arguments)         # memory that is to be held
            os.write(saying, b"%d\n" % entered)
            os.read(waiting, 1)
            del kept
            os._exit(0)
        os.close(saying)
        os.close(waiting)

    def ready(self):
        """Wait until the work is done."""
        said = os.read(self._said, 64)
        assert said, "the work of %s failed" % self.path
        self._entered = int(said)

    def live(self):
        """What the kernel says: the numbers of /proc/PID/io, to which those of ended children were added, and the sums
        of its threads', without; its page faults; and the time."""
        process = Path("/proc", str(self.pid))
        threads = [_numbers(task / "io") for task in (process / "task").iterdir()]
        return {"process": _numbers(process / "io"), "ready": time.time_ns(),
                "tasks": {name: sum(each[name] for each in threads) for name in threads[0]},
                "minflt": int((process / "stat").read_text().rpartition(") ")[2].split()[7])}

    def end(self):
        """End it: what wait4(2) says then."""
        before = time.time_ns()
        os.write(self._hold, b".")         # not closed: later jobs have it too
        _, status, usage = os.wait4(self.pid, 0)
        os.close(self._hold)
        os.close(self._said)
        assert status == 0, (self.path, status)
        cpu = int((usage.ru_utime + usage.ru_stime) * 1e9) - self._entered
        return {"cpu": cpu, "minflt": usage.ru_minflt, "nvcsw": usage.ru_nvcsw, "maxrss": usage.ru_maxrss << 10,
                "end": [before, time.time_ns()]}


def _make(path, controllers):
    """Make `path`, and let these count what is done in it."""
    for above in reversed(path.relative_to(TOP).parents):
        (TOP / above).mkdir(exist_ok=True)
        for controller in controllers:
            (TOP / above / "cgroup.subtree_control").write_text("+" + controller)
    path.mkdir()


def _numbers(path):
    """{name: number} of lines "name: number"."""
    return {name: int(value) for name, value in (line.split(": ") for line in path.read_text().splitlines())}


def burn(seconds, threads):
    """`seconds` of CPU time in each of `threads` threads, which stay."""
    burned = threading.Semaphore(0)

    def one():
        end = time.thread_time() + seconds
        while time.thread_time() < end:
            pass
        burned.release()

    def other():
        one()
        threading.Event().wait()

    for _ in range(threads - 1):
        threading.Thread(target=other, daemon=True).start()
    one()
    for _ in range(threads):
        burned.acquire()


def children(count):
    """`count` short processes, one after the other."""
    for _ in range(count):
        child = os.fork()
        if child == 0:
            os.read(os.open("/dev/zero", os.O_RDONLY), FROM_ZERO)
            os._exit(0)
        os.waitpid(child, 0)


def transfer(write, read):
    """Write and read these bytes of the disk, past the cache."""
    piece = mmap.mmap(-1, PIECE)
    disk = os.open(DISK, os.O_RDWR | os.O_DIRECT)
    for place in range(0, write, PIECE):
        os.pwrite(disk, piece, place)
    for place in range(0, read, PIECE):
        os.preadv(disk, [piece], place)
    os.close(disk)


def touch(size):
    """`size` bytes of new memory, each page written to, and given back; half as much is kept."""
    for each in (size, size // 2):
        memory = mmap.mmap(-1, each)
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        for place in range(0, each, mmap.PAGESIZE):
            memory[place] = 1
        if each == size:
            memory.close()
    return memory


def bear(title):
    """Put `title` in the place of the command line (proc(5), arg_start in stat), as slurmstepd does."""
    fields = Path("/proc/self/stat").read_text().rpartition(") ")[2].split()
    start, end = int(fields[45]), int(fields[46])
    with open("/proc/self/mem", "r+b", buffering=0) as memory:
        memory.seek(start)
        memory.write(title.encode().ljust(end - start, b"\0"))


def save(name, found):
    """Hand `found` over as a file of JSON."""
    Path("/out", name).write_text(json.dumps(found))
