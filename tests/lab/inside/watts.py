"""A node in a guest whose BMC takes orders (``tests/lab/bmc.py``): it tells one power after the other, hangs, and comes
back. What was done when goes to /out/watts.json; what the node measured to the collector.

    watts.py URI HOST PORT      of the collector, of the orders
"""
import json
import socket
import sys
import time
from pathlib import Path

from guest_nodes import Node

TOLD = (345, 278)           # W, one after the other
BACK = 512                  # W, after it hung
MORE = 10                   # ticks, beyond the requests of them
OFF = ("taskstats", "procstats", "job", "account", "cgroup")


class Bmc:
    """The line to it; its address as bytes, which need no encoding that is not here."""

    def __init__(self, host, port):
        self._line = socket.create_connection((host.encode(), int(port))).makefile("rw")

    def order(self, text):
        """How many requests for power it got until it took this order."""
        self._line.write(text + "\n")
        self._line.flush()
        return int(self._line.readline())


def told(bmc, node, watts):
    """Have it tell so much until that is in the rows of a tick: the time."""
    before = bmc.order("watts %d" % watts)
    while bmc.order("asked") < before + 3:      # the second was asked after the order, the third after its answer
        time.sleep(0.1)
    node.ticks(2)
    return time.time_ns()


def hung(bmc, node):
    """Have it hang until the node made so many ticks that not each can have waited for a request: [(time, requests)]
    at the start and at the end."""
    before = bmc.order("asked")
    begin = [time.time_ns(), bmc.order("hang")]
    while bmc.order("asked") == begin[1]:
        time.sleep(0.1)                         # until a request is without an answer
    ticks = 0
    while ticks < MORE + bmc.order("asked") - before:
        node.ticks(1)
        ticks += 1
    return [begin, [time.time_ns(), bmc.order("asked")]]


def main(uri, host, port):
    """All steps."""
    bmc, found = Bmc(host, port), {}
    bmc.order("watts %d" % TOLD[0])
    node = Node("power", ["--zeromq-uri", uri, "--wire", "native", "--hostname", "guest", "--scheduler", "none",
                          "--account-pins", "", "--enable-power", "--enable-ipmipower", "-s", "0.5", "-vvv",
                          *("--disable-" + name for name in OFF)])
    node.started()
    found["told"] = [[watts, told(bmc, node, watts)] for watts in TOLD]
    found["hung"] = hung(bmc, node)
    found["back"] = told(bmc, node, BACK)
    found["code"] = node.stop()
    Path("/out/watts.json").write_text(json.dumps(found))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
