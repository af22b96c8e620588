"""All that is tried in the one guest with hardware, one after the other: each of `PARTS` is a module beside this one
whose `main` writes to /out what it found. What the kernel alone shows is in /out/sensors.json.
"""
import json
import os
import sys
import time
from pathlib import Path

import heat
import zones

PARTS = (heat, zones)
CLASS = Path("/sys/class")
READINGS, APART = 3, 0.7        # s; the power meter has a new value each half second


def sensors():
    """What hardware the kernel knows, and readings of what moves: a power meter and a thermal zone."""
    chips = [path.read_text().strip() for place in ("name", "device/name")
             for path in CLASS.glob("hwmon/hwmon*/" + place)]
    [meter] = CLASS.glob("hwmon/hwmon*/device/power1_average")
    zone = next(path for path in CLASS.glob("thermal/thermal_zone*") if (path / "type").read_text() == "acpitz\n")
    found = {"chips": chips, "ipmi": os.path.exists("/dev/ipmi0"), "power": [], "temperature": [],
             "powercap": sorted(path.name for path in CLASS.glob("powercap/*"))}
    for _ in range(READINGS):
        found["power"].append(int(meter.read_text()))
        found["temperature"].append(int((zone / "temp").read_text()))
        time.sleep(APART)
    Path("/out/sensors.json").write_text(json.dumps(found))


def main():
    """All parts."""
    sensors()
    for part in PARTS:
        part.main()
        print("%.1f s: %s" % (time.clock_gettime(time.CLOCK_BOOTTIME), part.__name__), flush=True)


if __name__ == "__main__":
    sys.exit(main())
