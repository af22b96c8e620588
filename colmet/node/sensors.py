"""Where the temperatures of the node are: chips of hwmon, and thermal zones that are not shown as a chip too.

/sys/class/hwmon/hwmonN/{name,tempM_input,tempM_label}, of old drivers hwmonN/device/...; device leads to the device
(hwmon/sysfs-interface.rst). /sys/class/thermal/thermal_zoneN/{type,temp} (driver-api/thermal/sysfs-api.rst).
hwmonN and thermal_zoneN may be others after each start of the machine: no name is made of them.
"""
import os
import re
from pathlib import Path
from typing import List, NamedTuple, Optional, Tuple

from colmet.common.wire import MAX_NAME
from colmet.node.listing import Listing
from colmet.node.sysfs import LONGEST, label, natural

HWMON, ZONES = Path("sys/class/hwmon"), Path("sys/class/thermal")
CHIP, ZONE = re.compile(r".+"), re.compile(r"thermal_zone(\d+)")
_INPUT = re.compile(r"temp(\d+)_input")
_CLIENT = re.compile(r"\d+(-[0-9a-f]{4})")      # of an I2C bus, whose number may be another after each start
_COUNTED = re.compile(r"i2c-\d+|\w{4}:\w{4}:\w{4}\.\w{4}")       # buses, and devices of HID, as they come
_PUNCTUATED = re.compile(r"[:.-]")              # as addresses are, and not names with a number as they come: nvme0


class Chip(NamedTuple):
    """A chip of hwmon: `name` tells it from others, for its `driver` and where it is plugged in; `files` are matches
    of names of files in `folder`; `device` is its device and `power` the path of that one's state (None: there is
    none)."""
    name: str
    driver: str
    folder: Path
    files: List[re.Match]
    device: Optional[Path]
    power: Optional[Path]


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
    return [place for chip in chips(root, _INPUT) for place in _of(chip, mirrors)] + zones


def listing(root):
    """The `Listing` of the chips and zones below `root`."""
    return Listing(root, (HWMON, CHIP), (ZONES, ZONE))


def chips(root, pattern):
    """Yield the `Chip`s below `root` that have files of names that match `pattern` whole."""
    for name in _listed(root / HWMON):
        folder = root / HWMON / name
        device = Path(os.path.realpath(folder / "device")) if _there(folder / "device") else None
        files = _matching(folder, pattern)
        if device and not files:
            folder = folder / "device"
            files = _matching(folder, pattern)
        driver = label(folder / "name") or "hwmon"
        yield Chip(_named(driver, address(device, root)) if device else driver, driver, folder, files, device,
                   _there(device / "power" / "runtime_status") if device else None)


def _of(chip, mirrors):
    """Yield those of one chip, without one that only mirrors thermal zones: a child of a zone, or, with older kernels,
    a chip without a device that has the name of one."""
    if ZONE.fullmatch(chip.device.name) if chip.device else chip.driver in mirrors:
        return
    for file in chip.files:
        folder, stem = chip.folder, file.string[:-len("input")]
        yield Place(chip.name, label(folder / (stem + "label")) or "temp" + file.group(1), folder / file.string,
                    _there(folder / (stem + "fault")), chip.power,
                    (_there(folder / (stem + "max")), _there(folder / (stem + "crit"))))


def _zones(folder):
    for name in _listed(folder):
        number = ZONE.fullmatch(name)
        if number and _there(folder / name / "temp"):
            yield Place("thermal", label(folder / name / "type") or "zone", folder / name / "temp",
                        limits=(_trip(folder / name, "hot"), _trip(folder / name, "critical")),
                        zone=int(number.group(1)))


def _trip(folder, kind):
    """The path of the temperature of the zone's trip point of that kind, or None."""
    for name in _listed(folder):
        if name.startswith("trip_point_") and name.endswith("_type") and label(folder / name) == kind:
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


def _base(place):
    return ("%s/%s" % (place.chip, place.label)).encode("utf-8", "replace")[:MAX_NAME - 8].decode("utf-8", "ignore")


def _named(name, where):
    return where if where.startswith(name + ".") else "-".join(filter(None, (name, where)))[:2 * LONGEST]


def _matching(folder, pattern):
    return [match for match in map(pattern.fullmatch, _listed(folder)) if match]


def _listed(folder):
    """Its names in the order of the numbers in them; none where it cannot be read."""
    try:
        return sorted(os.listdir(folder), key=natural)
    except OSError:
        return []


def _there(path):
    return path if os.path.exists(path) else None
