"""The network ports of a made-up machine, read by the node's source."""
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from colmet.common.metrics import TABLES
from colmet.node.backends import Unavailable, network
from network_tree import Network, fill

NAMES = [metric.name for metric in TABLES["network"].metrics]
GOLDEN = Path(__file__).parent / "golden" / "0.6" / "hardware" / "messages.json"


def opened(root, omnipath=False, tables=None):
    return network.Backend(root, SimpleNamespace(tables=tables, omnipath=omnipath))


def rows(backend):
    return {port: dict(zip(NAMES, values)) for _, port, values in backend.sample([])["network"]}


def traffic(row):
    return [row[name] for name in NAMES[1:5]]


def test_bytes_by_driver_and_nothing_twice(tmp_path):
    tree = Network(tmp_path)
    backend = opened(tmp_path)
    first = rows(backend)
    assert list(first) == ["hfi1_0/1", "mlx5_0/1", "eth0", "ib0"]
    assert all(traffic(row) == [0] * 4 for row in first.values())
    assert {port for port, row in first.items() if row["summed"]} == {"hfi1_0/1", "mlx5_0/1", "eth0"}
    tree.port("mlx5_0", 1111111112, 2222222224, 33333336, 44444448)
    tree.port("hfi1_0", 11, 22, 33, 44, state="1: DOWN")
    tree.interface("eth0", 6, 8, 10, 12)
    found = rows(backend)
    assert traffic(found["mlx5_0/1"]) == [4, 8, 3, 4] and traffic(found["hfi1_0/1"]) == [8, 16, 3, 4]
    assert traffic(found["eth0"]) == [5, 6, 7, 8]
    assert [found[port]["up"] for port in found] == [0, 1, 1, 1]
    assert found["eth0"]["since"] == first["eth0"]["since"]


def test_resets_and_wraps_never_lessen_a_total(tmp_path):
    tree = Network(tmp_path)
    tree.interface("eth0", 2 ** 32 - 10, 500, 50, 60)
    backend = opened(tmp_path)
    rows(backend)
    tree.interface("eth0", 5, 510, 51, 61)          # one wraps
    row = rows(backend)["eth0"]
    assert traffic(row) == [15, 10, 1, 1] and row["resets"] == 0
    tree.interface("eth0", 3, 7, 2, 1)              # all begin anew
    row = rows(backend)["eth0"]
    assert traffic(row) == [18, 17, 3, 2] and row["resets"] == 1


@pytest.mark.parametrize("broken", ["N/A (no PMA)", "-5", "", "9" * 30, str(2 ** 32 - 1)])
def test_what_is_not_known_is_missing_and_comes_back(broken, tmp_path):
    tree = Network(tmp_path)
    backend = opened(tmp_path)
    rows(backend)
    counters = tree.port("mlx5_0", broken, 2222222223, 33333333, 44444444)
    assert traffic(rows(backend)["mlx5_0/1"]) == [None, 4, 0, 0]
    fill(counters, ["port_xmit_data"], [1111111121])
    assert traffic(rows(backend)["mlx5_0/1"]) == [40, 4, 0, 0]


def test_unplugged_and_back(tmp_path):
    tree = Network(tmp_path)
    backend = opened(tmp_path)
    since = rows(backend)["mlx5_0/1"]["since"]
    shutil.rmtree(tree.classes / "infiniband" / "mlx5_0")
    assert "mlx5_0/1" not in rows(backend)
    tree.port("mlx5_0", 5, 5, 5, 5)
    row = rows(backend)["mlx5_0/1"]
    assert traffic(row) == [0] * 4 and row["since"] > since


def test_the_record_of_0_6(tmp_path):
    golden = json.loads(GOLDEN.read_text())["messages"][0][0]
    tree = Network(tmp_path)
    shutil.rmtree(tree.classes / "infiniband" / "hfi1_0")
    wanted = [golden[metric.name] for metric in TABLES["infinibandstats_default"].metrics]
    [(job, instance, values)] = opened(tmp_path).sample([])["infinibandstats_default"]
    assert (job, instance, values) == (None, "", wanted)
    [(_, _, values)] = opened(tmp_path, omnipath=True).sample([])["infinibandstats_default"]
    assert values == [2 * wanted[0], 2 * wanted[1], *wanted[2:]]


def test_a_machine_without(tmp_path):
    with pytest.raises(Unavailable, match="no network port"):
        opened(tmp_path)
    Network(tmp_path).classes.joinpath("infiniband").rename(tmp_path / "away")
    with pytest.raises(Unavailable, match="no InfiniBand or Omni-Path port"):
        opened(tmp_path, tables={"infinibandstats_default"})
