"""Looks at the cgroups of jobs all the time, without Colmet: when they come, are empty and go, and what was used."""
import glob
import os
import re
import threading
import time
from dataclasses import dataclass

from cgroups import BASE

CPUSET = str(BASE / "cpuset") + "/"
FOUND = re.compile("job ([0-9]+) of .* is here, found at ([0-9.]+)")
PAUSE = 0.001       # s between two looks


@dataclass
class Seen:
    """The directories of a job under one path. Times are those of time.time(), s, of cpuset's: when it was last seen
    not to be there, first seen, last seen with a task in it, seen to be gone (None: not yet). `cpu` (ns): most that
    cpuacct said, at `read` or later."""
    absent: float
    came: float
    occupied: float = None
    gone: float = None
    cpu: int = 0
    read: float = None


class Watch(threading.Thread):
    """`patterns` are globs of jobs' directories below a hierarchy; `seen` is {path below it: Seen}."""

    def __init__(self, patterns):
        super().__init__(daemon=True)
        self.seen = {}
        self._patterns, self._over = patterns, threading.Event()
        self._before = time.time()      # when the look before began

    def run(self):
        while not self._over.wait(PAUSE):
            self.look()

    def look(self):
        """One look at all that is there."""
        now = time.time()
        here = self.here()
        for name in here:
            self.seen.setdefault(name, Seen(self._before, now))
        for name, seen in self.seen.items():
            if name in here:
                seen.occupied = time.time() if occupied(CPUSET + name) else seen.occupied
                seen.read = time.time()
            else:
                seen.gone = seen.gone or time.time()
            seen.cpu = max(seen.cpu, used(BASE / "cpuacct" / name))
        self._before = now

    def here(self):
        """Paths of all that are there now: a set."""
        return {os.path.relpath(path, CPUSET) for pattern in self._patterns for path in glob.glob(CPUSET + pattern)}

    def of(self, job):
        """Those of the job `job`: list of Seen."""
        return [seen for name, seen in self.seen.items() if name.rsplit("_", 1)[1] == job]

    def close(self):
        """Look no more."""
        self._over.set()
        self.join()


def found(log):
    """{job: when it was found}, by what colmet-node said in `log`."""
    return {job: float(at) for job, at in reversed(FOUND.findall(log))}


def occupied(top):
    """Whether any process is in the cgroup `top` or below."""
    return any(text(folder + "/cgroup.procs") for folder, _, _ in os.walk(top))


def used(path):
    """CPU time in ns of the cgroup `path` of cpuacct; 0 where it is gone."""
    return int(text(str(path) + "/cpuacct.usage") or 0)


def text(path):
    """What is in a file; "" where there is none, or no more."""
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""
