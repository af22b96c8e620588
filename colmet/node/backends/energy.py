"""Energy of jobs and of the node in `energy`: what the meters of this machine count (`colmet.node.energy`), divided
among the jobs, what is no job's, and what is idle.
"""
from colmet.common.metrics import energy
from colmet.node.backends import Unavailable
from colmet.node.clock import clock
from colmet.node.energy import meters
from colmet.node.energy.division import REST, Division, unit
from colmet.node.energy.idle import Idle, declared
from colmet.node.energy.metered import Metered
from colmet.node.energy.use import INSTRUCTIONS, Use
from colmet.node.jobs.job import Cgroup

TABLES = (energy.TABLE,)


class Backend:
    """The machine below `root`; `options.idle_power` declares the idle power of its parts. Raises Unavailable where
    nothing counts energy."""

    def __init__(self, root, options):
        self._use = Use(root)
        try:
            found = meters.opened(root, options)
        except (Unavailable, OSError):
            self._use.close()
            raise
        self._metered = Metered(found)
        self.reader = " and ".join(meter.name for meter in found)
        self.lacks = {part: why for meter in found for part, why in meter.lacks.items()}
        self.counters, self.others = None, {}       # set from outside
        self._idle = Idle(declared(options.idle_power))
        self._division, self._known = Division((), (), 0, self._idle), set()

    def sample(self, jobs):
        """Rows of the jobs that are cgroups, the last of those that ended since, and of the node."""
        now, _, wall = clock()
        jobs = [job for job in jobs if any(isinstance(part, Cgroup) for part in job.parts)]
        ended = sorted(self._known.difference(jobs), key=lambda job: job.start)
        everyone = jobs + [job for job in ended if self.counters.version(job, "cpu")]
        used = self._use.take(everyone, self.counters, now, self._instructions())
        before, grown = self._metered.parts, self._metered.take(jobs, now, self.others)
        if grown is None:
            self._begin(before, wall)
        else:
            known = set(jobs + ended)           # what a GPU's driver told may be of a job that went before
            self._division.add(grown, used, {name: [job for job in held if job in known]
                                             for name, held in self._metered.holders.items()})
        rows = self._division.rows(jobs + ended) if self._metered.parts else []
        self._known.update(jobs)
        for job in ended:
            self._forget(job)
        return {energy.TABLE.name: rows}

    def close(self):
        """Closes all meters and files."""
        self._metered.close()
        self._use.close()

    def _begin(self, before, wall):
        """Other parts count than those `before`, or these anew: what they leave to the rest of the node changes too."""
        changed = {unit(part) for part in before ^ self._metered.parts}
        self._idle.begin_anew(changed | {REST} if changed else ())
        self._division = Division(self._metered.parts, self._metered.used, wall, self._idle)

    def _instructions(self):
        """{job: instructions that the source perfhw counted}, where it does."""
        counted = getattr(self.others.get("perfhw"), "counted", None)
        return counted(INSTRUCTIONS) if counted else None

    def _forget(self, job):
        self._known.discard(job)
        self._use.forget(job)
        self._division.leave(job)
