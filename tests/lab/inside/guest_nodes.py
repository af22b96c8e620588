"""The real colmet-node in a guest, each a fork of this process, which has loaded it once for all."""
import ctypes
import os
import signal
import struct
import sys
import time
import traceback
from pathlib import Path

from colmet.node import main

CAPABILITIES = {"DAC_OVERRIDE": 1, "DAC_READ_SEARCH": 2, "NET_ADMIN": 12, "SYS_PTRACE": 19, "SYS_ADMIN": 21,
                "SYS_RESOURCE": 24, "PERFMON": 38, "BPF": 39}       # linux/capability.h
ALL = tuple(CAPABILITIES)
VERSION = 0x20080522        # of the two structures of capset(2)
SECONDS = 300               # patience


class Node:
    """colmet-node with `arguments`, less the capabilities `dropped`; what it says goes to the file `name`.err."""

    def __init__(self, name, arguments, dropped=()):
        self.name, self._said = name, Path("/out", name + ".err")
        self._said.touch()
        self.pid = os.fork()
        if self.pid == 0:
            code = 70
            try:
                said = os.open(str(self._said), os.O_WRONLY | os.O_APPEND)
                os.dup2(said, 1)
                os.dup2(said, 2)
                if dropped:
                    drop(dropped)
                code = main.main([str(word) for word in arguments])
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)

    def errors(self):
        """What it said so far."""
        return self._said.read_text(errors="replace")

    def started(self):
        """Wait until it says where it sends to."""
        self._wait(lambda: "sends to" in self.errors())

    def ticks(self, more):
        """Wait until it made so many `more` batches; it says so with -vvv."""
        least = self._batches() + more
        self._wait(lambda: self._batches() >= least)

    def stop(self):
        """End it: its exit code."""
        os.kill(self.pid, signal.SIGTERM)
        return self.ended()

    def ended(self):
        """Its exit code, once it ended by itself."""
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)

    def _batches(self):
        return self.errors().count(": batch ")

    def _wait(self, condition):
        end = time.monotonic() + SECONDS
        while not condition():
            assert os.waitpid(self.pid, os.WNOHANG) == (0, 0), "colmet-node %s ended:\n%s" % (self.name, self.errors())
            assert time.monotonic() < end, "colmet-node %s does nothing:\n%s" % (self.name, self.errors())
            time.sleep(0.1)


def drop(names):
    """Give up these capabilities (capset(2)): of root's nothing else is touched."""
    bits = sum(1 << number for name, number in CAPABILITIES.items() if name not in names)
    bits |= (1 << 41) - 1 & ~sum(1 << number for number in CAPABILITIES.values())
    halves = [bits & 0xffffffff, bits >> 32]
    data = b"".join(struct.pack("III", half, half, 0) for half in halves)
    if ctypes.CDLL(None, use_errno=True).capset(struct.pack("Ii", VERSION, 0), data):
        raise OSError(ctypes.get_errno(), "capset")
