"""The two clocks of a node, and when its ticks fall. All times are ns."""
import time

SECOND = 10 ** 9
MS = 10 ** 6


def boottime():
    """CLOCK_BOOTTIME: never set, never stopped, goes on while the machine sleeps (clock_gettime(2))."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def clock():
    """(CLOCK_BOOTTIME, how much of it the machine slept, Unix time)."""
    now = boottime()
    return now, now - time.monotonic_ns(), time.time_ns()


def ticks_offset():
    """What to add to CLOCK_BOOTTIME to get the time whose multiples are ticks.

    Nodes boot at different moments, so multiples of CLOCK_BOOTTIME itself would not fall together: the wall
    clock says by how much to shift them. It is read once: when it is set later, ticks keep their pace."""
    return time.time_ns() - boottime()


def next_boundary(now, period, offset):
    """The first multiple of `period`, shifted by `offset`, after `now`."""
    return now + period - (now + offset) % period


class Meter:
    """What a thread spends, from one `lap` to the next. A lap costs a few us, as the kernel brings the thread's
    CPU time up to date for it: one reading ends a lap and begins the other."""

    def __init__(self):
        self._wall, self._cpu = time.monotonic_ns(), time.thread_time_ns()

    def lap(self):
        """(wall, CPU) spent since the lap before."""
        wall, cpu = time.monotonic_ns(), time.thread_time_ns()
        spent = wall - self._wall, cpu - self._cpu
        self._wall, self._cpu = wall, cpu
        return spent
