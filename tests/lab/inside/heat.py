"""The source of temperatures on the kernel of a guest: what it gives of a zone and of two disks, one of which is
unplugged and comes back. Goes to /out/heat.json: for each step the rows, and what the kernel's files said before and
after.
"""
import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace

from colmet.node.backends import temperature

PCI = Path("/sys/bus/pci")
ZONES = Path("/sys/class/thermal")


def zone():
    """Millidegrees of the ACPI zone: each reading moves it."""
    return int(next(ZONES.glob("thermal_zone*/temp")).read_text())


def disks():
    """{PCI address: millidegrees} of the disks' chips."""
    return {path.resolve().parents[3].name: int(path.read_text()) for path in Path("/sys/class").glob(
        "hwmon/hwmon*/temp1_input") if (path.parent / "name").read_text() == "nvme\n"}


def step(source):
    """A sample, and what the kernel says."""
    before = zone()
    rows = source.sample([])
    return {"rows": {name: values for _, name, values in rows["temperature"]}, "zone": [before, zone()],
            "columns": rows["temperaturestats_default"][0][2], "disks": disks()}


def main():
    """All steps."""
    source = temperature.Backend(Path("/"), SimpleNamespace(tables=None, mapping_dir="/out"))
    mirrors = [path.read_text().strip() for path in Path("/sys/class/hwmon").glob("hwmon*/name")]
    found = {"chips": mirrors, "whole": step(source)}
    address = sorted(found["whole"]["disks"])[0]
    (PCI / "devices" / address / "remove").write_text("1")
    found["without"] = step(source)
    found["still"] = step(source)
    (PCI / "rescan").write_text("1")
    end = time.monotonic() + 60
    while len(disks()) < 2 and time.monotonic() < end:
        time.sleep(0.2)
    source._due = 0             # as after a minute
    found.update(back=step(source), gone=address)
    source.close()
    Path("/out/heat.json").write_text(json.dumps(found))


if __name__ == "__main__":
    sys.exit(main())
