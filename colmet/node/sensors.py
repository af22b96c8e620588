"""Where the temperatures of the node are: chips of hwmon, and thermal zones that are not shown as a chip too.

/sys/class/hwmon/hwmonN/{name,tempM_input,tempM_label}, of old drivers hwmonN/device/...; device leads to the device
(hwmon/sysfs-interface.rst). /sys/class/thermal/thermal_zoneN/{type,temp} (driver-api/thermal/sysfs-api.rst).
hwmonN and thermal_zoneN may be others after each start of the machine: no name is made of them.
"""
import os
import re
from pathlib import Path
from typing import NamedTuple, Optional, Tuple

from colmet.common.wire import MAX_NAME
from colmet.node.sysfs import natural

HWMON, ZONES = Path("sys/class/hwmon"), Path("sys/class/thermal")
ZONE = re.compile(r"thermal_zone(\d+)")
LONGEST = 64            # characters taken of a name or label
_INPUT = re.compile(r"temp(\d+)_input")
_CLIENT = re.compile(r"\d+(-[0-9a-f]{4})")      # of an I2C bus, whose number may be another after each start
_COUNTED = re.compile(r"i2c-\d+|\w{4}:\w{4}:\w{4}\.\w{4}")       # buses, and devices of HID, as they come
_PUNCTUATED = re.compile(r"[:.-]")              # as addresses are, and not names with a number as they come: nvme0


class Place(NamedTuple):
    """A sensor: `chip` and `label` name it, `value` is the path of its temperature, `fault` that of the file which
    tells that it is broken, `power` that of its device's state (None: there is none); `limits` are those of max and
    crit, or None. `zone` is the number of a thermal zone."""
    chip: str
    label: str
    value: Path
    fault: Optional[Path] = None
    power: Optional[Path] = None
    limits: Tuple[Optional[Path], Optional[Path]] = (None, None)
    zone: Optional[int] = None


def places(root):
    """List of the `Place`s below `root`: chips, then zones."""
    zones = list(_zones(root / ZONES))
    mirrors = {place.label.replace("-", "_") for place in zones}
    return [place for name in _listed(root / HWMON) for place in _chip(root, root / HWMON / name, mirrors)] + zones


def _chip(root, folder, mirrors):
    """Yield those of one chip, without one that only mirrors thermal zones: a child of a zone, or, with older kernels,
    a chip without a device that has the name of one."""
    device = Path(os.path.realpath(folder / "device")) if _there(folder / "device") else None
    inputs = _inputs(folder)
    if device and not inputs:
        folder = folder / "device"
        inputs = _inputs(folder)
    name = text(folder / "name") or "hwmon"
    if ZONE.fullmatch(device.name) if device else name in mirrors:
        return
    chip = _named(name, address(device, root)) if device else name
    power = _there(device / "power" / "runtime_status") if device else None
    for number in inputs:
        stem = "temp%d_" % number
        yield Place(chip, text(folder / (stem + "label")) or "temp%d" % number, folder / (stem + "input"),
                    _there(folder / (stem + "fault")), power,
                    (_there(folder / (stem + "max")), _there(folder / (stem + "crit"))))


def _zones(folder):
    for name in _listed(folder):
        number = ZONE.fullmatch(name)
        if number and _there(folder / name / "temp"):
            yield Place("thermal", text(folder / name / "type") or "zone", folder / name / "temp",
                        limits=(_trip(folder / name, "hot"), _trip(folder / name, "critical")),
                        zone=int(number.group(1)))


def _trip(folder, kind):
    """The path of the temperature of the zone's trip point of that kind, or None."""
    for name in _listed(folder):
        if name.startswith("trip_point_") and name.endswith("_type") and text(folder / name) == kind:
            return _there(folder / (name[:-len("type")] + "temp"))
    return None


def address(device, root):
    """Where the `device` (a real path) is plugged in, by what stays over starts of the machine: its address on its
    bus, or the one of what is above it."""
    top = Path(os.path.realpath(root / "sys" / "devices"))
    parts = device.relative_to(top).parts if top in device.parents else (device.name,)
    return _address([part for part in parts if not _COUNTED.fullmatch(part)])


def _address(parts):
    for place in range(len(parts) - 1, -1, -1):
        client = _CLIENT.fullmatch(parts[place])
        if client:
            return _address(parts[:place]) + client.group(1)
        if _PUNCTUATED.search(parts[place]):
            return parts[place]
    return parts[-1] if parts else ""


def names(places, before):
    """{name: `Place`}. Where several would have the same, a number is added; whatever has one `before`, {name: Place or
    None}, keeps it."""
    kept = {(place.value, _base(place)): name for name, place in before.items() if place}
    found = {kept[place.value, _base(place)]: place for place in places if (place.value, _base(place)) in kept}
    for place in places:
        if (place.value, _base(place)) in kept:
            continue
        name, count = _base(place), 1
        while name in found:
            count += 1
            name = "%s %d" % (_base(place), count)
        found[name] = place
    return found


def text(path):
    """The first line of the file, printable; "" where it cannot be read."""
    try:
        with open(path, "rb") as file:
            line = file.read(4 * LONGEST).decode("utf-8", "replace").partition("\n")[0].strip()
    except OSError:
        return ""
    return "".join(each if each.isprintable() else "?" for each in line)[:LONGEST]


def _base(place):
    return ("%s/%s" % (place.chip, place.label)).encode("utf-8", "replace")[:MAX_NAME - 8].decode("utf-8", "ignore")


def _named(name, where):
    return where if where.startswith(name + ".") else "-".join(filter(None, (name, where)))[:2 * LONGEST]


def _inputs(folder):
    return sorted(int(match.group(1)) for match in map(_INPUT.fullmatch, _listed(folder)) if match)


def _listed(folder):
    """Its names in the order of the numbers in them; none where it cannot be read."""
    try:
        return sorted(os.listdir(folder), key=natural)
    except OSError:
        return []


def _there(path):
    return path if os.path.exists(path) else None
