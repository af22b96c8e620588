"""What counts energy on this machine, all by one interface:

    name            one of `colmet.common.metrics.energy.METERS`
    read(jobs)      {`Part`: `Reading`} of all parts that it knows; an energy of None is one that does not answer now.
                    It does not wait for what may hang: that has a thread, and the latest of it is given
    holders         of GPUs, as of the last `read`: {name of the part: the jobs that hold it}
    lacks           {what it cannot read: "why; what to do"}
    share(others)   before each reading: {name: backend} of the sources that are open. What one of them reads anyway is
                    not asked twice in a tick
    close()         frees what it holds

`OPENERS` make them, as opener(root, options), and raise Unavailable. Where two count parts of one kind, those of the
one that comes first there count.
"""
from typing import NamedTuple

from colmet.node.backends import Unavailable
from colmet.node.clock import SECOND, boottime, clock
from colmet.node.gpu.energy import Energy
from colmet.node.gpu.gpus import Gpus as GpusOfNode
from colmet.node.power import meters as power
from colmet.node.rapl import zones
from colmet.node.rapl.followed import Followed
from colmet.node.rapl.zones import Reading

PACKAGE, DRAM, GPU, OTHER = "package", "dram", "gpu", "other"       # kinds: those of the table `energy`,
WHOLE = "whole"             # and all of the node, whatever else counts inside it; OTHER is what that leaves
NONE_THERE = "nothing here counts energy: no zone of RAPL, no GPU, no meter of the whole node; see rapl, gpu and " \
             "power in what colmet-node check tells"
RECENT = SECOND // 50       # ns: what a source read in the same tick is younger
LONGEST = 60 * SECOND       # ns between two readings of a power, from which on it is not added up over the gap


class Part(NamedTuple):
    """Something whose energy is counted: its `name` tells it from others of its `kind`, "" for all of them."""
    name: str
    kind: str


class Shared:
    """`it` is one's own `colmet.node.held.Held`, or that of a source which is there from the first reading on: each
    change begins all anew. `alike` is the name of what they have in common where one may stand for the other."""

    def __init__(self, own, alike):
        self.it, self._alike, self._began, self._theirs = own, alike, False, False

    def offer(self, theirs):
        """Before each reading: that of the source, or None."""
        if theirs and not self._began and getattr(theirs, self._alike) == getattr(self.it, self._alike):
            self.it.close()
            self.it, self._theirs = theirs.hold(), True
        self._began = True

    def since(self, now):
        """From when on what the source read is as good as a reading at `now` (CLOCK_BOOTTIME, ns); None where it is
        one's own."""
        return now - RECENT if self._theirs else None


class Rapl:
    """The zones of the processors below `root` of which none is inside another. One that is not of a package is all
    there is: of the platform the node, of a core the packages."""

    def __init__(self, root, options):
        own = Followed(root, clock)
        self.name, self.lacks, self.holders = own.name, own.lacks, {}
        summed = zones.summed(own.zones)
        self._parts = {zone: Part(zone.name, KIND_OF.get(zone.kind, PACKAGE)) for zone in own.zones
                       if zone.name in summed}
        self._followed = Shared(own, "zones")

    def share(self, others):
        """Those of the source rapl."""
        self._followed.offer(getattr(others.get("rapl"), "zones", None))

    def read(self, jobs):
        """Their readings."""
        found = self._followed.it.read(self._followed.since(clock()[0]))
        return {part: found[zone] for zone, part in self._parts.items()}

    def close(self):
        """Ends their thread."""
        self._followed.it.close()


KIND_OF = {zones.DRAM: DRAM, zones.PSYS: WHOLE}


class Gpus:
    """GPUs: `energy.read(jobs)` gives ({card: (since, energy, ...)}, {card: jobs that hold it}), of which the latest is
    given, without waiting. `shared` (`colmet.node.gpu.gpus.Gpus`, or None): one that a source reads anyway goes first,
    as long as it does, so that no driver is asked twice."""

    name = GPU

    def __init__(self, energy):
        self._energy, self.lacks, self.holders = energy, {}, {}
        self.shared = self._taken = self._left = None
        self._since = 0                 # when `_taken` was taken up (CLOCK_BOOTTIME, ns)

    def share(self, others):
        """Those of the source gpu."""
        self.shared = getattr(others.get("gpu"), "gpus", None)

    def read(self, jobs):
        """Their readings."""
        spent, self.holders = self.shared.latest if self._is_shared() else self._energy.read(jobs)
        return {Part(card, GPU): Reading(each.since, each.energy) for card, each in spent.items()}

    def close(self):
        """Ends it."""
        self._energy.close()

    def _is_shared(self):
        """Whether `shared` is read; one that once was not is left for good, for each change begins all anew."""
        if self.shared is not self._taken:
            self._taken, self._since = self.shared, boottime()
        if self.shared in (None, self._left):
            return False
        if boottime() - max(self.shared.read_at or 0, self._since) > LONGEST:
            self._left = self.shared
        return self.shared is not self._left


class Whole:
    """Meters of the whole node, called `name`: those of `meters.whole` (names, the best first); `meters.read(kinds,
    since)` gives of some of `meters.kinds` (the best first) {name: reading} with `watts`, `energy` (uJ) counted since
    its own `since`, each None where it is not told, and `at` (CLOCK_BOOTTIME). Where it tells the power alone, that is
    added up from reading to reading."""

    def __init__(self, meters, name):
        self._meters, self.name, self.lacks, self.holders = Shared(meters, "whole"), name, {}, {}
        self._sums = {}             # {name: (since, nJ, watts, at)}

    def share(self, others):
        """Those of the source power."""
        self._meters.offer(getattr(others.get("power"), "meters", None))

    def read(self, jobs):
        """Their readings. Where one answers, worse kinds are not asked: only one counts, and some take their time."""
        meters, found, wall = self._meters.it, {}, clock()[2]
        for kind in meters.kinds:
            found.update(meters.read((kind,), self._meters.since(boottime())))
            if any(_tells(found.get(name)) for name in meters.whole):
                break
        return {Part(name, WHOLE): self._reading(name, found.get(name), wall) for name in meters.whole}

    def close(self):
        """Closes them."""
        self._meters.it.close()

    def _reading(self, name, said, wall):
        if said is not None and said.energy is not None:
            return Reading(said.since, said.energy)
        since, used, before, at = self._sums.get(name, (wall, 0, None, 0))
        if said is None or said.watts is None:
            return Reading(since, None)
        if before is None or not 0 <= said.at - at <= LONGEST:
            since, used = wall, 0
        else:
            used += int((before + said.watts) / 2 * (said.at - at))
        self._sums[name] = since, used, said.watts, said.at
        return Reading(since, used // 1000)


def _tells(said):
    return said is not None and (said.energy is not None or said.watts is not None)


def gpus(root, options):
    """The cards of all vendors. Raises Unavailable."""
    return Gpus(Energy(GpusOfNode(root)))


def whole(root, options):
    """Meters of power, by what `colmet.node.power.options` says. Raises Unavailable."""
    found = power.Meters(root, options)
    if not found.whole:
        found.close()
        raise Unavailable("no meter of power measures the whole node")
    return Whole(found, "cray" if found.kinds[0] == power.CRAY else "bmc")


OPENERS = (Rapl, gpus, whole)


def opened(root, options):
    """The meters that this machine has, the best first. Raises Unavailable where there is none."""
    found = []
    for opener in OPENERS:
        try:
            found.append(opener(root, options))
        except Unavailable:
            pass                    # the sources of the same name tell why
    if not found:
        raise Unavailable(NONE_THERE)
    return found
