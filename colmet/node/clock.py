"""The two clocks of a node, and when its ticks fall. All times are ns."""
import time

SECOND = 10 ** 9


def boottime():
    """CLOCK_BOOTTIME: never set, never stopped, goes on while the machine sleeps (clock_gettime(2))."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def ticks_offset():
    """What to add to CLOCK_BOOTTIME to get the time whose multiples are ticks.

    Nodes boot at different moments, so multiples of CLOCK_BOOTTIME itself would not fall together: the wall
    clock says by how much to shift them. It is read once: when it is set later, ticks keep their pace."""
    return time.time_ns() - boottime()


def next_boundary(now, period, offset):
    """The first multiple of `period`, shifted by `offset`, after `now`."""
    return now + period - (now + offset) % period
