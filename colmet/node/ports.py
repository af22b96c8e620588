"""The network ports of a machine, as sysfs has them, and the numbers that they count.

InfiniBand counts data in words of 4 bytes, Omni-Path (hfi1) puts flits of 8 bytes into the same files; efa and irdma
have files of their own, in bytes; rxe and siw send through an Ethernet interface, which counts that already.
"""
import os
import re
from pathlib import Path
from typing import NamedTuple, Tuple

COUNTERS = ("sent", "received", "sent_packets", "received_packets")
LIMIT32 = 2 ** 32
WORD, FLIT = 4, 8
IPOIB = "32"                # ARPHRD_INFINIBAND of if_arp.h
_IB = (("port_xmit_data",), ("port_rcv_data",), ("port_xmit_packets",), ("port_rcv_packets",))
_IB64 = (("port_xmit_data_64",), ("port_rcv_data_64",), ("port_xmit_packets_64",), ("port_rcv_packets_64",))
_EFA = (("tx_bytes",), ("rx_bytes",), ("tx_pkts",), ("rx_pkts",))
_IRDMA = (("ip4OutOctets", "ip6OutOctets"), ("ip4InOctets", "ip6InOctets"), ("ip4OutPkts", "ip6OutPkts"),
          ("ip4InPkts", "ip6InPkts"))
_RXE = ((), (), ("sent_pkts",), ("rcvd_pkts",))
_NET = (("tx_bytes",), ("rx_bytes",), ("tx_packets",), ("rx_packets",))
_CXI = (("hsn_tx_ok_octets",), ("hsn_rx_ok_octets",), (), ())
_LAYOUTS = (("counters_ext", _IB64), ("counters", _IB), ("hw_counters", _EFA), ("hw_counters", _IRDMA),
            ("hw_counters", _RXE))
_NUMBER = re.compile(r"(\d{1,19})(?:@[\d.]+)?\s*")      # a telemetry file of Slingshot: value@time
_NAME = re.compile(r"[\w.:@-]{1,64}")


class Port(NamedTuple):
    """One port: files in `folder` whose sums are its `COUNTERS`, data in units of `unit` bytes."""
    name: str
    folder: Path
    files: Tuple[Tuple[str, ...], ...]
    unit: int = 1
    infiniband: bool = False
    saturates: bool = False
    up: bool = False
    summed: bool = True

    def raw(self):
        """Its four counters as it has them: an int, or None where it has or tells none."""
        return [self._sum(names) for names in self.files]

    def _sum(self, names):
        found = [number(self.folder / name) for name in names]
        if not found or None in found or self.saturates and LIMIT32 - 1 in found:
            return None
        return sum(found)


def text(path):
    """What the file says, "" where it cannot be read."""
    try:
        return path.read_text("ascii", "replace").strip()
    except OSError:
        return ""


def number(path):
    """The number in the file, None where there is none ("N/A (no PMA)"), or it fits no int64."""
    match = _NUMBER.fullmatch(text(path))
    value = int(match.group(1)) if match else None
    return value if value is not None and value < 2 ** 63 else None


def ports(root):
    """All `Port`s below `root` (a Path) now, by name."""
    classes = root / "sys" / "class"
    fabric = [*_infiniband(classes / "infiniband"), *_slingshot(classes / "cxi")]
    devices = {os.path.realpath(folder / "device") for folder in _folders(classes / "cxi")}
    ib = any(port.infiniband for port in fabric)
    return {port.name: port for port in (*fabric, *_interfaces(classes / "net", devices, ib))}


def _folders(folder):
    try:
        return [folder / name for name in sorted(os.listdir(folder)) if _NAME.fullmatch(name)]
    except OSError:
        return []


def _infiniband(folder):
    for device in _folders(folder):
        for port in sorted(_folders(device / "ports"), key=lambda port: (len(port.name), port.name)):
            found = [(kind, files) for kind, files in _LAYOUTS if (port / kind / next(filter(None, files))[0]).exists()]
            if found:
                kind, files = found[0]
                words = files in (_IB, _IB64)
                unit = (FLIT if device.name.startswith("hfi1") else WORD) if words else 1
                yield Port("%s/%s" % (device.name, port.name), port / kind, files, unit, words, files is _IB,
                           text(port / "state").startswith("4:"), files is not _RXE)


def _slingshot(folder):
    for device in _folders(folder):
        telemetry = device / "device" / "telemetry"
        if (telemetry / _CXI[0][0]).exists():
            yield Port(device.name, telemetry, _CXI, up=True)


def _interfaces(folder, slingshot, infiniband):
    """Those of a device: lo, veth, bridges, bonds, VLANs and tunnels have none, and others count their traffic."""
    for each in _folders(folder):
        if (each / "device").exists():
            again = (each / "device" / "physfn").exists() or os.path.realpath(each / "device") in slingshot or (
                infiniband and text(each / "type") == IPOIB)
            yield Port(each.name, each / "statistics", _NET, up=text(each / "carrier") == "1", summed=not again)
