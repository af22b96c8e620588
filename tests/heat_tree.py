"""Made-up machines that measure temperatures: trees as the kernel's classes hwmon and thermal show them, with values
that a test moves.
"""
from types import SimpleNamespace

from colmet.common.metrics import TABLES
from colmet.node.backends import temperature

NAMES = [metric.name for metric in TABLES["temperature"].metrics]
HWMON, ZONES = ("sys", "class", "hwmon"), ("sys", "class", "thermal")
GOLDEN_ZONES = (("x86_pkg_temp", 45000), ("acpitz", 27800), ("pch_skylake", 51500))     # behind the messages of 0.6


def write(path, value):
    """Whoever has the file open reads the old number or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = ("%08d\n" if isinstance(value, int) else "%s\n") % value
    with open(path, "r+" if path.exists() else "w") as file:
        file.write(text)
        file.truncate()


def chip(root, number, name, device=None, link="device", **files):
    """/sys/class/hwmon/hwmon<number> below `root`, of the `device` (its path below sys/devices), with `files`
    (temp1_input=45000, temp1_label="Tctl"); returns its folder."""
    folder = root.joinpath(*HWMON, "hwmon%d" % number)
    write(folder / "name", name)
    if device:
        place = root / "sys" / "devices" / device
        place.mkdir(parents=True, exist_ok=True)
        (folder / link).symlink_to(place)
    for stem, value in files.items():
        write(folder / stem, value)
    return folder


def zone(root, number, kind, value, **files):
    """/sys/class/thermal/thermal_zone<number> below `root`; returns its folder."""
    folder = root.joinpath(*ZONES, "thermal_zone%d" % number)
    for stem, text in dict(files, type=kind, temp=value).items():
        write(folder / stem, text)
    return folder


def server(root):
    """A machine with the zones that 0.6's messages are of, two processors, a disk and a module of memory."""
    for number, (kind, value) in enumerate(GOLDEN_ZONES):
        zone(root, number, kind, value)
    for socket in range(2):
        chip(root, socket, "coretemp", "platform/coretemp.%d" % socket, temp1_input=60000 + socket, temp1_crit=100000,
             temp1_label="Package id %d" % socket, temp1_max=90000, temp2_input=58500, temp2_label="Core 0")
    chip(root, 2, "nvme", "pci0000:00/0000:00:1d.0/0000:01:00.0/nvme/nvme0", temp1_input=36850, temp1_max=65261850,
         temp1_label="Composite", temp1_crit=84850)
    chip(root, 3, "jc42", "pci0000:00/0000:00:1f.4/i2c-0/0-0018", temp1_input=-500)
    return root


def backend(root, folder=None, tables=None):
    """The source on the machine below `root`."""
    return temperature.Backend(root, SimpleNamespace(tables=tables, mapping_dir=folder))


def sensors(source):
    """{sensor: {metric: value}} of a sample."""
    rows = source.sample([])["temperature"]
    assert all(job is None for job, _, _ in rows) and len({name for _, name, _ in rows}) == len(rows)
    return {name: dict(zip(NAMES, values)) for _, name, values in rows}


def degrees(source):
    """{sensor: temperature} of a sample."""
    return {name: row["temperature"] for name, row in sensors(source).items()}


def columns(source):
    """The six values of temperaturestats_default."""
    [(job, instance, values)] = source.sample([])["temperaturestats_default"]
    assert (job, instance) == (None, "")
    return values
