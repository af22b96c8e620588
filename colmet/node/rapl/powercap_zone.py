"""The counter of one powercap zone: its file, which is kept open, and the energy that it told since then."""
import os

from colmet.node.rapl.zones import Reading
from colmet.node.sysfs import opened


class Counted:
    """The file `path` (text) of a zone whose counter begins anew at `span` uJ (None: not known) and takes `longest` ns
    to that at the greatest plausible power (None: not known). Raises OSError where it cannot be opened."""

    def __init__(self, path, span, longest):
        self.path, self.span, self.longest = path, span, longest
        self.total = self.wraps = self.since = 0
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._last = self._at = None        # uJ, ns: None where nothing is known from before
        self._known = False

    def descriptor(self):
        """The open file, -1 where there is none now: the zone went, and did not come back."""
        if self._fd < 0:
            self._fd, _ = opened(self.path)
        return self._fd

    def take(self, value, now, wall, slept):
        """Add what was used up to `value` uJ, read at `now` (CLOCK_BOOTTIME); the count begins anew, at `wall`, where
        its own counter may have begun anew more often than can be seen. Returns whether `value` makes sense."""
        self._known = value is not None and (self.span is None or value <= self.span)
        if not self._known:
            return False
        followed = self._last is not None and not slept and (self.longest is None or now - self._at < self.longest)
        fell = followed and value < self._last
        if not followed or fell and self.span is None:
            self.total, self.wraps, self.since = 0, 0, wall
        else:
            self.total += value - self._last + (self.span if fell else 0)
            self.wraps += fell
        self._last, self._at = value, now
        return True

    def fail(self, gone):
        """The file does not answer. Where the zone is `gone`, the next reading opens it again, and its count begins
        anew."""
        self._known = False
        if gone:
            self.close()
            self._last = None

    def reading(self):
        """The `Reading`."""
        return Reading(self.since, self.total if self._known else None, self.wraps, self.span)

    def close(self):
        """Closes the file."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1
