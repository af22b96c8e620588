"""Totals of a port that go on where its own counters begin anew."""
SPANS = (2 ** 32, 2 ** 56)      # at which counters begin anew: of old drivers, of Slingshot; those of 64 bits never do


class Traffic:
    """What `count` counters of a port told since `since` (Unix time in ns, None before the first): `totals`, each in
    its own unit."""

    def __init__(self, count):
        self.since, self.resets = None, 0
        self.totals, self._last = [0] * count, [None] * count

    def take(self, raw, now):
        """The totals with the counters `raw` (int, None where not known), read at the Unix time `now` (ns); None in the
        place of one not known now.

        A reset takes all counters with it, and what each tells then is new. One that falls from near its end while
        another grows began anew there. One that falls by less than half stepped back, as counters that are summed
        over CPUs do: it counts on from where it was.
        """
        self.since = self.since or now
        pairs = list(zip(raw, self._last))
        fell = {place for place, pair in enumerate(pairs) if None not in pair and pair[0] < pair[1]}
        grew = any(None not in pair and pair[0] > pair[1] for pair in pairs)
        wrapped = {place for place in fell if grew and _span(*pairs[place])}
        reset = any(2 * raw[place] < self._last[place] for place in fell - wrapped)
        self.resets += reset
        for place, (value, last) in enumerate(pairs):
            if value is None or place in fell and not (reset or place in wrapped):
                continue
            if place in wrapped:
                self.totals[place] += value + _span(value, last) - last
            elif last is not None:
                self.totals[place] += value if place in fell else value - last
            self._last[place] = value
        return [None if value is None else total for value, total in zip(raw, self.totals)]


def _span(value, last):
    """Where a counter that fell from `last` to `value` began anew: it was in the last quarter, and is in the first."""
    return next((span for span in SPANS if 3 * span // 4 <= last < span and value < span // 4), None)
