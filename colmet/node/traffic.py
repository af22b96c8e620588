"""Totals of a port that go on where its own counters begin anew."""
from colmet.node.ports import LIMIT32


class Traffic:
    """What went through one port since `since` (Unix time, ns); `totals` are in the units of its counters."""

    def __init__(self, since):
        self.since, self.resets = since, 0
        self.totals, self._last = [0] * 4, [None] * 4

    def take(self, raw):
        """The totals with the four counters `raw`; None in the place of one that is not known now.

        Counters that fall together were reset, and count from 0; one that falls alone, from below 2^32, has wrapped.
        """
        pairs = [(now, last) for now, last in zip(raw, self._last) if now is not None and last]
        reset = bool(pairs) and all(now < last for now, last in pairs)
        fell = any(now < last for now, last in pairs)
        self.resets += reset or fell and any(now < last and last >= LIMIT32 for now, last in pairs)
        for place, now in enumerate(raw):
            if now is not None:
                self.totals[place] += _used(now, self._last[place], reset)
                self._last[place] = now
        return [None if now is None else total for now, total in zip(raw, self.totals)]


def _used(now, last, reset):
    if last is None:
        return 0
    if now >= last:
        return now - last
    return now if reset or last >= LIMIT32 else now + LIMIT32 - last
