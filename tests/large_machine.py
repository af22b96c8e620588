"""A made-up server with all hardware that there are sources for: 2 sockets, 128 CPUs, 8 GPUs, 4 ports. A tree below a
root, in which processes and cgroups are those of the real machine.
"""
import os
import re
from pathlib import Path
from typing import Callable, NamedTuple, Tuple

from colmet.node.filesystem import lustre
from colmet.node.listing import EVENTS
import gpu_machine
import heat_tree
import mounts_tree
from energy_tree import Powercap
from network_tree import GOLDEN, Network
from power_tree import Cray

SOCKETS, CPUS, GPUS = 2, 128, 8
CORES = CPUS // SOCKETS // 2                # of a socket, two threads each
MEMORY, DISKS = 16, 2
PORTS = ("mlx5_0/1", "mlx5_1/1", "eth0", "eth1", "ib0")        # ib0 is the first of them again
MADE = ("stat", "fs")       # of /proc; all else is the real one
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
        if name == "amdgpu":
            files["power1_average"] = 211000000
        heat_tree.chip(root, number, name, device, **files)


def processors(root):
    """As many CPUs as they shall be: the real ones, named again and again, so that each job has that many counters."""
    real = Path("/sys/devices/system/cpu/online").read_text().strip()
    count = len(os.sched_getaffinity(0))
    heat_tree.write(root / "sys" / "devices" / "system" / "cpu" / "online", ",".join([real] * max(1, CPUS // count)))


def ports(root):
    """Two adapters of InfiniBand, the interface of one, and two of Ethernet."""
    made = Network(root)
    made.adapter("mlx5_1", *GOLDEN)
    made.interface("eth1", 1, 2, 3, 4)


def controller(root):
    """That of a Cray, which its freshness does not tell to measure: it would have to go on."""
    Cray(root, fresh=False)


def mount(root):
    """Lustre, of the version that tells it in a folder which does not hide the machine's own."""
    machine = mounts_tree.Machine(root)
    machine.lustre("scratch-ffff88017d1b6800", mounts_tree.LUSTRE_2_5, read=(3, 2101248), write=(5, 10 ** 13),
                   **dict.fromkeys(lustre.METADATA, 7))
    machine.mount("lustre", "10.0.0.1@o2ib:10.0.0.2@o2ib:/scratch", "/scratch")


def gpus(root):
    """GPUs of AMD."""
    for number in range(GPUS):
        gpu_machine.amd(root, number, "%02x" % (number + 3))


# By the X of --enable-X. What a new source has to add is its line here.
PARTS = {
    "RAPL": Part(energy, ("sys/class/powercap/*/energy_uj",)),
    "temperature": Part(heat, ("sys/class/hwmon/*/temp*_input", "sys/class/thermal/*/temp")),
    "perfhw": Part(processors),
    "network": Part(ports, ("sys/class/infiniband/*/ports/*/counters/*", "sys/class/net/[ei]*/statistics/*")),
    "power": Part(controller),
    "filesystem": Part(mount),
    "lustre": Part(lambda root: None),
    "gpu": Part(gpus, ("sys/class/drm/*/device/[gm]*", "sys/class/drm/*/device/hwmon/*/power1_average",
                      "sys/class/drm/*/device/hwmon/*/temp*_input")),
    "energy": Part(lambda root: None),
}
OPTIONS = ["--enable-" + name for name in PARTS] + ["--enable-jobproc", "--enable-cpu", "--lustre-prefix", "*"]


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
    (root / "sys" / "kernel").mkdir()
    (root / EVENTS).symlink_to("/" + EVENTS)
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
