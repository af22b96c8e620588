"""A made-up machine's network, whose counters a test sets."""
IB = ("port_xmit_data", "port_rcv_data", "port_xmit_packets", "port_rcv_packets")
NET = ("tx_bytes", "rx_bytes", "tx_packets", "rx_packets")


class Network:
    """Below `root` (a Path): mlx5_0 with a port, its ib0, hfi1_0, eth0, and the virtual lo, veth1 and docker0."""

    def __init__(self, root):
        self.root, self.classes = root, root / "sys" / "class"
        self.port("mlx5_0", 1111111111, 2222222222, 33333333, 44444444)
        self.port("hfi1_0", 10, 20, 30, 40)
        self.interface("eth0", 1, 2, 3, 4)
        self.interface("ib0", 1, 2, 3, 4, kind="32")
        for name in ("lo", "veth1", "docker0"):
            self.interface(name, 100, 100, 100, 100, real=False)

    def port(self, name, *values, state="4: ACTIVE"):
        """Port 1 of an adapter, and its counters."""
        folder = self.classes / "infiniband" / name / "ports" / "1"
        fill(folder / "counters", IB, values)
        (folder / "state").write_text(state + "\n")
        return folder / "counters"

    def interface(self, name, *values, kind="1", real=True):
        """An interface, and its counters."""
        folder = self.classes / "net" / name
        fill(folder / "statistics", NET, values)
        (folder / "type").write_text(kind + "\n")
        (folder / "carrier").write_text("1\n")
        if real:
            (folder / "device").mkdir(exist_ok=True)


def fill(folder, names, values):
    """Writes the counters."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in zip(names, values):
        (folder / name).write_text("%s\n" % value)
