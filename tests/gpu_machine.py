"""Made-up machines with GPUs, whose values a test moves: /proc of a machine with NVIDIA's driver, AMD's and Intel's
cards as sysfs and /proc show them, and jobs. `gpu_stub` has the library of NVIDIA's driver."""
from types import SimpleNamespace

from colmet.common.metrics import TABLES
from colmet.node.backends import gpu

NAMES = [metric.name for metric in TABLES["gpu"].metrics]
NAMES_06 = [metric.name for metric in TABLES["nvidiastats_default"].metrics]
GIB = 1 << 30


class Job:
    """A job whose processes a test sets."""
    start = 1000 * 10 ** 9

    def __init__(self, id, *pids):
        self.id, self.pids, self.parts = str(id), list(pids), ()

    def processes(self, since=None):
        return list(self.pids)

    def __repr__(self):
        return "Job(%s)" % self.id


def put(path, value):
    """Write the file at `path`, whose folder is made: whoever has it open reads it whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = ("%018d\n" if isinstance(value, int) else "%s\n") % value
    with open(path, "r+" if path.exists() else "w") as file:
        file.write(text)
        file.truncate()


def process(root, pid, **environment):
    """A process that sleeps, as /proc shows it, started with `environment`."""
    folder = root / "proc" / str(pid)
    (folder / "task" / str(pid)).mkdir(parents=True)
    put(folder / "stat", "%d (a job) S 1 %s" % (pid, " ".join(["0"] * 17 + ["100"] + ["0"] * 30)))
    (folder / "environ").write_bytes(b"".join(("%s=%s" % each).encode() + b"\0" for each in environment.items()))


def nvidia(root):
    """/proc of a machine on which the driver is loaded; returns `root`."""
    put(root / "proc" / "driver" / "nvidia" / "version", "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15")
    return root


def card(root, number, driver, bus, hwmon=(), **files):
    """/sys/class/drm/card<number> of the driver at the address 0000:<bus>:00.0, with `files` (gpu_busy_percent=3) and
    those of its sensors; returns the folder of the device."""
    device = root / "sys" / "class" / "drm" / ("card%d" % number) / "device"
    put(device / "uevent", "DRIVER=%s\nPCI_CLASS=38000\nPCI_SLOT_NAME=0000:%s:00.0" % (driver, bus))
    put(device / "drm" / ("renderD%d" % (128 + number)) / "dev", "226:%d" % (128 + number))
    for name, value in dict(hwmon).items():
        put(device / "hwmon" / ("hwmon%d" % number) / name, value)
    for name, value in files.items():
        put(device / name, value)
    return device


def amd(root, number=1, bus="03"):
    """A card of AMD."""
    return card(root, number, "amdgpu", bus, dict(
        name="amdgpu", power1_average=211000000, temp1_input=54000, temp1_label="edge", temp2_input=61000,
        temp2_label="junction", temp3_input=66000, temp3_label="mem"), gpu_busy_percent=37, mem_busy_percent=9,
        mem_info_vram_used=3 * GIB, mem_info_vram_total=64 * GIB, unique_id="0x18f68e602b8a790f")


def intel(root, number=2, bus="4d"):
    """A card of Intel."""
    return card(root, number, "xe", bus, dict(name="xe", energy1_input=900000000, energy1_label="card",
                                              temp2_input=44000, temp2_label="pkg", temp3_input=52000,
                                              temp3_label="vram"))


def opens(root, pid, fd, number, **fields):
    """The process `pid` has card<number> open as file `fd`; `fields` are those of its fdinfo, drm_pdev for drm-pdev."""
    folder = root / "proc" / str(pid)
    (folder / "fd").mkdir(parents=True, exist_ok=True)
    link = folder / "fd" / str(fd)
    if not link.is_symlink():
        link.symlink_to("/dev/dri/renderD%d" % (128 + number))
    put(folder / "fdinfo" / str(fd), "pos:\t0\n" + "\n".join("%s:\t%s" % (name.replace("_", "-"), value)
                                                             for name, value in fields.items()))


def backend(root, tables=None):
    """The source on the machine below `root`."""
    return gpu.Backend(root, SimpleNamespace(tables=tables))


def sampled(source, *jobs):
    """{(job's id or None, device): {metric: value}} of a sample of `gpu`."""
    rows = source.sample(list(jobs)).get("gpu", [])
    found = {(job and job.id, name): dict(zip(NAMES, values)) for job, name, values in rows}
    assert len(found) == len(rows) and all(len(values) == len(NAMES) for _, _, values in rows)
    return found


def columns(source, *jobs):
    """{job's id: {column of 0.6: value}} of a sample."""
    rows = source.sample(list(jobs)).get("nvidiastats_default", [])
    return {job.id: dict(zip(NAMES_06, values)) for job, _, values in rows}
