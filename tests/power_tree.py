"""Made-up machines that measure their power: files of a Cray and of hwmon that a test moves."""
from types import SimpleNamespace

from colmet.common.metrics import TABLES
from heat_tree import chip, write

NAMES = [metric.name for metric in TABLES["power"].metrics]
NAME_06 = "ipmipowerstats_default"
STAMP = 1734094386309238        # us


class Cray:
    """/sys/cray/pm_counters below `root`: of the node, a processor and an accelerator. Not `fresh` it has no freshness,
    which a node expects to go on."""

    def __init__(self, root, fresh=True):
        self.folder, self._fresh = root / "sys" / "cray" / "pm_counters", fresh
        self.tick = 0
        self.put(power="187 W", energy="14217892 J", cpu_power="60 W", cpu_energy="4000000 J", accel0_power="95 W",
                 accel0_energy="99 J", power_cap="0 W", cpu0_temp="48 C")
        write(self.folder / "startup", str(STAMP))
        write(self.folder / "generation", "21")

    def put(self, **values):
        """Write files, as the controller does: freshness goes on."""
        self.tick += 1
        for name, value in values.items():
            write(self.folder / name, "%s %d us" % (value, STAMP + self.tick))
        if self._fresh:
            write(self.folder / "freshness", str(self.tick))


def meter(root, number=0, name="power_meter", device="LNXSYSTM:00/LNXSYBUS:00/ACPI000D:00", **files):
    """A chip of hwmon; an ACPI power meter by itself."""
    return chip(root, number, name, device, **(files or {"power1_average": 231500000}))


def options(**given):
    """Settings of a node that asks for nothing of the kind."""
    usual = dict(tables=None, hostname="node-1", ipmipower_cmd=None, redfish=None, redfish_credentials=None,
                 redfish_ca=None)
    return SimpleNamespace(**dict(usual, **given))


def meters(source):
    """{meter: {metric: value}} of a sample of the backend."""
    rows = source.sample([])["power"]
    assert all(job is None for job, _, _ in rows) and len({name for _, name, _ in rows}) == len(rows)
    return {name: dict(zip(NAMES, values)) for _, name, values in rows}


def watts(source):
    """{meter: its power}."""
    return {name: row["power"] for name, row in meters(source).items()}


def close(source):
    """Close it, and wait for its threads."""
    readers = [reader for each in source.meters._readers.values() for reader in each]
    source.close()
    for thread in [reader._thread for reader in readers if hasattr(reader, "_thread")]:
        thread.join(60)
        assert not thread.is_alive()
