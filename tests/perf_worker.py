"""A process that does what it is told in a cgroup, and what the kernel says it did. This file is also its program:

    python perf_worker.py ENTRY

enters the cgroup by writing to the file ENTRY, then for each line PAGES SECONDS SLEEPS of its standard input touches so
many new pages, burns so much CPU time, sleeps so many times, and says "done".
"""
import mmap
import os
import subprocess
import sys
import time
from pathlib import Path

from e2e.programs import wait_for
from loads import Process

TICK = 10 ** 9 // os.sysconf("SC_CLK_TCK")      # ns


class Worker(Process):
    """The process, in the cgroup whose directory is `path`; it sleeps until it gets work."""

    def __init__(self, path):
        command = [sys.executable, "-S", "-E", __file__, str(path / "cgroup.procs")]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        super().__init__(self._child.pid)
        self.before = int(self._child.stdout.readline())    # ns of CPU time when it had entered
        self.work()

    def work(self, pages=0, seconds=0.0, sleeps=0):
        """Have it done; it sleeps then."""
        self._child.stdin.write(b"%d %g %d\n" % (pages, seconds, sleeps))
        self._child.stdin.flush()
        assert self._child.stdout.readline() == b"done\n"
        wait_for(self.asleep, 60, "sleep of the job")

    def faults(self):
        """Its page faults: of both kinds (proc(5), /proc/PID/stat)."""
        fields = Path("/proc/%d/stat" % self.pid).read_text().rpartition(") ")[2].split()
        return int(fields[7]) + int(fields[9])

    def switches(self):
        """Its context switches."""
        fields = self.fields("status")
        return int(fields["voluntary_ctxt_switches"]) + int(fields["nonvoluntary_ctxt_switches"])

    def end(self):
        """Let it end; returns what wait4(2) says that it used, None when that was told before."""
        if self._child.returncode is not None:
            return None
        self._child.stdin.close()
        _, self._child.returncode, usage = os.wait4(self.pid, 0)
        self._child.stdout.close()
        return usage


def lost():
    """ns that all CPUs lost so far to interrupts and to other machines on the same host, in whole ticks (proc(5),
    /proc/stat): counters of time go on meanwhile, the CPU time of a task does not."""
    with open("/proc/stat") as file:
        _, _, _, _, _, _, irq, softirq, steal = file.readline().split()[:9]
    return (int(irq) + int(softirq) + int(steal)) * TICK


def _touch(pages):
    with mmap.mmap(-1, max(pages, 1) * mmap.PAGESIZE) as memory:
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        for page in range(pages):
            memory[page * mmap.PAGESIZE] = 1


def main(entry):
    """Enter, then do what the lines say."""
    Path(entry).write_text("0")
    os.write(1, b"%d\n" % time.process_time_ns())
    for line in sys.stdin.buffer:
        pages, seconds, sleeps = line.split()
        _touch(int(pages))
        end = time.process_time() + float(seconds)
        while time.process_time() < end:
            pass
        for _ in range(int(sleeps)):
            time.sleep(0.001)
        os.write(1, b"done\n")


if __name__ == "__main__":
    main(sys.argv[1])
