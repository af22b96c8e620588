"""Starting the real programs for tests: a private folder, free ports on loopback, output kept in files."""
import os
import signal
import socket
import subprocess
import sys
import time

BLOCK = 60              # ports that a process takes at a time
# Options of a node that leaves no programs in the kernel, and does not find jobs of schedulers that other tests start.
ALONE = ("--account-pins", "", "--scheduler", "none")


def pairs(first, last):
    """First ports of pairs from `first` on and below `last`, none twice, and none that another process of tests has.

    A socket in Linux's abstract space bears the name of a block of ports: who bound it has these as long as it lives.
    """
    held, blocks = [], (last - first) // BLOCK
    for number in range(os.getpid(), os.getpid() + blocks):     # each process begins at another place
        begin = first + number % blocks * BLOCK
        held.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        try:
            held[-1].bind(b"\0colmet-test-ports-%d" % begin)
        except OSError:
            held.pop().close()
            continue
        yield from range(begin, begin + BLOCK, 2)
    raise OSError("no port is left for this test")


_PORTS = pairs(10000, 32000)        # below those that the kernel gives to clients (32768 and up)


def free_port(ports=_PORTS):
    """A pair of free TCP ports (N, N + 1) on loopback, the next of `ports`; returns N. It may not be bound yet, or not
    just now, and is nobody else's all the same."""
    for port in ports:
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind(("127.0.0.1", port))
                second.bind(("127.0.0.1", port + 1))
                return port
            except OSError:
                continue


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
