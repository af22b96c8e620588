"""What was used of the node from one reading to the next: CPU time of jobs and of the rest, and whose cores they were.

CPU time of a job from its cgroups (`colmet.node.cgroup.counters`), of the node from /proc/stat (proc(5)); cores of a
job from its cpusets (cpuset(7); admin-guide/cgroup-v2.rst of the kernel). A job that no cpuset binds has all cores.
"""
import os
from pathlib import Path
from typing import NamedTuple

from colmet.common.metrics.energy import METHODS, UNALLOCATED
from colmet.common.mounts import V2, directories, mounted
from colmet.common.schema import MISSING
from colmet.node import compiled
from colmet.node.backends import Unavailable
from colmet.node.clock import SECOND
from colmet.node.energy import split
from colmet.node.cgroup.group import METRICS
from colmet.node.jobs.job import Cgroup
from colmet.node.log import Faults
from colmet.node.numbers import Field, Numbers
from colmet.node.perf.events import numbers
from colmet.node.sysfs import text

CPUSETS = {"cpuset": ("cpuset.effective_cpus", "cpuset.cpus"), V2: ("cpuset.cpus.effective",)}      # the best first
INSTRUCTIONS = "instructions"
_BUSY = (0, 1, 2, 5, 6)             # of cpu in /proc/stat: user, nice, system, irq, softirq, in ticks of 10 ms
_TICK = SECOND // 100
_CPU = METRICS.index("cpu")
_NEW = 10 * SECOND                  # from when on all cgroups of a job should be there
_LOOK = 60 * SECOND                 # most time between two looks at what cores there are, and whose


class Interval(NamedTuple):
    """From one reading to the next, `elapsed` ns: {owner: CPU time}, by which the `method` (place in METHODS) says;
    {owner: core-ns that it had}; CPU time that was `busy`, of the `capacity` that there was."""
    elapsed: int
    work: dict
    room: dict
    busy: int
    capacity: int
    method: int = METHODS.index("CPU time")


class Use:
    """The machine below `root`. Raises Unavailable where it does not tell its CPU time."""

    def __init__(self, root):
        self._root = root
        fields = [Field(0, "cpu", place) for place in _BUSY]
        try:
            self._stat = Numbers(compiled.load("_files"), root / "proc", ("stat",), fields)
        except FileNotFoundError:
            raise Unavailable("no %s; is proc mounted there?" % (root / "proc")) from None
        if not self._stat.there:
            self._stat.close()
            raise Unavailable("no %s; is proc mounted there?" % (root / "proc" / "stat"))
        self._cores, self._faults = Cores(root), Faults()
        self._began = self._at = None           # the first reading and the last
        self._busy, self._cpu, self._instructions = 0, {}, {}

    def take(self, jobs, counters, now, instructions=None):
        """The `Interval` up to `now` (CLOCK_BOOTTIME), of `jobs` that are cgroups; `counters` read them. {job: count},
        what jobs executed so far, divides the work among them where it is known of all that worked."""
        began, before = (now, now) if self._at is None else (self._began, self._at)
        elapsed, cores = now - before, self._cores.of_node(now)
        work = self._grown(self._cpu, self._read(jobs, counters, now), began)
        executed = self._grown(self._instructions, instructions or {}, began)
        busy = sum(value for value in self._stat.read() if value != MISSING) * _TICK
        grown, self._busy = (max(0, busy - self._busy) if self._at is not None else 0), busy
        self._began, self._at = began, now
        used = sum(work.values())
        work[UNALLOCATED] = max(0, grown - used)
        held = {job: (self._cores.of(job, now), held_for(job, before, now)) for job in jobs}
        finer = split.by_instructions(work, executed)
        return Interval(elapsed, work if finer is None else finer, split.rooms(cores, held, elapsed), max(grown, used),
                        elapsed * len(cores), METHODS.index("CPU time" if finer is None else INSTRUCTIONS))

    def forget(self, job):
        """It is gone."""
        for kept in (self._cpu, self._instructions):
            kept.pop(job, None)
        self._cores.forget(job)

    def close(self):
        """Closes the files."""
        self._stat.close()

    def _read(self, jobs, counters, now):
        """{job: CPU time in ns}, of those that tell; of a new one some cgroups come later than others."""
        rows, found = counters.read(jobs), {}
        for job in jobs:
            if rows.get(job) and rows[job][_CPU] != MISSING:
                found[job] = rows[job][_CPU]
            elif job.started and now - job.start_boot > _NEW:
                self._faults.add("cpu", "energy: no cgroup of job %s tells its CPU time, so that its dynamic energy "
                                 "counts as unallocated" % job.id)
        return found

    @staticmethod
    def _grown(before, found, began):
        """{job: how much it grew}; of one that was there before the first reading, only from its own first one on."""
        grown = {job: max(0, value - before.get(job, 0 if job.start_boot >= began else value))
                 for job, value in found.items()}
        before.update(found)
        return grown


class Bound(NamedTuple):
    """The cores of a job: numbers; its `parts` when it was looked where their `cpusets` are, [Paths, the best first];
    when it was looked at `first`, and when it is `due` again (CLOCK_BOOTTIME, ns)."""
    cores: frozenset
    parts: tuple
    cpusets: list
    first: int
    due: int


class Cores:
    """Numbers of the cores (logical CPUs) of the node below `root`, and of jobs."""

    def __init__(self, root):
        self._root, self._online, self._due = root, (), 0
        self._hierarchies = None        # those of the cgroups, once they are wanted of a reading
        self._jobs = {}                 # {job: Bound}

    def of_node(self, now):
        """Tuple of those that are online; a reading begins with it."""
        self._hierarchies = None
        if now >= self._due:
            self._due = now + _LOOK
            self._online = numbers(text(self._root / "sys/devices/system/cpu/online")) or tuple(range(os.cpu_count()))
        return self._online

    def of(self, job, now):
        """frozenset of those that `job` has. The older it is, the later the next look."""
        bound = self._jobs.get(job)
        if bound is None or now >= bound.due:
            bound = self._jobs[job] = self._look(job, bound or Bound(frozenset(self._online), None, [], now, now), now)
        return bound.cores

    def forget(self, job):
        """It is gone."""
        self._jobs.pop(job, None)

    def _look(self, job, before, now):
        cpusets = before.cpusets if job.parts is before.parts else list(self._cpusets(job.parts))
        found = frozenset().union(*map(_listed, cpusets))
        due = now + min((now - before.first) // 2, _LOOK)
        return Bound(found or before.cores, job.parts, cpusets, before.first, due)

    def _cpusets(self, parts):
        if self._hierarchies is None:
            self._hierarchies = mounted(self._root)
        for part in parts:
            if isinstance(part, Cgroup):
                for name, folder in directories(part.path, self._hierarchies, tuple(CPUSETS)):
                    yield [Path(folder, file) for file in CPUSETS[name]]


def _listed(paths):
    """Numbers in the first of the files that has some."""
    return next(filter(None, (numbers(text(path)) for path in paths)), ())


def held_for(job, before, now):
    """ns of those from `before` to `now` in which the job was there."""
    end = now if job.end_boot is None else min(now, job.end_boot)
    return max(0, end - max(before, job.start_boot))
