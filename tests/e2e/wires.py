"""Two ends of a wire in a network namespace, and sysfs as it is there: a real interface that carries what a test sends,
and nothing else.

    python wires.py FOLDER

mounts sysfs at FOLDER/sys, makes `NEAR` and `FAR`, says "ready", and sends for each line "FRAMES BYTES" of its standard
input so many frames from the one to the other.
"""
import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from namespaces import with_mounts

NEAR, FAR = "wire0", "wire1"
ETH_P = 0x88b5          # local experimental EtherType 1 (IEEE 802): nobody answers


class Wire:
    """`root` is where another process sees the tree with sys."""

    def __init__(self, process, folder):
        self._process = process
        self.root = Path("/proc/%d/root%s" % (process.pid, folder))

    def send(self, frames, size):
        """So many frames of `size` bytes, their header of 14 in it, went from NEAR to FAR."""
        self._process.stdin.write(b"%d %d\n" % (frames, size))
        self._process.stdin.flush()
        assert self._process.stdout.readline() == b"sent\n"


@contextmanager
def wire(folder):
    """A `Wire`; the namespace, and all that is in it, ends with the block. Needs root, unshare(1) and ip(8)."""
    (folder / "sys").mkdir(parents=True)
    process = subprocess.Popen([*with_mounts("", "--net"), sys.executable, "-S", __file__, str(folder)],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"ready\n", "no namespace, or no veth"
        yield Wire(process, folder)
    finally:
        process.stdin.close()
        process.wait(60)
        process.stdout.close()


def main(folder):
    """Be the wire until standard input ends."""
    subprocess.run(["mount", "-t", "sysfs", "sysfs", os.path.join(folder, "sys")], check=True)
    Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")       # it would speak by itself
    subprocess.run(["ip", "link", "add", "name", NEAR, "type", "veth", "peer", "name", FAR], check=True)
    for name in (NEAR, FAR):
        subprocess.run(["ip", "link", "set", name, "up", "arp", "off"], check=True)
    print("ready", flush=True)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind((NEAR, 0))
        for line in sys.stdin:
            frames, size = map(int, line.split())
            frame = b"\xff" * 12 + ETH_P.to_bytes(2, "big")
            for _ in range(frames):
                sender.send(frame.ljust(size, b"\0"))
            print("sent", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
