"""Loads that are seen in a graph: jobs of a given shape over time. This file is also the program that makes them:

    python shapes.py FOLDER SECONDS SHAPE

`STEPS` steps that last SECONDS together, then it says "done" and sleeps until its standard input is closed. SHAPE:

    solver   burns one CPU for the first half, then every fourth step not; holds `HELD` bytes more after each step, and
             writes an eighth of `PIECE`
    stager   writes `PIECE` bytes in each step, past the page cache, and in the second half reads them back
    builder  faults pages and asks to be taken off the CPU
"""
import mmap
import os
import sys
import time

STEPS = 40
HELD = 2 << 20
PIECE = 1 << 20


def burn(until):
    """Compute until a time of CLOCK_MONOTONIC."""
    while time.monotonic() < until:
        pass


def file(folder):
    """A new file of this process."""
    return os.open(os.path.join(folder, "shape.%d" % os.getpid()), os.O_RDWR | os.O_CREAT, 0o600)


def store(fd, size, place):
    """Write `size` bytes at `place`, to the disk and out of the page cache."""
    os.pwrite(fd, os.urandom(size), place)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)


class Solver:
    """Computes, and grows."""

    def __init__(self, folder):
        self.fd = file(folder)
        self.held = []

    def step(self, number, until):
        """A step of a simulation."""
        memory = mmap.mmap(-1, HELD)
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        for place in range(0, HELD, mmap.PAGESIZE):
            memory[place] = 1
        self.held.append(memory)
        store(self.fd, PIECE // 8, number * PIECE // 8)
        if number < STEPS // 2 or number % 4:
            burn(until)


class Stager:
    """Writes, then reads what it wrote."""

    def __init__(self, folder):
        self.fd = file(folder)

    def step(self, number, _):
        """Some checkpoint, or its return."""
        store(self.fd, PIECE, number * PIECE)
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
