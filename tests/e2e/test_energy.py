"""Energy of a made-up machine, from its files by real programs to HDF5: by either wire, and back with the PMU."""
import json
import os
import re

import h5py
import pytest

from colmet.common import wire06
from colmet.common.metrics import TABLES
from collectors import Old
from energy_tree import RANGE, Powercap, power_pmu
from programs import Program, wait_for
from stored import wait_until

pytest_plugins = ("harness",)
PATIENCE = 60
RECORD = wire06.layout(TABLES["RAPLstats_default"])
OTHERS = ("--disable-taskstats", "--disable-procstats", "--disable-job", "--disable-account", "--disable-cgroup")


def last(path, table):
    """{zone: its last row} of `rapl`, or the last row of a table without zones; None where there is none yet."""
    if not path.exists():
        return None
    with h5py.File(path, "r", locking=False) as file:
        if "job_0/" + table not in file:
            return None
        rows = file["job_0/" + table][:]
        if "zone" not in rows.dtype.names:
            return rows[-1]
        return {row["zone"].decode(): row for row in rows}


def energy(path, zone):
    """uJ of the zone's last row."""
    return (last(path, "rapl") or {}).get(zone, {"energy": None})["energy"]


def test_what_the_zones_used_is_in_the_file(uri, start, tmp_path):
    tree = Powercap(tmp_path / "machine")
    tree.set("package-1", RANGE - 10 ** 6)
    path = tmp_path / "jobs.hdf5"
    collector = start("collector", "--zeromq-bind-uri", uri, "--hdf5-filepath", path)
    node = start("node", "--zeromq-uri", uri, "--wire", "native", "-s", "0.2", "--root", tree.root, "--enable-RAPL",
                 *OTHERS)
    wait_until(collector, lambda: energy(path, "package-0") == 0, "first row")
    tree.use(package_0=1234.5, package_0__dram=20, package_1=3)
    wait_until(collector, lambda: energy(path, "package-0") == 1234500000, "energy of package-0")
    assert node.stop() == 0 and collector.stop() == 0
    rows = last(path, "rapl")
    assert {zone: int(row["energy"]) for zone, row in rows.items()} == {
        "package-0": 1234500000, "package-0/core": 0, "package-0/dram": 20000000,
        "package-1": 3000000, "package-1/core": 0, "package-1/dram": 0}
    assert [int(rows[zone]["wraps"]) for zone in ("package-0", "package-1")] == [0, 1]
    with h5py.File(path, "r") as file:
        table = file["job_0/RAPLstats_default"]
        old = table[:]
        mapping = json.loads(table.attrs["mapping"])["mappings"][0]
        assert json.loads(file["job_0/rapl"].attrs["units"])["energy"] == "uJ"
    assert old["counter_1"].sum() == 1234500000 and old["counter_5"].sum() == 20000000
    assert old["counter_7"].sum() == 3000000 and set(old["counter_2"]) == {RANGE} and set(old["counter_13"]) == {-1}
    assert mapping["counter_7"] == "energy_microjoule,package-1,zone_package"
    [file] = tmp_path.glob("RAPL_mapping.*.csv")        # in the working directory
    assert dict(line.split(",", 1) for line in file.read_text().splitlines()) == mapping


def test_the_0_6_wire_has_the_records_of_0_6(uri, start, tmp_path):
    tree = Powercap(tmp_path / "machine")
    (tmp_path / "maps").mkdir()
    with Old(uri) as sink:
        node = start("node", "--zeromq-uri", uri, "--wire", "0.6", "-s", "0.2", "--root", tree.root, "--enable-RAPL",
                     "--profile", "0.6", "--mapping-dir", tmp_path / "maps", *OTHERS)
        sink.serve(lambda: sink.messages, PATIENCE)
        tree.use(package_0=7)
        sink.serve(lambda: sum(values(message)[0] for message in sink.messages) == 7000000, PATIENCE)
        assert node.stop() == 0
    assert all(values(message)[1] == RANGE and values(message)[12:24] == (-1,) * 12 for message in sink.messages)
    assert len(list((tmp_path / "maps").glob("RAPL_mapping.*.csv"))) == 1


def values(message):
    """The columns of the one record of a message."""
    assert len(message) == RECORD.size and message.startswith(b"RAPLstats_default\0")
    return RECORD.body.unpack_from(message, wire06.HEADER.size)


@pytest.mark.root
def test_the_pmu_stands_in_for_powercap(uri, start, tmp_path):
    power_pmu(tmp_path / "machine")
    path = tmp_path / "jobs.hdf5"
    collector = start("collector", "--zeromq-bind-uri", uri, "--hdf5-filepath", path)
    node = start("node", "--zeromq-uri", uri, "--wire", "native", "-s", "0.2", "--root", tmp_path / "machine",
                 "--enable-RAPL", *OTHERS)
    wait_until(collector, lambda: (energy(path, "package-0") or 0) > 10 ** 6, "energy")
    assert node.stop() == 0 and collector.stop() == 0
    assert "rapl (perf)" in node.errors() and "rapl by powercap: no RAPL zone in " in node.errors()


def test_what_is_not_there_is_said_once_with_what_helps(uri, start, tmp_path):
    (tmp_path / "machine" / "proc").mkdir(parents=True)
    node = start("node", "--zeromq-uri", uri, "-s", "0.2", "--root", tmp_path / "machine", "--enable-RAPL", *OTHERS,
                 "--zeromq-linger", "0", env=dict(os.environ, LIB_RAPL_PATH="/usr/lib/lib_rapl.so"))
    wait_for(lambda: "sends to" in node.errors(), PATIENCE, "start lines")
    assert node.stop() == 0
    said = node.errors()
    assert len(re.findall("no RAPL zone in .*modprobe intel_rapl_msr", said)) == 1
    assert said.startswith("colmet-node: LIB_RAPL_PATH: not needed any more: the built-in helper is used\n")
    assert not list(tmp_path.glob("RAPL_mapping*"))


def test_check_tells_of_zones_that_cannot_be_read(running, tmp_path):
    tree = Powercap(tmp_path / "machine")
    (tree.folders["package-1"] / "max_energy_range_uj").write_text("7\n")
    check = Program("colmet.node.main", ("check", "--json", "--root", tree.root, "--enable-RAPL", *OTHERS), tmp_path)
    running.append(check)
    check.process.wait(PATIENCE)
    [found] = [each for each in json.loads(check.out.read_text())["checks"] if each["name"] == "rapl"]
    assert (found["state"], found["asked"]) == ("part", True)
    assert found["why"] == ("RAPLstats_default, rapl, without package-1: its counter begins anew after 7 uJ, "
                            "too often to be followed")
    assert not list(tmp_path.glob("RAPL_mapping*"))
