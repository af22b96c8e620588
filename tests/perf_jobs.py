"""Jobs whose events are counted, in real cgroups that perf_event knows."""
import fcntl
import os
import subprocess
import time
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

import cgroups
from colmet.node.jobs.job import Cgroup, Job, directory_key
from namespaces import PERF
from perf_worker import Worker

LOCK = "/sys/bus/event_source"      # held while perf_event is, or must not be, a hierarchy of v1: of the whole machine
PATIENCE = 300                      # s: a namespace that has a copy of the mount may be another run's
V1 = cgroups.BASE / "perf_event"
_IDS = count(1)


@contextmanager
def counted(kind, folder):
    """`cgroups.Cgroups` that perf_event knows: of v2, or of "v1" in a hierarchy that is there or is mounted in `folder`
    as long as the block lasts. No other test has meanwhile the other kind."""
    descriptor = os.open(LOCK, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if kind == "v2":
            if not V1.exists() and os.geteuid() == 0:
                _give_back(folder / "left")         # by a run that was killed
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        with _v1(folder) if kind == "v1" else _v2() as found:
            yield found
    finally:
        os.close(descriptor)


@contextmanager
def _v2():
    if V1.exists():
        pytest.skip("needs perf_event in cgroup v2: it is mounted at %s" % V1)
    with cgroups.v2() as found:
        yield found


@contextmanager
def _v1(folder):
    if V1.exists():
        with cgroups.v1("perf_event") as found:
            yield found
        return
    if os.geteuid() != 0 or not _mount(folder):
        pytest.skip("needs root: mount -t cgroup -o perf_event")
    made = cgroups.Cgroups([folder])
    try:
        yield made
    finally:
        made.close()
        _umount(folder)
        _give_back(folder)


def _mount(folder):
    folder.mkdir(exist_ok=True)
    return subprocess.call(["mount", "-t", "cgroup", "-o", "perf_event", PERF, str(folder)]) == 0


def _umount(folder):
    subprocess.check_call(["umount", str(folder)])


def _give_back(folder):
    """Return when v2 has perf_event again. A cgroup keeps it in v1, for a moment also one that was just removed;
    another round, when that one is gone, lets it go."""
    end = time.monotonic() + PATIENCE
    while not _in_v2():
        assert time.monotonic() < end, "perf_event stays in v1: it is mounted elsewhere, or has cgroups"
        _mount(folder)
        cgroups.sweep(folder)
        _umount(folder)
        patience = time.monotonic() + 1
        while not _in_v2() and time.monotonic() < patience:
            time.sleep(0.01)


def _in_v2():
    lines = Path("/proc/cgroups").read_text().splitlines()
    return all(line.split()[1] == "0" for line in lines if line.startswith("perf_event"))


def job_of(*paths):
    """A job of these cgroups."""
    job = Job(str(next(_IDS)))
    job.parts = tuple(Cgroup(str(path), directory_key(str(path))) for path in paths)
    return job


@contextmanager
def working(place, name):
    """(job, `perf_worker.Worker` in its cgroup) in the new cgroup `name` of `place`; it ends with the block."""
    path = place.make(name)
    worker = Worker(path)
    try:
        yield job_of(path), worker
    finally:
        worker.end()
