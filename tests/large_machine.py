"""A made-up server with all hardware that there are sources for: 2 sockets, 128 CPUs, 8 GPUs, 4 ports. A tree below a
root, in which processes and cgroups are those of the real machine.
"""
import os
import re
from pathlib import Path
from typing import Callable, NamedTuple, Tuple

import heat_tree
from energy_tree import Powercap

SOCKETS, CPUS, GPUS = 2, 128, 8
CORES = CPUS // SOCKETS // 2                # of a socket, two threads each
MEMORY, DISKS = 16, 2
MADE = ("stat",)            # of /proc; all else is the real one
# The start of a command on it, before the root: there, and only for this command, are the real cgroups.
ON = ("unshare", "--mount", "sh", "-c", 'mount --rbind /sys/fs "$0/sys/fs" && exec "$@"')
CPU = "cpu%d 1000 10 500 90000 20 0 5 0 0 0\n"


class Part(NamedTuple):
    """What a source reads: `make(root)` makes it, and returns variables of the environment that the node needs, or
    None; `files` are patterns, below the root, of all that is read at each sample."""
    make: Callable
    files: Tuple[str, ...] = ()


def energy(root):
    """RAPL of Intel."""
    Powercap(root)


def heat(root):
    """A thermal zone; each package and core; disks, modules of memory, GPUs."""
    heat_tree.zone(root, 0, "x86_pkg_temp", 61000)
    chips = [("coretemp", "platform/coretemp.%d" % socket, 1 + CORES) for socket in range(SOCKETS)]
    chips += [("nvme", "pci0000:00/nvme%d" % disk, 1) for disk in range(DISKS)]
    chips += [("jc42", "i2c-0/0-00%02x" % module, 1) for module in range(0x18, 0x18 + MEMORY)]
    chips += [("amdgpu", "pci0000:%02x/gpu" % gpu, 3) for gpu in range(GPUS)]
    for number, (name, device, sensors) in enumerate(chips):
        files = {"temp%d_input" % sensor: 45000 + sensor for sensor in range(1, sensors + 1)}
        files.update({"temp%d_label" % sensor: "Sensor %d" % sensor for sensor in range(1, sensors + 1)})
        files.update({"temp%d_crit" % sensor: 100000 for sensor in range(1, sensors + 1)})
        heat_tree.chip(root, number, name, device, **files)


def processors(root):
    """As many CPUs as they shall be: the real ones, named again and again, so that each job has that many counters."""
    real = Path("/sys/devices/system/cpu/online").read_text().strip()
    count = len(os.sched_getaffinity(0))
    heat_tree.write(root / "sys" / "devices" / "system" / "cpu" / "online", ",".join([real] * max(1, CPUS // count)))


# By the X of --enable-X. What a new source has to add is its line here.
PARTS = {
    "RAPL": Part(energy, ("sys/class/powercap/*/energy_uj",)),
    "temperature": Part(heat, ("sys/class/hwmon/*/temp*_input", "sys/class/thermal/*/temp")),
    "perfhw": Part(processors),
}
OPTIONS = ["--enable-" + name for name in PARTS] + ["--enable-jobproc", "--enable-cpu"]


def make(root):
    """All of it below `root` (Path, not there yet); the environment for a node."""
    proc = root / "proc"
    proc.mkdir(parents=True)
    for name in os.listdir("/proc"):
        if not name.isdigit() and name not in MADE:
            (proc / name).symlink_to(Path("/proc", name))
    text = Path("/proc/stat").read_text()
    rest = re.sub(r"^cpu\d+ .*\n", "", text, flags=re.MULTILINE).splitlines(True)
    (proc / "stat").write_text("".join(rest[:1] + [CPU % number for number in range(CPUS)] + rest[1:]))
    (root / "sys" / "fs").mkdir(parents=True)
    (root / "dev").symlink_to("/dev")
    environ = dict(os.environ)
    for part in PARTS.values():
        environ.update(part.make(root) or {})
    return environ


def show(root, pids):
    """Let the processes `pids` of the real machine be on this one too."""
    for pid in pids:
        (root / "proc" / str(pid)).symlink_to("/proc/%d" % pid)


def files(root):
    """All that the sources of hardware read at each sample: paths, as text, each once."""
    return sorted(str(path) for part in PARTS.values() for pattern in part.files for path in root.glob(pattern))
