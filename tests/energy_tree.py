"""Made-up machines that count energy: trees as the kernel's powercap class and PMU "power" show them, with values
that a test moves.
"""
from colmet.common.metrics import TABLES

NAMES = [metric.name for metric in TABLES["rapl"].metrics]
START = 10 ** 18            # the Unix time at which the clock of these tests starts, ns
RANGE, DRAM_RANGE = 262143328850, 65712999613       # uJ, of a server's processor
ZONES = {"package-0": "intel-rapl:0", "package-0/core": "intel-rapl:0:0", "package-0/dram": "intel-rapl:0:1",
         "package-1": "intel-rapl:1", "package-1/core": "intel-rapl:1:0", "package-1/dram": "intel-rapl:1:1"}
AMD = {"package-0": "intel-rapl:0", "package-0/core": "intel-rapl:0:0", "package-1": "intel-rapl:1",
       "package-1/core": "intel-rapl:1:0"}     # since Linux 5.11, by the driver of that name; memory is not measured


class Powercap:
    """/sys/class/powercap below `root`: of each of `zones` {its name: its entry} a folder, nested as the kernel has
    them, and links beside each other with `flat`."""

    def __init__(self, root, zones=None, start=1000, flat=True):
        self.root, self.folders, self.values = root, {}, {}
        top = root / "sys" / "class" / "powercap"
        top.mkdir(parents=True, exist_ok=True)
        for name, entry in (ZONES if zones is None else zones).items():
            parts = entry.split(":")
            steps = [":".join(parts[:count]) for count in range(1, len(parts) + 1)]
            folder = top.joinpath(*steps)
            folder.mkdir(parents=True)
            if flat:
                (top / entry).symlink_to(folder)
            (folder / "name").write_text(name.rpartition("/")[2] + "\n")
            (folder / "max_energy_range_uj").write_text("%d\n" % self.span(name))
            self.folders[name] = folder
            self.set(name, start)

    @staticmethod
    def span(name):
        """The range of a zone in uJ."""
        return DRAM_RANGE if name.endswith("dram") else RANGE

    def file(self, name):
        """The file of a zone's energy."""
        return self.folders[name] / "energy_uj"

    def set(self, name, value):
        """What the zone's file says: a number, or any text. A number is written at once, in place: whoever has the
        file open reads the old one or the new one."""
        self.values[name] = value
        with open(self.file(name), "r+" if self.file(name).exists() else "w") as file:
            if not isinstance(value, int):
                file.truncate()
            file.write(("%020d\n" if isinstance(value, int) else "%s\n") % value)

    def use(self, **joules):
        """Add J to zones, named with _ for - and __ for /; their counters begin anew at their range."""
        for name, energy in joules.items():
            name = name.replace("__", "/").replace("_", "-")
            self.set(name, (self.values[name] + round(energy * 10 ** 6)) % self.span(name))


def power_pmu(root, cpumask="0", events=(("energy-pkg", "0x00", "0.001"),), kind=1):
    """The PMU "power" below `root`, made of the kernel's software events: those count ns of a CPU, for all tasks."""
    folder = root / "sys" / "bus" / "event_source" / "devices" / "power"
    (folder / "events").mkdir(parents=True)
    (folder / "format").mkdir()
    (folder / "type").write_text("%d\n" % kind)
    (folder / "cpumask").write_text(cpumask + "\n")
    (folder / "format" / "event").write_text("config:0-7\n")
    for name, event, scale in events:
        (folder / "events" / name).write_text("event=%s\n" % event)
        (folder / "events" / (name + ".scale")).write_text(scale + "\n")
        (folder / "events" / (name + ".unit")).write_text("Joules\n")
    return folder


def zones(backend):
    """{zone: {metric: value}} of a sample."""
    rows = backend.sample([])["rapl"]
    assert all(job is None for job, _, _ in rows)
    return {zone: dict(zip(NAMES, values)) for _, zone, values in rows}


def energies(backend):
    """{zone: energy in J} of a sample, None where it is not known."""
    return {zone: None if row["energy"] is None else row["energy"] / 10 ** 6 for zone, row in zones(backend).items()}


def columns(backend):
    """The 24 values of RAPLstats_default."""
    [(job, instance, values)] = backend.sample([])["RAPLstats_default"]
    assert (job, instance) == (None, "")
    return values
