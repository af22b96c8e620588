"""Stand-ins for meters that this machine has not: of the whole node, of GPUs, and of any part."""
from types import SimpleNamespace

from colmet.node.energy.meters import Gpus, Part, Whole
from colmet.node.rapl.zones import Reading


class Meter:
    """Parts set by hand: `parts` is {(name, kind): uJ or None}, counted since `since`."""

    def __init__(self, name, since=1, **parts):
        self.name, self.since, self.lacks, self.holders = name, since, {}, {}
        self.parts, self.closed = {Part(*key): value for key, value in parts.items()}, False

    def share(self, others):
        """Nothing is shared."""

    def read(self, jobs):
        return {part: Reading(self.since, energy) for part, energy in self.parts.items()}

    def close(self):
        self.closed = True


def meter(name, parts, since=1):
    """A `Meter` of {(name, kind): uJ}."""
    made = Meter(name, since)
    made.parts = {Part(*key): value for key, value in parts.items()}
    return made


class Cards:
    """GPUs as what reads them gives them: `cards` is {name: uJ or None}, `held` {name: jobs}."""

    def __init__(self, cards):
        self.cards, self.held, self.since = cards, {}, 5

    def read(self, jobs):
        return ({card: SimpleNamespace(since=self.since, energy=energy, watts=None)
                 for card, energy in self.cards.items()}, self.held)

    def close(self):
        """Nothing is held."""

    def opener(self):
        """For OPENERS."""
        return lambda root, options: Gpus(self)


class Powers:
    """Meters of the node as what reads them gives them, each a kind of its own: `said` is {name: (watts, energy, since,
    at)}, `asked` are those that were read."""

    def __init__(self, *whole):
        self.whole = self.kinds = whole
        self.said, self.asked = {}, set()

    def read(self, kinds, since):
        self.asked.update(kinds)
        return {name: SimpleNamespace(watts=watts, energy=energy, since=since, at=at)
                for name, (watts, energy, since, at) in self.said.items() if name in kinds}

    def close(self):
        """Nothing is held."""

    def opener(self, name):
        """For OPENERS."""
        return lambda root, options: Whole(self, name)
