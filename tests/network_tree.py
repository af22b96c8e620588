"""Made-up machines with network ports: trees as the kernel's classes infiniband, cxi and net show them, whose counters
a test sets.
"""
from types import SimpleNamespace

from colmet.common.metrics import TABLES
from colmet.node.backends import network

NAMES = [metric.name for metric in TABLES["network"].metrics]
TRAFFIC = ("sent", "received", "sent_packets", "received_packets")
IB = ("port_xmit_data", "port_rcv_data", "port_xmit_packets", "port_rcv_packets")
IB_FAULTS = ("port_xmit_discards", "port_rcv_errors", "port_xmit_wait", "link_downed")
NET = ("tx_bytes", "rx_bytes", "tx_packets", "rx_packets")
GOLDEN = (1111111111, 2222222222, 33333333, 44444444)       # what perfquery said behind the messages of 0.6


class Network:
    """Below `root` (a Path): an InfiniBand adapter with its ib0, eth0, and the virtual lo, veth1 and docker0."""

    def __init__(self, root):
        self.root, self.classes = root, root / "sys" / "class"
        self.adapter("mlx5_0", *GOLDEN)
        self.interface("eth0", 1, 2, 3, 4)
        self.interface("ib0", 1, 2, 3, 4, kind="32")
        for name in ("lo", "veth1", "docker0"):
            self.interface(name, 100, 200, 3, 4, device="")

    def adapter(self, name, *values, port=1, names=IB, folder="counters", **said):
        """A port of an adapter, and its counters; returns the folder of the port."""
        place = self.classes / "infiniband" / name / "ports" / str(port)
        for file, value in zip(names, values):
            write(place / folder / file, value)
        for file in IB_FAULTS if folder == "counters" else ():
            if not (place / folder / file).exists():
                write(place / folder / file, 0)
        known = dict({"state": "4: ACTIVE", "link_layer": "InfiniBand", "rate": "100 Gb/sec (4X EDR)"}, **said)
        for file, value in known.items():
            write(place / file, value)
        return place

    def interface(self, name, *values, kind="1", device="pci", **said):
        """An interface of the `device` (its name below sys/devices; "": of none), and its counters; its folder."""
        place = self.classes / "net" / name
        for file, value in dict(dict.fromkeys(("tx_errors", "tx_dropped", "rx_errors", "rx_missed_errors"), 0),
                                **dict(zip(NET, values))).items():
            write(place / "statistics" / file, value)
        known = dict({"type": kind, "carrier": 1, "speed": "10000", "carrier_down_count": 1}, **said)
        for file, value in known.items():
            write(place / file, value)
        if device and not (place / "device").is_symlink():
            self.device(place, device if device != "pci" else "0000:00:03.%d" % len(list(place.parent.iterdir())))
        return place

    def slingshot(self, name, sent, received, packets=0):
        """An adapter of Slingshot with its interface; returns the folder of its device."""
        device = self.device(self.classes / "cxi" / name, "0000:21:00.0")
        for what, value in (("sts_tx_ok_octets", sent), ("sts_rx_ok_octets", received)):
            write(device / "telemetry" / ("hni_" + what), "%s@1700000000.123456789" % value)
        for each in range(8):
            for way in ("sent", "recv"):
                write(device / "telemetry" / ("hni_pkts_%s_by_tc_%d" % (way, each)), "%d@17.5" % (packets + each))
        hsn = self.interface("hsn0", 7, 7, 7, 7, device="0000:21:00.0", speed="200000")
        (device / "net").mkdir(exist_ok=True)
        if not (device / "net" / "hsn0").is_symlink():
            (device / "net" / "hsn0").symlink_to(hsn)
        return device

    def device(self, place, name):
        """The device `name` below sys/devices, to which `place` gets a link; its folder."""
        device = self.root / "sys" / "devices" / name
        device.mkdir(parents=True, exist_ok=True)
        place.mkdir(parents=True, exist_ok=True)
        if not (place / "device").is_symlink():
            (place / "device").symlink_to(device)
        return device


def write(path, value):
    """Whoever has the file open reads the old number or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "r+" if path.exists() else "w") as file:
        file.write(("%020d\n" if isinstance(value, int) else "%s\n") % value)
        file.truncate()


def backend(root, tables=None, omnipath=False, patterns=()):
    """The source on the machine below `root`."""
    return network.Backend(root, SimpleNamespace(tables=tables, omnipath=omnipath, network_interface=patterns))


def rows(source):
    """{port: {metric: value}} of a sample."""
    found = source.sample([])["network"]
    assert all(job is None for job, _, _ in found) and len({name for _, name, _ in found}) == len(found)
    return {name: dict(zip(NAMES, values)) for _, name, values in found}


def traffic(row):
    """Bytes and packets of a row."""
    return [row[name] for name in TRAFFIC]


def columns(source):
    """The four values of infinibandstats_default, None where it has no row."""
    found = source.sample([]).get("infinibandstats_default")
    assert found is None or [(job, instance) for job, instance, _ in found] == [(None, "")]
    return found and found[0][2]
