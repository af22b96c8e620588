"""Real cgroups for tests: made under names of their own in the hierarchies of this machine, and removed with the block.
And the little that tests of `colmet.node.jobs.jobs` share."""
import fcntl
import os
import subprocess
import time
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import pytest

from colmet.node.clock import SECOND, boottime
from colmet.node.jobs.jobs import Jobs

BASE = Path("/sys/fs/cgroup")
UNIFIED = (BASE, BASE / "unified")
_NUMBERS = count(1)


class Cgroups:
    """The directory `name` in each of `tops`, all of one kind (v1) or one (v2). Paths below are relative to it."""

    def __init__(self, tops):
        self.name = "colmet-test-%d-c%d" % (os.getpid(), next(_NUMBERS))     # none of e2e/jobs.py
        self.roots = [top / self.name for top in tops]
        self.root = self.roots[0]
        self._processes = []
        self.make("")

    def make(self, path):
        """Make the directory `path` in each hierarchy; returns the first."""
        for root in self.roots:
            (root / path).mkdir()
            for name in ("cpuset.cpus", "cpuset.mems"):     # v1: no task may enter before these are set
                if (root / path / name).exists() and (root / "tasks").exists():
                    (root / path / name).write_text((root.parent / name).read_text())
        return self.root / path

    def enter(self, path, pid, file="cgroup.procs"):
        """Move the process `pid` into `path`, or with `file` "tasks" the thread."""
        for root in self.roots:
            (root / path / file).write_text(str(pid))

    def sleeper(self, path):
        """A new process that sleeps in `path`: Popen."""
        process = subprocess.Popen(["sleep", "1000"])
        self._processes.append(process)
        self.enter(path, process.pid)
        return process

    def remove(self, path):
        """Remove the directory `path`, whose tasks may still be on their way out."""
        for root in reversed(self.roots):
            patiently(lambda: (root / path).rmdir())

    def close(self):
        """End the sleepers and remove what is left."""
        for process in self._processes:
            process.kill()
            process.wait()
        for root in self.roots:
            _clear(root)


def sweep(top):
    """Remove in the hierarchy `top` what is left of tests that were killed."""
    for root in top.glob("colmet-test-*"):
        if not Path("/proc", root.name.split("-")[2]).exists():
            _clear(root)


def _clear(root):
    for folder, _, _ in os.walk(str(root), topdown=False):
        patiently(lambda: os.rmdir(folder))


def patiently(remove):
    """Call `remove()` until no task holds the cgroup any more; fails after 30 s."""
    end = time.monotonic() + 30
    while True:
        try:
            return remove()
        except FileNotFoundError:
            return None
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)


@contextmanager
def schedulers_names():
    """No other test, of any run on this machine, has meanwhile real cgroups of names like those of a scheduler."""
    descriptor = os.open(str(BASE), os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def v1(*controllers):
    """Cgroups in these v1 hierarchies; skips where they are not mounted or not ours to write."""
    tops = [BASE / name for name in controllers]
    if os.geteuid() != 0 or not all((top / "tasks").exists() and os.access(str(top), os.W_OK) for top in tops):
        pytest.skip("needs root: cgroup v1 with %s under %s" % (", ".join(controllers), BASE))
    cgroups = Cgroups(tops)
    try:
        yield cgroups
    finally:
        cgroups.close()


@contextmanager
def v2():
    """Cgroups in the v2 hierarchy; skips where it is not mounted or not ours to write."""
    tops = [top for top in UNIFIED if (top / "cgroup.controllers").exists() and os.access(str(top), os.W_OK)]
    if os.geteuid() != 0 or not tops:
        pytest.skip("needs root: a cgroup v2 hierarchy under %s" % BASE)
    cgroups = Cgroups(tops[:1])
    try:
        yield cgroups
    finally:
        cgroups.close()


def either(kind):
    """`v1` of cpuset, or `v2`."""
    return v1("cpuset") if kind == "v1" else v2()


def until(seconds):
    """That far from now, as `Jobs.wait` takes it."""
    return boottime() + int(seconds * SECOND)


def names(jobs):
    """user_id of those present."""
    return sorted("%s_%s" % (job.user, job.id) for job in jobs.present())


def watch(*roots, **options):
    """Jobs of these roots, to be closed."""
    return closing(Jobs(Path("/"), [str(root) for root in roots], **options))
