"""What the network ports of made-up machines tell: counters, faults, ports that go and come back."""
import errno
import shutil

import pytest

from colmet.common.batch import pack_rows
from colmet.common.metrics import TABLES
from network_tree import IB_FAULTS, Network, backend, rows, traffic, write
from opened import opening, told


@pytest.fixture(name="opened")
def _opened():
    """opened(root) makes the source."""
    yield from opening(backend)


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
