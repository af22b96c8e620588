"""Who used the energy that the meters counted: the totals of jobs, of what is no job's, and of the node, since one set
of meters counts. No I/O: what was counted and what was used come in, rows go out.

What runs meanwhile is added up for each unit (the packages, the memory, each GPU, the rest) until its meter has counted
something: then that is divided, and it begins anew. So a meter may be slow, or silent for a while.
"""
from colmet.common.metrics.energy import IDLE, JOBS, KINDS, METERS, NODE, OF_JOB, UNALLOCATED
from colmet.node.energy import meters, split
from colmet.node.energy.idle import UNKNOWN
from colmet.node.energy.meters import GPU, OTHER, Part

CELLS = 2 * len(KINDS)          # of the totals of one owner: dynamic and static of each kind
REST = Part("", OTHER)          # the unit that is what the meter of the whole node counts beside all others


class Waiting:
    """What was used of one unit since its energy was divided last."""

    def __init__(self):
        self.work, self.room = {UNALLOCATED: 0}, {IDLE: 0}
        self.elapsed = self.busy = self.capacity = 0

    def add(self, work, room, elapsed, busy, capacity):
        """Weights of one interval."""
        for mine, more in ((self.work, work), (self.room, room)):
            for owner, weight in more.items():
                mine[owner] = mine.get(owner, 0) + weight
        self.elapsed, self.busy, self.capacity = self.elapsed + elapsed, self.busy + busy, self.capacity + capacity

    def leave(self, job):
        """The job gets no more rows: what comes too late for it is of no job."""
        self.work[UNALLOCATED] += self.work.pop(job, 0)
        self.room[IDLE] += self.room.pop(job, 0)


class Division:
    """`parts` are what is counted from `since` (Unix time, ns) on, by the meters named `used`; `idle` is a
    `colmet.node.energy.idle.Idle`."""

    def __init__(self, parts, used, since, idle):
        self._idle, self._since = idle, since
        self._source = sum(METERS[name] for name in used)
        self._whole = any(part.kind == meters.WHOLE for part in parts)
        units = {unit(part) for part in parts if part.kind != meters.WHOLE}
        self._ahead = dict.fromkeys(units, 0)       # uJ that each counted and the meter of the whole node not yet
        self._waiting = {each: Waiting() for each in sorted(units | ({REST} if self._whole else set()))}
        self._totals = {owner: [0] * CELLS for owner in (NODE, JOBS, UNALLOCATED, IDLE)}
        self._jobs = {}                             # {job: (since, totals)}
        self._there = [KINDS[place // 2] in {each.kind for each in self._waiting} for place in range(CELLS)]
        self._method = None

    def add(self, grown, interval, holders):
        """The meters counted {part: uJ} while what `interval` (`colmet.node.energy.use.Interval`) says was used;
        `holders` are {name of a GPU: jobs that hold it}."""
        self._method = interval.method
        energies = self._energies(grown)
        for each, waiting in self._waiting.items():
            waiting.add(*self._used(each, interval, holders))
            energy = energies.get(each, 0)
            if energy:
                static = self._idle.energy(each, waiting.elapsed)
                self._give(each, *split.divide(energy, static, waiting.work, waiting.room))
                self._idle.learn(each, energy, waiting.elapsed, waiting.busy, waiting.capacity)
                self._waiting[each] = Waiting()

    def rows(self, jobs):
        """[(job or None, owner, values)] of `jobs`, then of the node."""
        ahead, power = sum(self._ahead.values()), sum(map(self._idle.power, self._waiting))
        known = min(map(self._idle.source, self._waiting), default=UNKNOWN)
        found = [(job, OF_JOB, *self._of(job)) for job in jobs]
        found += [(None, owner, self._since, totals) for owner, totals in self._totals.items()]
        return [(job, owner, [since, sum(totals)] + [total if there else None
                                                     for total, there in zip(totals, self._there)]
                 + [ahead, power if owner == NODE else None, known, self._method, self._source])
                for job, owner, since, totals in found]

    def leave(self, job):
        """It gets no more rows."""
        self._jobs.pop(job, None)
        for waiting in self._waiting.values():
            waiting.leave(job)

    def _energies(self, grown):
        """{unit: uJ that is to be divided now}."""
        inner = dict.fromkeys(self._ahead, 0)
        for part, energy in grown.items():
            if part.kind != meters.WHOLE:
                inner[unit(part)] += energy
        if not self._whole:
            return inner
        whole = sum(energy for part, energy in grown.items() if part.kind == meters.WHOLE)
        counted = {each: energy + self._ahead[each] for each, energy in inner.items()}
        taken, rest = split.inside(whole, counted)
        self._ahead = {each: energy - taken[each] for each, energy in counted.items()}
        return {**taken, REST: rest}

    @staticmethod
    def _used(each, interval, holders):
        """(work, room, elapsed, busy, capacity) of one unit: a GPU's is that of the jobs that hold it, in equal
        parts."""
        elapsed = interval.elapsed
        if each.kind != GPU:
            return interval.work, interval.room, elapsed, interval.busy, interval.capacity
        held = split.apportion(elapsed, dict.fromkeys(holders[each.name], 1)) if holders.get(each.name) else {}
        return held or {UNALLOCATED: elapsed}, held or {IDLE: elapsed}, elapsed, elapsed if held else 0, elapsed

    def _give(self, each, dynamic, static):
        place = 2 * KINDS.index(each.kind)
        for cell, shares in ((place, dynamic), (place + 1, static)):
            for owner, energy in shares.items():
                self._totals[NODE][cell] += energy
                if owner in (UNALLOCATED, IDLE):
                    self._totals[owner][cell] += energy
                else:
                    self._totals[JOBS][cell] += energy
                    self._of(owner)[1][cell] += energy

    def _of(self, job):
        if job not in self._jobs:
            self._jobs[job] = max(self._since, job.start), [0] * CELLS
        return self._jobs[job]


def unit(part):
    """What of the node the part belongs to: each GPU is one, and all others of a kind together."""
    return part if part.kind == GPU else Part("", part.kind)
