"""The clocks: ticks of several nodes fall together only where their wall clocks do."""
import ctypes

from colmet.node.checks import ON, PART, Finding

AREA = "clock"
_TIMEX_BYTES = 512          # more than struct timex has (adjtimex(2)); all zero: nothing is set
_UNSYNCHRONISED = 5         # TIME_ERROR


def clock(values):
    """A Finding on the wall clock."""
    state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    if 0 <= state < _UNSYNCHRONISED:
        yield Finding(AREA, "clock", ON, "synchronised", asked=False)
    elif state == _UNSYNCHRONISED:
        yield Finding(AREA, "clock", PART, "nothing synchronises it, as far as the kernel knows: ticks and times of "
                      "several nodes may differ", "run chrony, ntpd or systemd-timesyncd", asked=False)
    else:
        yield Finding(AREA, "clock", PART, "the kernel does not tell whether it is synchronised", asked=False)
