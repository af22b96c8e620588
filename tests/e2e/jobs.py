"""Jobs as a batch scheduler makes them: cgroups ``<user>_<id>`` below a root of their own, with real processes in them.

Version 1 of cgroups, in each of `CONTROLLERS` under the same path. Everything is removed at the end, whatever is left
in it.
"""
import itertools
import os
import signal
import subprocess
import time
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")
CONTROLLERS = ("cpuset", "cpuacct", "memory")
INHERITED = ("cpuset.cpus", "cpuset.mems")     # a new cpuset takes no task before it has them
ENTER = 'for file in $COLMET_TEST_TASKS; do echo 0 > "$file" || exit 125; done; unset COLMET_TEST_TASKS; exec "$@"'
_NUMBERS = itertools.count(1)


def lacking():
    """What this machine or user lacks to make cgroups of version 1; "" where nothing does."""
    if os.geteuid() != 0:
        return "needs root: to make cgroups"
    for controller in CONTROLLERS:
        if not os.access(MOUNT / controller / "tasks", os.W_OK):
            return "needs cgroup v1: no writable %s/%s" % (MOUNT, controller)
    return ""


def make(path):
    """Make the cgroup directory `path`, fit to take tasks."""
    path.mkdir()
    for name in INHERITED:
        if (path / name).exists():
            (path / name).write_text((path.parent / name).read_text())


def remove(path, seconds=30):
    """Remove a cgroup; its last task may still be on its way out."""
    end = time.monotonic() + seconds
    while path.exists():
        try:
            path.rmdir()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)


class Job:
    """The cgroups of one job; `path` is the one of cpuset, where colmet-node finds it."""

    def __init__(self, root, number, user):
        self.number = number
        self.paths = [path / ("%s_%s" % (user, number)) for path in root.paths]
        self.path = self.paths[0]
        self.started = []
        for path in self.paths:
            make(path)

    def run(self, *command, **options):
        """Start `command` inside the job; the Popen."""
        environ = dict(os.environ, COLMET_TEST_TASKS=" ".join(str(path / "tasks") for path in self.paths))
        process = subprocess.Popen(["sh", "-c", ENTER, "sh"] + [str(word) for word in command], env=environ, **options)
        self.started.append(process)
        return process

    def entries(self):
        """Paths of the files by which a process enters; the cgroup that counts CPU time comes last."""
        return sorted((str(path / "tasks") for path in self.paths), key=lambda path: "cpuacct" in path)

    def cpu(self):
        """CPU time in ns that the kernel counted for it."""
        return self.read("cpuacct", "cpuacct.usage")

    def tasks(self):
        """Thread ids of all that is in it."""
        return [int(line) for line in (self.path / "tasks").read_text().split()]

    def read(self, controller, name):
        """The number in the file `name` of one controller."""
        return int((self.paths[CONTROLLERS.index(controller)] / name).read_text())

    def end(self):
        """Kill what still runs in it and wait for its end."""
        for pid in (self.path / "cgroup.procs").read_text().split() if self.path.exists() else ():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
        for process in self.started:
            process.wait(30)
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe:
                    pipe.close()
        self.started = []

    def remove(self):
        """End it and take its directories away, as the scheduler does."""
        self.end()
        for path in self.paths:
            remove(path)


class Root:
    """A private directory of jobs in each controller; `path` is what ``--cpuset_rootpath`` gets."""

    def __init__(self):
        name = "colmet-test-%d-%d" % (os.getpid(), next(_NUMBERS))
        self.paths = [MOUNT / controller / name for controller in CONTROLLERS]
        self.path = self.paths[0]
        self.jobs = []
        for path in self.paths:
            make(path)

    def job(self, number, user="alice"):
        """A new job, empty yet."""
        job = Job(self, number, user)
        self.jobs.append(job)
        return job

    def close(self):
        """Remove all jobs and the directories themselves."""
        for job in self.jobs:
            job.remove()
        for path in self.paths:
            remove(path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
