"""A simulated InfiniBand fabric of two adapters and a switch, in which the real perfquery reads counters that a test
sets: ibsim and infiniband-diags."""
import os
import subprocess
from contextlib import contextmanager

from programs import wait_for

PROGRAMS = ("ibsim", "ibsim-run", "perfquery")
NET = """Switch 8 "S-01"
[1] "H-01"[1]
[2] "H-02"[1]

Hca 1 "H-01"
[1] "S-01"[1]

Hca 1 "H-02"
[1] "S-01"[2]
"""
PATIENCE = 60


class Fabric:
    """`environ` is that of programs that are on the host H-01 of it."""

    def __init__(self, console, environ):
        self._console, self.environ = console, environ

    def set(self, counter, value):
        """A counter of the host's port, as perfquery names it."""
        self.tell('PerformanceSet "H-01"[1] PortCountersExtended.%s=%d' % (counter, value))

    def tell(self, line):
        """A command of ibsim's console."""
        self._console.write(line.encode() + b"\n")
        self._console.flush()

    def perfquery(self):
        """What it prints of the extended counters, {name: number}; {} where it fails."""
        done = subprocess.run(["perfquery", "-x"], env=self.environ, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, check=False, timeout=PATIENCE)
        lines = (line.partition(":") for line in done.stdout.decode().splitlines())
        return {name: int(value.strip(".")) for name, _, value in lines if value.strip(".").isdigit()}


@contextmanager
def fabric(folder):
    """A running `Fabric`, under a name of its own."""
    (folder / "fabric.net").write_text(NET)
    environ = dict(os.environ, IBSIM_SOCKNAME="colmet-test-%d" % os.getpid(), SIM_HOST="H-01")
    simulator = subprocess.Popen(["ibsim", "-s", "fabric.net"], cwd=folder, env=environ, stdin=subprocess.PIPE,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    loaded = subprocess.run(["ibsim-run", "sh", "-c", "echo $LD_PRELOAD"], stdout=subprocess.PIPE, check=True)
    found = Fabric(simulator.stdin, dict(environ, LD_PRELOAD=loaded.stdout.decode().strip()))
    try:
        for number in (1, 2):
            found.tell('Baselid "H-%02d"[1] %d' % (number, number))     # what a subnet manager would do
        wait_for(found.perfquery, PATIENCE, "answer of perfquery")
        yield found
    finally:
        simulator.kill()
        simulator.wait(PATIENCE)
        simulator.stdin.close()
