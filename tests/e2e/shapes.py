"""Loads that are seen in a graph: jobs of a given shape over time. This file is also the program that makes them:

    python shapes.py FOLDER SECONDS SHAPE

`STEPS` steps that last SECONDS together, then it says "done" and sleeps until its standard input is closed. SHAPE:

    solver   burns one CPU for the first half, then every other step; holds `HELD` bytes more after each step
    stager   writes `PIECE` bytes in each step, past the page cache, and in the second half reads them back
    builder  faults pages and asks to be taken off the CPU
"""
import mmap
import os
import sys
import time

STEPS = 20
HELD = 4 << 20
PIECE = 2 << 20


def burn(until):
    """Compute until a time of CLOCK_MONOTONIC."""
    while time.monotonic() < until:
        pass


class Solver:
    """Computes, and grows."""

    def __init__(self, _):
        self.held = []

    def step(self, number, until):
        """A step of a simulation."""
        memory = mmap.mmap(-1, HELD)
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        for place in range(0, HELD, mmap.PAGESIZE):
            memory[place] = 1
        self.held.append(memory)
        if number < STEPS // 2 or number % 2:
            burn(until)


class Stager:
    """Writes, then reads what it wrote."""

    def __init__(self, folder):
        self.fd = os.open(os.path.join(folder, "stager.%d" % os.getpid()), os.O_RDWR | os.O_CREAT, 0o600)

    def step(self, number, _):
        """Some checkpoint, or its return."""
        os.pwrite(self.fd, os.urandom(PIECE), number * PIECE)
        os.fsync(self.fd)
        os.posix_fadvise(self.fd, 0, 0, os.POSIX_FADV_DONTNEED)
        if number >= STEPS // 2:
            for place in (2 * (number - STEPS // 2), 2 * (number - STEPS // 2) + 1):
                os.pread(self.fd, PIECE, place * PIECE)


class Builder:
    """Touches much for a short time."""

    def __init__(self, _):
        """Nothing to make ready."""

    def step(self, number, _):
        """One compilation unit, more and more of them."""
        for _ in range(1 + number):
            memory = mmap.mmap(-1, 256 * mmap.PAGESIZE)
            memory.madvise(mmap.MADV_NOHUGEPAGE)
            for place in range(0, len(memory), mmap.PAGESIZE):
                memory[place] = 1
            memory.close()
            time.sleep(0.001)


def main(folder, seconds, shape):
    """All steps, then sleep."""
    load = {"solver": Solver, "stager": Stager, "builder": Builder}[shape](folder)
    begin, each = time.monotonic(), float(seconds) / STEPS
    for number in range(STEPS):
        until = begin + (number + 1) * each
        load.step(number, until)
        time.sleep(max(0, until - time.monotonic()))
    os.write(1, b"done\n")
    sys.stdin.buffer.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
