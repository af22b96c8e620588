"""Which network ports made-up machines have, by driver, and this one."""
import errno
import os
import shutil
import socket
from pathlib import Path

import pytest

from colmet.node.backends import Unavailable
from colmet.node.network.opened import MOST
from loads import descriptors
from network_tree import Network, backend, rows, traffic
from opened import opening, told

UDP = (socket.AF_INET, socket.SOCK_DGRAM)


@pytest.fixture(name="opened")
def _opened():
    """opened(root) makes the source."""
    yield from opening(backend)


def test_every_port_of_hardware_is_there_in_bytes_and_nothing_is_counted_twice(tmp_path, opened):
    tree = Network(tmp_path)
    tree.adapter("hfi1_0", 10, 20, 30, 40, rate="100 Gb/sec (4X EDR)", state="1: DOWN")
    tree.slingshot("cxi0", 1000, 2000)
    source = opened(tmp_path)
    before = rows(source)
    assert source.reader == "Omni-Path and InfiniBand and Slingshot and Ethernet"
    assert list(before) == ["hfi1_0/1", "mlx5_0/1", "cxi0", "eth0", "hsn0", "ib0"]
    assert all(traffic(row) == [0] * 4 for row in before.values())
    tree.adapter("mlx5_0", 1111111112, 2222222224, 33333336, 44444448)
    tree.adapter("hfi1_0", 11, 22, 33, 44, state="1: DOWN")
    tree.slingshot("cxi0", 1005, 2006, packets=2)
    tree.interface("eth0", 6, 8, 10, 12)
    found = rows(source)
    assert {name: traffic(row) for name, row in found.items()} == {
        "hfi1_0/1": [8, 16, 3, 4], "mlx5_0/1": [4, 8, 3, 4], "cxi0": [5, 6, 16, 16], "eth0": [5, 6, 7, 8],
        "hsn0": [0] * 4, "ib0": [0] * 4}
    assert {name for name, row in found.items() if row["summed"]} == {"hfi1_0/1", "mlx5_0/1", "cxi0", "eth0"}
    assert [row["up"] for row in found.values()] == [0, 1, 1, 1, 1, 1]
    assert {name: row["speed"] for name, row in found.items()} == {
        "hfi1_0/1": 12500000000, "mlx5_0/1": 12500000000, "cxi0": 25000000000, "eth0": 1250000000,
        "hsn0": 25000000000, "ib0": 1250000000}
    assert all(found[name]["since"] == before[name]["since"] > 0 for name in found)


@pytest.mark.parametrize("names, folder, grown, traffics", [
    (("tx_bytes", "rx_bytes", "tx_pkts", "rx_pkts"), "hw_counters", (11, 21, 31, 41), [10, 20, 30, 40]),
    (("ip4OutOctets", "ip6OutOctets", "ip4InOctets", "ip6InOctets", "ip4OutPkts", "ip6OutPkts", "ip4InPkts",
      "ip6InPkts"), "hw_counters", (2, 3, 4, 5, 6, 7, 8, 9), [3, 7, 11, 15]),
    (("sent_pkts", "rcvd_pkts"), "hw_counters", (7, 8), [None, None, 6, 7]),
    (("port_xmit_data_64", "port_rcv_data_64", "port_xmit_packets_64", "port_rcv_packets_64"), "counters_ext",
     (2, 3, 4, 5), [4, 8, 3, 4])], ids=["efa", "irdma", "rxe", "counters_ext"])
def test_drivers_with_files_of_their_own(names, folder, grown, traffics, tmp_path, opened):
    tree = Network(tmp_path)
    tree.adapter("rdma0", *(2 ** 32 - 1,) * 4)          # of 32 bits, and full
    shutil.rmtree(tree.classes / "infiniband" / "rdma0" / "ports" / "1" / "counters")
    if folder == "counters_ext":
        tree.adapter("rdma0", *(2 ** 32 - 1,) * 4)
    tree.adapter("rdma0", *(1,) * 8, names=names, folder=folder)
    source = opened(tmp_path)
    rows(source)
    tree.adapter("rdma0", *grown, names=names, folder=folder)
    row = rows(source)["rdma0/1"]
    assert traffic(row) == traffics and row["summed"] == ("sent_pkts" not in names)


def test_interfaces_that_are_no_hardware_by_option_and_what_others_count_too(tmp_path, opened):
    tree = Network(tmp_path)
    tree.interface("eth1", 1, 1, 1, 1)      # of a virtual machine, under eth0 of Hyper-V
    (tree.classes / "net" / "eth1" / "master").symlink_to(tree.classes / "net" / "eth0")
    tree.interface("eth2", 1, 1, 1, 1)      # in a bond, which is no hardware
    tree.interface("bond0", 1, 1, 1, 1, device="")
    (tree.classes / "net" / "eth2" / "master").symlink_to(tree.classes / "net" / "bond0")
    vf = tree.interface("eth3", 1, 1, 1, 1)
    (vf / "device" / "physfn").mkdir()
    tree.interface("eth4", 1, 1, 1, 1, phys_port_name="pf0vf3")
    tree.interface("eth5", 1, 1, 1, 1, phys_port_name="p0")
    assert set(rows(opened(tmp_path))) == {"mlx5_0/1", "ib0"} | {"eth%d" % number for number in range(6)}
    found = rows(opened(tmp_path, patterns=("veth*", "lo", "bond?")))
    assert set(found) >= {"veth1", "lo", "bond0"} and "docker0" not in found
    assert {name for name, row in found.items() if row["summed"]} == {"mlx5_0/1", "eth0", "eth2", "eth5"}


def test_ports_of_one_adapter_are_in_the_order_of_their_numbers(tmp_path, opened):
    tree = Network(tmp_path)
    for port in (10, 2):
        tree.adapter("mlx5_0", 1, 1, 1, 1, port=port)
    assert list(rows(opened(tmp_path)))[:3] == ["mlx5_0/1", "mlx5_0/2", "mlx5_0/10"]


def test_the_interfaces_of_this_machine(opened):
    """What the kernel's own files say; others may use loopback meanwhile."""
    net, message = Path("/sys/class/net"), bytes(1000)
    if not (net / "lo").exists():
        pytest.skip("needs sysfs with the interfaces of this machine")
    source = opened(Path("/"), patterns=["lo"])
    before = rows(source)
    assert {"lo"} | {each.name for each in net.iterdir() if (each / "device").exists()} <= set(before)
    with socket.socket(*UDP) as far, socket.socket(*UDP) as near:
        far.bind(("127.0.0.1", 0))
        for _ in range(10):
            near.sendto(message, far.getsockname())
            assert far.recv(len(message)) == message
    found = rows(source)["lo"]
    assert found["sent"] >= 10 * len(message) and found["received_packets"] >= 10 and not found["summed"]
    assert found["sent"] <= int((net / "lo" / "statistics" / "tx_bytes").read_text())


def test_names_that_do_not_print_are_shown_and_stay_apart(tmp_path, opened):
    tree = Network(tmp_path)
    for name in (b"a\xff", b"a\xfe", b"a\nb", "\u00e9t\u00e9".encode(), b"%s"):
        tree.interface(os.fsdecode(name), 1, 1, 1, 1)
    found = set(rows(opened(tmp_path)))
    assert found == {"mlx5_0/1", "eth0", "ib0", "a\\xff", "a\\xfe", "a\\x0ab", "\u00e9t\u00e9", "%s"}
    assert all(name.isprintable() for name in found)


def test_ports_that_come_later_are_seen_and_descriptors_do_not_grow(tmp_path, opened):
    before = descriptors()
    tree = Network(tmp_path)
    source = opened(tmp_path)
    rows(source)
    kept = descriptors()
    tree.adapter("mlx5_1", 1, 1, 1, 1)
    for _ in range(20):
        rows(source)
    assert descriptors() == kept
    source._due = 0
    assert "mlx5_1/1" in rows(source) and descriptors() > kept
    source.close()
    assert descriptors() == before


def test_more_ports_than_are_kept_open_are_told_once(tmp_path, opened, caplog):
    tree = Network(tmp_path)
    for number in range(MOST + 5):
        tree.interface("veth%d" % number, 1, 1, 1, 1, device="")
    source = opened(tmp_path, patterns=["veth*"])
    source._due = 0
    found = rows(source)
    assert len(found) == MOST and {"mlx5_0/1", "eth0", "ib0"} <= set(found)
    assert told(caplog) == ["network: more than %d ports; the others are left out" % MOST]


def test_a_machine_without_says_what_helps(tmp_path):
    (tmp_path / "sys").mkdir()
    before = descriptors()
    with pytest.raises(Unavailable, match="no network port of hardware in .*load the driver"):
        backend(tmp_path)
    shutil.rmtree(Network(tmp_path).classes / "infiniband")
    with pytest.raises(Unavailable, match="no port that counts InfiniBand's data .*mlx5_ib or hfi1"):
        backend(tmp_path, tables={"infinibandstats_default"})
    assert descriptors() == before


def test_a_port_that_may_not_be_read_is_named_with_what_helps(tmp_path, opened, monkeypatch):
    tree = Network(tmp_path)
    refused, real = str(tree.classes / "net" / "eth0" / "statistics" / "tx_bytes"), os.open

    def guarded(path, *arguments):
        if str(path) == refused:
            raise PermissionError(errno.EACCES, "Permission denied", refused)
        return real(path, *arguments)
    before = descriptors()
    monkeypatch.setattr(os, "open", guarded)
    source = opened(tmp_path)
    assert set(rows(source)) == {"mlx5_0/1", "ib0"} and set(source.lacks) == {"eth0"}
    assert source.lacks["eth0"].startswith("%s may not be read by this user; " % refused)
    monkeypatch.undo()
    source._due = 0
    assert "eth0" in rows(source) and not source.lacks
    source.close()
    assert descriptors() == before
