"""A made-up machine whose energy is divided among jobs: zones, CPU time and cpusets in files that a test moves, by a
clock of its own; and the backend on it, whose rows are compared with what the machine did.
"""
from contextlib import contextmanager

from colmet.common.metrics import TABLES
from colmet.node.backends import energy, rapl
from colmet.node.clock import SECOND
from colmet.node.cgroup.counters import Counters
from colmet.node.jobs.ending import COUNTED
from colmet.node.energy import meters
from colmet.node.jobs.job import Cgroup, Job, directory_key
from energy_node import Clock
import power_tree
from energy_tree import START, ZONES, Powercap

NAMES = [metric.name for metric in TABLES["energy"].metrics]
CORES = 8
IDLE = {"package": 60, "dram": 8}           # W, declared
COUNTED_ZONES = ("package-0", "package-1", "package-0/dram", "package-1/dram")


class Machine:
    """Below `root`: two packages with their cores and memory, the platform, CORES cores."""

    def __init__(self, root, zones=None):
        self.root, self.clock = root, Clock()
        self.tree = Powercap(root, zones or dict(ZONES, psys="intel-rapl:2"), start=10 ** 6)
        (root / "proc").mkdir()
        (root / "sys/devices/system/cpu").mkdir(parents=True)
        (root / "sys/devices/system/cpu/online").write_text("0-%d\n" % (CORES - 1))
        self.busy, self.jobs, self.number = 0, {}, 0        # ns; {job: ns of CPU time}
        self.ran(0)

    def job(self, cores, started=True):
        """A new job that has `cores` (text, as "0-3")."""
        self.number += 1
        path = self.root / "jobs" / str(self.number)
        path.mkdir(parents=True)
        (path / "cpuset.cpus").write_text(cores + "\n")
        job = Job(str(self.number))
        job.parts = (Cgroup(str(path), directory_key(str(path))),)
        job.start_boot, job.start, job.started = self.clock.now, START + self.clock.now, started
        self.jobs[job] = 0
        self.run(job, 0)
        return job

    def run(self, job, seconds):
        """The job takes CPU time."""
        self.jobs[job] += round(seconds * SECOND)
        put(job.cgroups[0] / "cpuacct.usage", "%020d\n" % self.jobs[job])
        self.ran(seconds)

    def ran(self, seconds):
        """Somebody takes CPU time."""
        self.busy += round(seconds * SECOND)
        put(self.root / "proc/stat", "cpu  %020d 0 0 0 0 0 0 0 0 0\n" % (self.busy // (SECOND // 100)))

    def end(self, job):
        """The job ends now."""
        job.end_boot = self.clock.now
        del self.jobs[job]

    def counted(self):
        """uJ that the zones tell which nothing else holds, as their files have it."""
        return {name: int(self.tree.file(name).read_text()) for name in COUNTED_ZONES if self.tree.file(name).exists()}


def put(path, text):
    """Write in place: whoever has the file open reads it."""
    with open(path, "r+" if path.exists() else "w") as file:
        file.write(text)


class Node:
    """The backend on a `Machine`, as the sampler of a node asks it."""

    def __init__(self, machine, idle=IDLE, others=None):
        self._machine = machine
        self.backend = energy.Backend(machine.root, power_tree.options(
            idle_power=["%s=%s" % pair for pair in idle.items()], mapping_dir=None))
        self.backend.counters = self._counters = Counters(machine.root, COUNTED)
        self.backend.others = {} if others is None else others

    def sample(self):
        """({job: row}, {owner: row}) of a tick; a row is {metric: value}."""
        jobs = list(self._machine.jobs)
        with self._counters.tick(jobs):
            rows = self.backend.sample(jobs)["energy"]
        rows = [(job, owner, dict(zip(NAMES, values))) for job, owner, values in rows]
        assert all((owner == "job") == (job is not None) for job, owner, _ in rows)
        return ({job: row for job, _, row in rows if job},
                {owner: row for job, owner, row in rows if job is None})

    def close(self):
        """Closes all."""
        self.backend.close()
        self._counters.close()


@contextmanager
def node(machine, monkeypatch, **options):
    """The `Node` on it, by its clock."""
    for module in (energy, meters, rapl):
        monkeypatch.setattr(module, "clock", machine.clock)
    opened = Node(machine, **options)
    try:
        yield opened
    finally:
        opened.close()


def some_cores(dice):
    """Text for the cores of a random job: one to four that lie together, which others may have too."""
    first = dice.randrange(CORES)
    return "%d-%d" % (first, min(CORES - 1, first + dice.randrange(4)))


def move(machine, dice):
    """A random tick: jobs come, work, rest and go, and all zones use energy. Returns what the machine knows of it:
    ({job: CPU time}, CPU time of no job, {job: (its cores, time)}, seconds in all)."""
    begin, used, held = machine.clock.now, {}, {}
    machine.clock.wait(dice.uniform(0.05, 10))
    born = [machine.job(some_cores(dice)) for _ in range(dice.choice((0, 0, 0, 1, 2)))]
    machine.clock.wait(dice.uniform(0.05, 10))
    for job in list(machine.jobs):
        elapsed = (machine.clock.now - max(begin, job.start_boot)) / SECOND
        used[job] = dice.choice((0, 0, 0.5, 3, int(elapsed * 100) / 100))     # /proc/stat has ticks of 10 ms
        machine.run(job, used[job])
        if job not in born and dice.random() < 0.15:
            machine.end(job)
        text = (job.cgroups[0] / "cpuset.cpus").read_text()
        first, last = map(int, text.split("-"))
        held[job] = range(first, last + 1), elapsed
    outside = dice.randrange(20) / 10
    machine.ran(outside)
    seconds = (machine.clock.now - begin) / SECOND
    for package in ("package_0", "package_1"):
        watts = dice.uniform(10, 1000)
        machine.tree.use(**{package: watts * seconds, package + "__core": watts * seconds * dice.random(),
                            package + "__dram": dice.uniform(1, 60) * seconds})
    machine.tree.use(psys=3000 * seconds)
    return used, outside, held, seconds


