"""Traffic of network ports by real programs: of a made-up machine from its files to HDF5, of a wire that carries a
known number of bytes, and beside the real perfquery that 0.6 ran."""
import json
import os
import shutil

import h5py
import pytest

from colmet.collector import legacy
from colmet.common import wire06
from colmet.common.metrics import TABLES
from collectors import Old
from fabric import PROGRAMS, fabric
from network_tree import GOLDEN, TRAFFIC, Network
from programs import Program, wait_for
from stored import MISSING, rows, wait_until
from wires import FAR, NEAR, wire

pytest_plugins = ("harness",)
PATIENCE = 60
NAME = "infinibandstats_default"
RECORD = wire06.layout(TABLES[NAME])
OTHERS = ("--disable-taskstats", "--disable-procstats", "--disable-job", "--disable-account", "--disable-cgroup",
          "--scheduler", "none")


@pytest.fixture(name="machine")
def _machine(tmp_path):
    return Network(tmp_path / "machine")


@pytest.fixture(name="measured")
def _measured(uri, start, tmp_path):
    """measured(root, options...) starts both programs; (the file, the collector, a function that ends both and returns
    the node)."""
    def run(root, *options):
        path = tmp_path / "jobs.hdf5"
        collector = start("collector", "--zeromq-bind-uri", uri, "--hdf5-filepath", path, "-s", "0.2")
        node = start("node", "--zeromq-uri", uri, "--wire", "native", "-s", "0.2", "--root", root, *options, *OTHERS)

        def end():
            assert node.stop() == 0 and collector.stop() == 0
            return node
        return path, collector, end
    return run


def stored(path, port):
    """Rows of one port, in the order of time."""
    found = rows(path, "0", "network") if path.exists() else []
    return [row for row in found if row["port"] == port.encode()]


def traffic(path, port):
    """Bytes and packets of its last row."""
    return [stored(path, port)[-1][name] for name in TRAFFIC] if stored(path, port) else []


def test_what_the_ports_count_is_in_the_file(machine, measured):
    path, collector, end = measured(machine.root, "--enable-network", "--enable-infiniband")
    wait_until(collector, lambda: traffic(path, "mlx5_0/1") == [0] * 4, "first row")
    machine.adapter("mlx5_0", GOLDEN[0] + 250, GOLDEN[1] + 1000, GOLDEN[2] + 7, GOLDEN[3] + 8)
    machine.interface("eth0", 10 ** 12, 3, 4, 5, carrier=0)
    machine.interface("ib0", "N/A", 2, 3, 4, kind="32")
    wait_until(collector, lambda: traffic(path, "mlx5_0/1") == [1000, 4000, 7, 8], "the new values")
    wait_until(collector, lambda: traffic(path, "ib0")[0] == MISSING, "what is missing")
    shutil.rmtree(machine.classes / "infiniband" / "mlx5_0")
    wait_until(collector, lambda: rows(path, "0", NAME)[-1]["portRcvPkts"] == -1, "the loss of the adapter")
    node = end()
    assert traffic(path, "eth0") == [10 ** 12 - 1, 1, 1, 1] and traffic(path, "ib0")[1:] == [0, 0, 0]
    assert (stored(path, "eth0")[0]["up"], stored(path, "eth0")[-1]["up"]) == (1, 0)
    assert {(row["speed"], row["summed"], row["resets"]) for row in stored(path, "mlx5_0/1")} == {(12500000000, 1, 0)}
    assert stored(path, "ib0")[0]["summed"] == 0 and not stored(path, "docker0")
    told = list(map(old, rows(path, "0", NAME)))
    assert told[0] == (4 * GOLDEN[0], 4 * GOLDEN[1], *GOLDEN[2:]) and told[-1] == (-1,) * 4
    assert (4 * GOLDEN[0] + 1000, 4 * GOLDEN[1] + 4000, GOLDEN[2] + 7, GOLDEN[3] + 8) in told
    with h5py.File(path, "r") as file:
        assert json.loads(file["job_0/network"].attrs["units"])["speed"] == "bytes/s"
    assert node.errors().count("mlx5_0/1: no such device") == 1
    assert "network (InfiniBand and Ethernet)" in node.errors()


def old(row):
    """The four values of 0.6's table."""
    return tuple(row[metric.name] for metric in TABLES[NAME].metrics)


@pytest.mark.root
def test_a_wire_that_carries_a_known_number_of_bytes(measured, tmp_path):
    if not shutil.which("ip"):
        pytest.skip("needs ip: apt install iproute2")
    with wire(tmp_path / "machine") as ends:
        path, collector, end = measured(ends.root, "--enable-network", "--network-interface", "wire?")
        wait_until(collector, lambda: traffic(path, FAR), "first row")
        ends.send(1000, 1514)
        ends.send(7, 60)
        wait_until(collector, lambda: traffic(path, FAR)[1], "what came")
        ends.send(1, 1000)
        total = 1000 * 1514 + 7 * 60 + 1000
        wait_until(collector, lambda: traffic(path, NEAR) == [total, 0, 1008, 0], "all that was sent")
        wait_until(collector, lambda: traffic(path, FAR) == [0, total, 0, 1008], "all that came")
        end()
        assert {(row["up"], row["summed"], row["receive_errors"]) for row in stored(path, FAR)} == {(1, 0, 0)}
        assert not stored(path, "lo")


def test_the_0_6_wire_has_the_records_of_0_6(machine, uri, start):
    with Old(uri) as sink:
        node = start("node", "--zeromq-uri", uri, "--wire", "0.6", "-s", "0.2", "--root", machine.root,
                     "--enable-infiniband", "--omnipath", "--profile", "0.6", *OTHERS)
        sink.serve(lambda: sink.messages, PATIENCE)
        assert node.stop() == 0
    for message in sink.messages:
        assert len(message) == RECORD.size == 8750 and message.startswith(NAME.encode() + b"\0")
        assert RECORD.body.unpack_from(message, wire06.HEADER.size)[:4] == (8 * GOLDEN[0], 8 * GOLDEN[1], *GOLDEN[2:])


@pytest.mark.system
@pytest.mark.parametrize("options", [(), ("--omnipath",)], ids=["infiniband", "omnipath"])
def test_the_files_give_what_perfquery_gives_to_0_6(options, machine, uri, start, start_old, tmp_path):
    """The kernel fills a port's counters from the very answer that perfquery prints: the same numbers in both, read
    by 0.6 from the program and by ours from the files, are the same record."""
    if not all(map(shutil.which, PROGRAMS)):
        pytest.skip("needs perfquery and a fabric: apt install ibsim-utils infiniband-diags")
    said = {"PortXmitData": 2 ** 40 + 1, "PortRcvData": 2 ** 33 + 5, "PortXmitPkts": 2 ** 32, "PortRcvPkts": 77}
    with fabric(tmp_path) as simulated:
        for counter, value in said.items():
            simulated.set(counter, value)
        wait_for(lambda: said.items() <= simulated.perfquery().items(), PATIENCE, "these counters")
        with Old(uri) as sink:
            start_old("node", "--zeromq-uri", uri, "-s", "1", "--enable-infiniband",
                      "--disable-procstats", *options, env=simulated.environ)
            sink.serve(lambda: sink.messages, PATIENCE)
            theirs = values(sink.messages[0])
    machine.adapter("mlx5_0", *said.values())
    with Old(uri) as sink:
        start("node", "--zeromq-uri", uri, "--wire", "0.6", "-s", "1", "--root", machine.root, "--enable-infiniband",
              *options, *OTHERS)
        sink.serve(lambda: sink.messages, PATIENCE)
    assert values(sink.messages[0]) == theirs and theirs[2:] == (2 ** 32, 77)


def values(message):
    """The columns of 0.6's table in a message."""
    [row] = [row[2:] for batch in legacy.decode(message)[0] for block in batch.blocks for row in block
             if block.table.name == NAME]
    return row


def test_check_tells_of_the_ports(machine, running, tmp_path):
    check = Program("colmet.node.main", ("check", "--json", "--root", machine.root, "--enable-network"), tmp_path)
    running.append(check)
    check.process.wait(PATIENCE)
    [found] = [each for each in json.loads(check.out.read_text())["checks"] if each["name"] == "network"]
    assert (found["state"], found["asked"], found["why"]) == ("on", True, "network")


def test_what_is_not_there_is_said_once_with_what_helps(uri, start, tmp_path):
    (tmp_path / "machine" / "proc").mkdir(parents=True)
    node = start("node", "--zeromq-uri", uri, "-s", "0.2", "--root", tmp_path / "machine", "--enable-infiniband",
                 *OTHERS, "--zeromq-linger", "0")
    wait_for(lambda: "sends to" in node.errors(), PATIENCE, "start lines")
    assert node.stop() == 0
    assert node.errors().count("load the driver of the adapter, such as mlx5_ib or hfi1") == 1


def test_ethernet_alone_has_no_record_of_0_6_and_that_is_said(machine, measured):
    shutil.rmtree(machine.classes / "infiniband")
    path, collector, end = measured(machine.root, "--enable-network", "--enable-infiniband")
    wait_until(collector, lambda: traffic(path, "eth0"), "first row")
    node = end()
    assert not rows(path, "0", NAME) and NAME + ": Ethernet does not tell of it" in node.errors()
