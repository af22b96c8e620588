"""A guest: a kernel of its own in qemu, without KVM, with version 2 of cgroups alone and a network to this machine's
loopback. It runs one script, hands back what that wrote, and is gone.
"""
import io
import os
import shutil
import signal
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Dict

from lab.kernel import Absent, Kernel
from lab.image import Image

QEMU = "qemu-system-x86_64"
BUSYBOX = "/bin/busybox"
HOST = "10.0.2.2"           # this machine's loopback, as the guest sees it (qemu's user network)
INIT = Path(__file__).with_name("inside") / "init"
NETWORK = ("virtio_pci", "virtio_net")
DISKS = ("/dev/nvme0n1", "/dev/nvme1n1")    # one to play with, one for the results
MACHINE = ("-accel", "tcg,thread=multi", "-cpu", "Nehalem", "-nodefaults", "-no-user-config", "-display", "none",
           "-no-reboot", "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net")
MIB = 1 << 20
PARAMETERS = "console=ttyS0 quiet panic=-1 cgroup_no_v1=all seconds=%d results=%s"
HANDOVER = 120              # seconds that a guest has beyond those of its script
# What a guest shows when qemu has lost a timer of it, as it may on a busy machine: nothing goes on in it any more.
STALLED = "rcu_preempt kthread timer wakeup didn't happen"
LOOK = 5                    # seconds between two looks for that


@dataclass
class Result:
    """`code` is that of the script, None where the guest did not come to its end; `console` all that it showed;
    `files` what it left in /out: {name: bytes}."""
    code: int
    console: str
    files: Dict[str, bytes]


def lacking():
    """What this machine lacks for a guest; "" where nothing does."""
    if not shutil.which(QEMU):
        return "needs qemu: apt install --no-install-recommends qemu-system-x86"
    if not os.path.exists(BUSYBOX):
        return "needs busybox-static: apt install busybox-static"
    try:
        Kernel()
    except Absent as reason:
        return "needs %s" % reason
    return ""


class Guest:
    """`image` (`image.Image`) is what it starts with beside busybox; `modules` are loaded before the script runs,
    `devices` are further arguments of qemu, `kernel` is the usual one or another `kernel.Kernel`. Files of its own lie
    in `folder`."""

    def __init__(self, folder, image, modules=(), devices=(), kernel=None, memory=768, processors=2):
        self._folder, self._devices = Path(folder), list(devices)
        self._size = ["-m", str(memory), "-smp", str(processors)]
        self._kernel = kernel or Kernel()
        image.copy(BUSYBOX)
        image.add("/init", INIT.read_bytes())
        loaded = self._kernel.modules(NETWORK + tuple(modules))
        for name, contents in loaded:
            image.add("/modules/" + name, contents, 0o644)
        image.add("/modules/order", "".join(name + "\n" for name, _ in loaded).encode(), 0o644)
        for place in ("/proc", "/sys", "/dev", "/tmp", "/out", "/lab"):
            image.folder(place)
        self._image = image

    def run(self, script, seconds=600):
        """Run `script` (text of an executable), for at most so many `seconds`: the Result. The guest is killed soon
        after them, whatever becomes of this process; one that is `STALLED` is started once more."""
        self._image.add("/lab/run", script.encode())
        start, console, results = (self._folder / name for name in ("start.cpio", "console", "results"))
        start.write_bytes(self._image.bytes())
        disks = [self._folder / "disk", results]
        command = ["timeout", "-s", "KILL", str(seconds + HANDOVER), QEMU, *MACHINE,
                   "-serial", "file:%s" % console, "-kernel", str(self._kernel.image), "-initrd", str(start),
                   "-append", PARAMETERS % (seconds, DISKS[-1]), *self._size, *_attached(disks), *self._devices]
        _empty(disks)
        said = _end_with_us(command, console)
        if said is None:
            _empty(disks)
            said = _end_with_us(command)
        files = _unpacked(results)
        code = files.pop("code", None)
        return Result(None if code is None else int(code), said + console.read_text(errors="replace"), files)


def _empty(disks):
    for disk in disks:
        with open(disk, "wb") as file:
            file.truncate(64 * MIB)


def _end_with_us(command, console=None):
    """What it said; None, and it is killed, where the file `console` tells that it is `STALLED`."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               start_new_session=True)
    try:
        while True:
            try:
                return process.communicate(timeout=LOOK)[0].decode(errors="replace")
            except subprocess.TimeoutExpired:
                if console and console.exists() and STALLED in console.read_text(errors="replace"):
                    return None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _attached(disks):
    for place, path in enumerate(disks):
        yield from ("-drive", "file=%s,format=raw,if=none,id=disk%d" % (path, place),
                    "-device", "nvme,drive=disk%d,serial=%d" % (place, place))


def _unpacked(path):
    """{name: contents} of the files in the tar archive, none where there is no archive."""
    try:
        with tarfile.open(str(path), "r:") as archive:
            return {os.path.normpath(member.name): archive.extractfile(member).read()
                    for member in archive if member.isfile()}
    except tarfile.ReadError:
        return {}
