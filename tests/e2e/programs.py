"""Starting the real programs for tests: a private folder, free ports on loopback, output kept in files."""
import os
import signal
import socket
import subprocess
import sys
import time
from itertools import count

FIRST_PORT, LAST_PORT = 10000, 32000
_PORTS = (FIRST_PORT + number % (LAST_PORT - FIRST_PORT) for number in count(os.getpid() * 202, 2))
_OURS = []              # sockets in Linux's abstract space, each with the name of a pair that this process has


def free_port(ports=_PORTS, ours=_OURS):
    """A pair of free TCP ports (N, N + 1) on loopback, the first of `ports`; returns N.

    Below those that the kernel gives to clients (32768 and up). Each process begins at another place, and no two have
    the same pair as long as they live: what was given may not be bound yet, or not just now.
    """
    for port in ports:
        name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        with socket.socket() as first, socket.socket() as second:
            try:
                name.bind(b"\0colmet-test-port-%d" % port)
                first.bind(("127.0.0.1", port))
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                name.close()
                continue
        ours.append(name)
        return port


def wait_for(condition, seconds, what):
    """The first true value of `condition()`; fails after `seconds` naming `what` did not happen."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("after %s s still no %s" % (seconds, what))
        time.sleep(0.02)


class Program:
    """A running `module` (``colmet.node.main``) with `arguments`, started by the command `before`; stdout and stderr go
    to files in `folder`."""

    def __init__(self, module, arguments, folder, before=(), **options):
        self.name = module.split(".")[1]
        self.out = folder / (self.name + ".out")
        self.err = folder / (self.name + ".err")
        command = [*before, sys.executable, "-m", module] + [str(argument) for argument in arguments]
        with open(self.out, "ab") as out, open(self.err, "ab") as err:
            self.process = subprocess.Popen(command, stdout=out, stderr=err, stdin=subprocess.DEVNULL, cwd=folder,
                                            **options)
        self.pid = self.process.pid

    def errors(self):
        """What it wrote on stderr so far."""
        return self.err.read_text(errors="replace")

    def stop(self, sign=signal.SIGTERM, timeout=30):
        """Send `sign` and return the exit code."""
        if self.process.poll() is None:
            os.kill(self.pid, sign)
        return self.process.wait(timeout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
