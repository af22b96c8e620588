"""What tests of the end of a job share: a process of known load, and the readings of one job."""
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from colmet.common.metrics import account
from colmet.common.metrics.job import CPU_SOURCES, END_SOURCES, TABLE
from colmet.node.clock import MS, SECOND
from colmet.node.cgroup.counters import Counters
from colmet.node.jobs.ending import COUNTED, Ending
from colmet.node.jobs.history import History
from colmet.node.jobs.job import Cgroup, Job, directory_key
from e2e.programs import wait_for
from loads import Process

HERE = Path("/")
TICK = 10 * MS          # the longest that a kernel has
BURN = """
import mmap, sys, time
sys.stdin.readline()
memory = mmap.mmap(-1, 64 << 20)
for place in range(0, 64 << 20, 4096):
    memory[place] = 1
end = time.process_time() + 0.5
while time.process_time() < end:
    pass
print("done", flush=True)
sys.stdin.readline()
"""


def words(values):
    """A row of the table `job` by names, sources as words."""
    values = dict(zip([metric.name for metric in TABLE.metrics], values))
    for name, known in (("cpu", CPU_SOURCES), ("peak_memory", CPU_SOURCES), ("io", CPU_SOURCES), ("end", END_SOURCES)):
        code = values[name + "_source"]
        values[name + "_source"] = code if code is None else known[code]
    return values


def row(ending, sequence=9, version=lambda name: None):
    """The job's row as it stands."""
    return words(ending.row(sequence, version))


class Followed:
    """A `History` of the one job `job`."""

    def __init__(self, job, facts=None):
        self.job = job
        self.history = History(Counters(HERE, COUNTED), lambda each: Ending(each, facts))
        self.read()

    def read(self, empty=None):
        """A reading: at a tick, or because it was told when the job was `empty`."""
        if empty is None:
            self.history.read([self.job])
        else:
            self.history.attend([], {self.job: empty})

    def end(self, made=(), sequence=9):
        """The job's row."""
        self.history.read([self.job])
        self.history.saw({self.job: list(made)} if made else {}, sequence)
        rows = self.history.end(self.job, sequence)
        self.history.close()
        [(job, instance, values)] = rows["job"]
        assert (job, instance) == (self.job, "")
        return words(values)


@contextmanager
def burner(tree, path):
    """A process in the cgroup `path` that burns 0.5 s and maps 64 MiB once it is told to; ends with the block."""
    with subprocess.Popen([sys.executable, "-S", "-c", BURN], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            tree.enter(path, process.pid)
            yield process
        finally:
            process.kill()


def burn(process):
    """Let it do its work."""
    process.stdin.write(b"\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"done\n"
    wait_for(Process(process.pid).asleep, 30, "sleep, with which all its CPU time is counted")


def account_row(reader="bpf", **known):
    """A row of the table account."""
    known["source"] = account.SOURCES.index(reader)
    return [known.get(metric.name) for metric in account.TABLE.metrics]


def finish(process):
    """Let it end; returns the most CPU time, in ns, that its cgroup may have counted: up to a tick of the scheduler is
    added when a process leaves its CPU, which may be after wait4(2)."""
    process.stdin.close()
    _, process.returncode, usage = os.wait4(process.pid, 0)
    return (usage.ru_utime + usage.ru_stime) * SECOND * 1.001 + TICK


def facts_file(folder, **facts):
    """A file of exit facts of job 12."""
    path = folder / "facts"
    path.write_text(json.dumps(dict(facts, job="12")))
    return str(path)


def made_of(*folders):
    """The job 12 whose cgroups are these folders."""
    job = Job("12")
    job.parts = tuple(Cgroup(str(folder), directory_key(str(folder))) for folder in folders)
    return job
