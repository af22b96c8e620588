"""The network ports of made-up machines, read by the node's source."""
import errno
import os
import shutil
import socket
from pathlib import Path

import pytest

from colmet.common.batch import pack_rows
from colmet.common.metrics import TABLES
from colmet.node.backends import Unavailable
from colmet.node.network.opened import MOST
from loads import descriptors
from network_tree import IB_FAULTS, Network, backend, rows, traffic, write

UDP = (socket.AF_INET, socket.SOCK_DGRAM)


@pytest.fixture(name="opened")
def _opened():
    """opened(root) makes the source."""
    made = []

    def make(*arguments, **options):
        made.append(backend(*arguments, **options))
        return made[-1]
    yield make
    for each in made:
        each.close()


def told(caplog):
    """What was told of faults."""
    return [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]


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


def test_errors_waits_and_links_that_went_down(tmp_path, opened):
    tree = Network(tmp_path)
    tree.adapter("mlx5_0", 1, 2, 3, 4, names=IB_FAULTS)
    source = opened(tmp_path)
    rows(source)
    tree.adapter("mlx5_0", 11, 22, 33, 44, names=IB_FAULTS)
    tree.interface("eth0", carrier_down_count=3)
    for name, value in (("tx_errors", 5), ("tx_dropped", 6), ("rx_errors", 70), ("rx_missed_errors", 80)):
        write(tree.classes / "net" / "eth0" / "statistics" / name, value)
    found, names = rows(source), ("send_errors", "receive_errors", "send_wait", "link_downs")
    assert [found["mlx5_0/1"][name] for name in names] == [10, 20, 30, 40]
    assert [found["eth0"][name] for name in names] == [11, 150, None, 2]


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


@pytest.mark.parametrize("broken", ["N/A (no PMA)", "-5", "", "9" * 30, str(2 ** 64 - 1), str(2 ** 32 - 1), "\0"])
def test_what_is_not_known_is_missing_and_comes_back(broken, tmp_path, opened, caplog):
    tree = Network(tmp_path)
    source = opened(tmp_path)
    rows(source)
    tree.adapter("mlx5_0", broken, 2222222223, 33333333, 44444444)
    assert [traffic(rows(source)["mlx5_0/1"]) for _ in range(3)] == [[None, 4, 0, 0]] * 3
    assert len(told(caplog)) == (broken == str(2 ** 32 - 1))
    tree.adapter("mlx5_0", 1111111121)
    assert traffic(rows(source)["mlx5_0/1"]) == [40, 4, 0, 0]


def test_counters_of_few_bits_that_stopped_are_missing_and_told_once(tmp_path, opened, caplog):
    tree = Network(tmp_path)
    tree.adapter("mlx5_0", 65535, 65535, 2 ** 32 - 1, 255, names=IB_FAULTS)
    source = opened(tmp_path)
    row = [rows(source) for _ in range(3)][-1]["mlx5_0/1"]
    assert [row[name] for name in ("send_errors", "receive_errors", "send_wait", "link_downs")] == [None] * 4
    assert len(told(caplog)) == 4 and all("perfquery -R" in line for line in told(caplog))


def test_values_that_do_not_fit_are_missing(tmp_path, opened):
    tree = Network(tmp_path)
    tree.adapter("mlx5_0", 0)
    source = opened(tmp_path)
    rows(source)
    tree.adapter("mlx5_0", 2 ** 61, 2 ** 61 + 2222222222, 2 ** 62)
    found = source.sample([])
    row = {name: values for _, name, values in found["network"]}["mlx5_0/1"]
    assert row[1:4] == [None, None, 2 ** 62 - 33333333]
    for table, made in found.items():
        pack_rows(TABLES[table], [(0, 0, values) for _, _, values in made])


def test_a_file_that_fails_is_missing_and_told_once_and_the_others_are_not(tmp_path, opened, caplog, monkeypatch):
    tree = Network(tmp_path)
    source = opened(tmp_path)
    rows(source)
    real = source._opened._firsts.read
    place = len(source._opened._open["mlx5_0/1"].fds) + 2      # eth0's rx_bytes

    def failing(fds):
        return [(None, errno.EIO) if each == place else answer for each, answer in enumerate(real(fds))]
    monkeypatch.setattr(source._opened._firsts, "read", failing)
    tree.interface("eth0", 3, 5, 7, 9)
    assert [traffic(rows(source)["eth0"]) for _ in range(3)] == [[2, None, 4, 5]] * 3
    assert told(caplog) == ["network: eth0: input/output error; what does not answer is missing until it does"]
    monkeypatch.undo()
    assert traffic(rows(source)["eth0"]) == [2, 3, 4, 5]


def test_an_interface_that_is_switched_off_is_down_and_that_is_no_fault(tmp_path, opened, caplog, monkeypatch):
    Network(tmp_path)
    source = opened(tmp_path)
    real = source._opened._firsts.read
    place = len(source._opened._open["mlx5_0/1"].fds)           # eth0's carrier
    monkeypatch.setattr(source._opened._firsts, "read", lambda fds: [
        (None, errno.EINVAL) if each == place else answer for each, answer in enumerate(real(fds))])
    assert rows(source)["eth0"]["up"] == 0 and not told(caplog)


def test_unplugged_and_back_is_counted_anew(tmp_path, opened, caplog):
    tree = Network(tmp_path)
    source = opened(tmp_path)
    since = rows(source)["mlx5_0/1"]["since"]
    tree.adapter("mlx5_0", 1111111119)
    assert rows(source)["mlx5_0/1"]["sent"] == 32
    for wait in (False, True):
        shutil.rmtree(tree.classes / "infiniband" / "mlx5_0")
        assert not wait or all(set(rows(source)) == {"eth0", "ib0"} for _ in range(2))
        tree.adapter("mlx5_0", 5, 5, 5, 5)
        assert set(rows(source)) == {"eth0", "ib0"}             # another adapter: the next sample looks for it
        source._due = 0 if wait else source._due                # a minute later
        row = rows(source)["mlx5_0/1"]
        assert traffic(row) == [0] * 4 and row["since"] > since
    assert len(told(caplog)) == 1


def test_a_port_whose_files_say_that_it_is_gone_is_looked_for_again(tmp_path, opened, caplog, monkeypatch):
    """As sysfs has it: the file stays open, and there is no device any more."""
    Network(tmp_path)
    source = opened(tmp_path)
    since = rows(source)["mlx5_0/1"]["since"]
    monkeypatch.setattr(source._opened._firsts, "read", lambda fds: [(None, errno.ENODEV)] * len(fds))
    assert rows(source) == {}
    monkeypatch.undo()
    found = rows(source)
    assert set(found) == {"mlx5_0/1", "eth0", "ib0"} and found["mlx5_0/1"]["since"] > since
    assert len(told(caplog)) == 3


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


def test_interfaces_that_change_names_change_rows(tmp_path, opened):
    tree = Network(tmp_path)
    tree.interface("eth1", 1000, 1000, 10, 10)
    source = opened(tmp_path)
    rows(source)
    place = tree.classes / "net"
    for old, new in (("eth0", "x"), ("eth1", "eth0"), ("x", "eth1")):
        (place / old).rename(place / new)
    source._due = 0
    tree.interface("eth0", 1005)
    found = rows(source)
    assert found["eth0"]["sent"] in (0, 5) and found["eth1"]["sent"] == 0
    tree.interface("eth0", 1010)
    assert rows(source)["eth0"]["sent"] == found["eth0"]["sent"] + 5


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
