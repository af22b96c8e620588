"""The jobs of known CPU time and processes (``tests/e2e/exact.py``) in cgroups of OAR 3 and of Slurm by turns."""
import os
import traceback
from pathlib import Path

import exact
import known_cpu
from guest_jobs import Cgroup

SHARE = 0.25            # of the processes of a real machine
SETTLED = 0.1           # s, of many ticks of the scheduler
LASTING, REMOVED = 100, 200         # the first numbers of those whose directories outlive them, and of the others
FOLDER = Path("/tmp")


class Root:
    """Where jobs are made (`jobs.Root`)."""

    def __init__(self, places):
        self._places = places

    def job(self, number):
        """A new one, empty yet."""
        name, leaf = self._places[number % len(self._places)]
        return Cgroup(number, name % number, leaf)


def begin(words):
    """As `known_cpu.Run` wants it, but as a fork of this process."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            os.dup2(writing, 1)
            known_cpu.main(*words)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writing)
    return pid, os.fdopen(reading)


def run(places, settle):
    """{id: Truth} of those that are removed at once, and of those that are removed after `settle()`."""
    root, kept = Root(places), []
    removed = known_cpu.run(root, exact.fewer(exact.AT_ONCE, SHARE), FOLDER, REMOVED, 0, begin=begin)
    lasting = known_cpu.run(root, exact.fewer(exact.LASTING, SHARE), FOLDER, LASTING, SETTLED, kept.append, begin)
    settle()
    for job in kept:
        lasting[str(job.number)] = lasting[str(job.number)]._replace(counted=job.cpu())
        known_cpu.remove(job)
    return removed, lasting
