"""Which network ports a machine has, as sysfs shows them."""
import os
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple, Optional

from colmet.common.wire import MAX_NAME
from colmet.node.network.layouts import INTERFACE, OF_INFINIBAND, OMNI_PATH, SLINGSHOT, Layout
from colmet.node.sysfs import natural, text

IB, CXI, NET = (Path("sys/class") / name for name in ("infiniband", "cxi", "net"))
ACTIVE, CARRIER = 4, 1          # what the file `state` says of a port that is up: IB_PORT_ACTIVE; with a carrier
IPOIB = "32"                    # ARPHRD_INFINIBAND of if_arp.h
_RATE = re.compile(r"(\d{1,6}(?:\.\d+)?) Gb/sec\b")         # "100 Gb/sec (4X EDR)"
_PART = re.compile(r"(c\d+)?pf\d+(vf|sf|hpf)")          # phys_port_name of a port inside the adapter (switchdev)


class Port(NamedTuple):
    """A port whose counters `layout` names below its `folder`; the number in `state` (None: it has none) says that it
    is up where it is `up`. `rate` is the file of its speed. `ethernet`: RoCE. `again`: what goes
    through it is counted by another port too."""
    name: str
    folder: Path
    layout: Layout
    state: Optional[Path]
    up: int
    rate: Path
    ethernet: bool = False
    again: bool = False

    def speed(self):
        """Bytes per second of each direction, None where it does not tell."""
        said = text(self.rate)
        match = _RATE.match(said)
        if match:
            return round(float(match.group(1)) * 10 ** 9 / 8)
        return int(said) * 10 ** 6 // 8 if said.isascii() and said.isdigit() and len(said) < 9 else None


def ports(root, patterns=()):
    """{name: `Port`} below `root` (a Path) now: those of hardware, and interfaces whose name fits one of the shell
    patterns."""
    found = [*_infiniband(root / IB), *_slingshot(root / CXI)]
    devices = {os.path.realpath(port.folder) for port in found if port.layout is SLINGSHOT}
    again = {"device": devices, "kinds": {IPOIB} if any(port.layout.words for port in found) else set()}
    found += _interfaces(root / NET, patterns, again)
    return {port.name: port for port in found}


def _listed(folder):
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def named(name):
    """`name` (a file's) as text that prints: what does not is shown as \\xNN."""
    decoded = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(each if each.isprintable() else "\\x%02x" % ord(each) for each in decoded)


def _infiniband(folder):
    for device in _listed(folder):
        for number in sorted(_listed(folder / device / "ports"), key=natural):
            port = folder / device / "ports" / number
            layout = next((layout for layout in OF_INFINIBAND if _there(port, layout)), None)
            if layout:
                if layout.words and device.startswith("hfi1"):
                    layout = OMNI_PATH
                yield Port(named("%s/%s" % (device, number)), port, layout, port / "state", ACTIVE, port / "rate",
                           text(port / "link_layer") == "Ethernet", layout.again)


def _slingshot(folder):
    for name in _listed(folder):
        device = folder / name / "device"
        if _there(device, SLINGSHOT):
            interface = next((device / "net" / each for each in _listed(device / "net")), None)
            yield Port(named(name), device, SLINGSHOT, interface and interface / "carrier", CARRIER,
                       (interface or device) / "speed")


def _interfaces(folder, patterns, again):
    """Those of hardware: lo, veth, bridges, bonds, VLANs and tunnels have no device, and others count what goes
    through them."""
    for name in _listed(folder):
        place = folder / name
        real = (place / "device").exists()
        if real or any(fnmatchcase(name, pattern) for pattern in patterns):
            if _there(place, INTERFACE):
                yield Port(named(name), place, INTERFACE, place / "carrier", CARRIER, place / "speed",
                           again=not real or _counted(place, again))


def _counted(place, again):
    """Whether another port counts what this interface of hardware does: the adapter of IPoIB or Slingshot, the
    function that a virtual one is of, or the interface of hardware that has it as its lower one (Hyper-V)."""
    return (os.path.realpath(place / "device") in again["device"] or text(place / "type") in again["kinds"]
            or (place / "device" / "physfn").exists() or (place / "master" / "device").exists()
            or bool(_PART.match(text(place / "phys_port_name"))))


def _there(folder, layout):
    """Whether the first file of each of the counters that matter, data or packets, is there."""
    files = list(layout.files.values())[:2]
    return all((folder / names[0]).exists() for names in files)
