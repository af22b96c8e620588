"""Idle power: what a part of the node draws while nothing runs on it. Declared (--idle-power), or else learned: the
least mean power over a stretch of half a minute in which it was at rest.

Nothing is concluded from a part that works: while it was never seen at rest, its idle power is not known, which is 0.
"""
from colmet.common.metrics.energy import KINDS
from colmet.node.clock import SECOND

STRETCH = 30 * SECOND       # ns: shorter ones are too rough, and a pause between two jobs is longer
AT_REST = 20                # at most a part in so many of its CPU time was used: 5 %
UNKNOWN, DECLARED, LEARNED = range(3)       # places in SOURCES of the declaration


class Idle:
    """`declared` is {kind: W}."""

    def __init__(self, declared=None):
        self._declared = dict(declared or {})
        self._least = {}            # {unit: W}
        self._stretch = {}          # {unit: (energy, elapsed, busy, capacity)}

    def power(self, unit):
        """W of the `unit` (`colmet.node.energy.meters.Part`), 0 where it is not known."""
        return self._declared.get(unit.kind, self._least.get(unit, 0))

    def source(self, unit):
        """Where that is from."""
        if unit.kind in self._declared:
            return DECLARED
        return LEARNED if unit in self._least else UNKNOWN

    def energy(self, unit, elapsed):
        """uJ that it takes in `elapsed` ns."""
        return int(self.power(unit) * elapsed / 1000)       # W ns are nJ

    def learn(self, unit, energy, elapsed, busy, capacity):
        """It took `energy` uJ in `elapsed` ns, in which `busy` of `capacity` (ns both) were used."""
        stretch = [sum(pair) for pair in zip(self._stretch.get(unit, (0, 0, 0, 0)), (energy, elapsed, busy, capacity))]
        if stretch[1] < STRETCH:
            self._stretch[unit] = stretch
            return
        self._stretch.pop(unit, None)
        energy, elapsed, busy, capacity = stretch
        if busy * AT_REST <= capacity:
            watts = energy * 1000 / elapsed
            self._least[unit] = min(watts, self._least.get(unit, watts))

    def begin_anew(self, units):
        """Forget the stretches that are under way, and all of the `units`, which are not what they were."""
        self._stretch.clear()
        for unit in units:
            self._least.pop(unit, None)


def declared(words):
    """{kind: W} of the words of --idle-power, "package=95.5"; raises ValueError, whose text says what is wrong."""
    found = {}
    for word in words:
        kind, _, watts = word.partition("=")
        if kind not in KINDS:
            raise ValueError("must be PART=WATTS, PART one of %s" % ", ".join(KINDS))
        try:
            found[kind] = float(watts)
        except ValueError:
            raise ValueError("must be PART=WATTS, such as %s=95.5" % kind) from None
        if not 0 <= found[kind] <= 10 ** 6:
            raise ValueError("must be from 0 to 1000000 W")
    return found


def fault(word):
    """A check of one word: "" or what is wrong with it."""
    try:
        declared((word,))
    except ValueError as error:
        return str(error)
    return ""
