"""What a meter of power says: the words that all of them share."""
from typing import NamedTuple, Optional

from colmet.node.backends import Unavailable

UW = 10 ** 6                # of a W, and uJ of a J
MOST_WATTS = 10 ** 6        # what says more is no meter of a node


class Absent(Unavailable):
    """There is no such meter on this machine."""


class Silent(Exception):
    """The meter gives no reading now; the text says why."""


class Reading(NamedTuple):
    """What a meter said at `at` (CLOCK_BOOTTIME, ns): `watts`, and `energy`, uJ that it counted since `since` (Unix
    time, ns). None where it does not tell."""
    watts: Optional[float]
    energy: Optional[int]
    since: Optional[int]
    at: int


class Counted:
    """The energy of one meter's counter, which may begin anew at any time, at any value."""

    def __init__(self):
        self._first = self._last = self._since = self._epoch = None

    def take(self, value, wall, epoch=None):
        """(uJ since, Unix time in ns since which) for `value` uJ of the counter, read at `wall`; (None, since) for
        None. A value below the one before, or another `epoch` of the meter, begins anew."""
        if value is None:
            return None, self._since
        if self._last is None or value < self._last or epoch != self._epoch:
            self._first, self._since, self._epoch = value, wall, epoch
        self._last = value
        return value - self._first, self._since


def plausible(watts):
    """`watts`, None where that cannot be a node's power or a part of it."""
    return watts if watts is not None and 0 <= watts < MOST_WATTS else None
