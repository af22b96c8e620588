"""Temperatures of a made-up machine, from its files by real programs to HDF5, and on the wire of 0.6."""
import json
import os

import h5py
import pytest

from colmet.common import wire06
from colmet.common.metrics import TABLES
from collectors import Old
from heat_tree import server, write
from programs import Program, wait_for
from stored import rows, wait_until

pytest_plugins = ("harness",)
PATIENCE = 60
NAME = "temperaturestats_default"
RECORD = wire06.layout(TABLES[NAME])
OTHERS = ("--disable-taskstats", "--disable-procstats", "--disable-job", "--disable-account", "--disable-cgroup")


@pytest.fixture(name="machine")
def _machine(tmp_path):
    return server(tmp_path / "machine")


def stored(path, sensor):
    """Temperatures of one sensor, in the order of time."""
    found = rows(path, "0", "temperature") if path.exists() else []
    return [row["temperature"] for row in found if row["sensor"] == sensor.encode()]


def test_what_the_sensors_say_is_in_the_file(machine, uri, start, tmp_path):
    path, disk = tmp_path / "jobs.hdf5", "nvme-0000:01:00.0/Composite"
    collector = start("collector", "--zeromq-bind-uri", uri, "--hdf5-filepath", path, "-s", "0.2")
    node = start("node", "--zeromq-uri", uri, "--wire", "native", "-s", "0.2", "--root", machine,
                 "--enable-temperature", *OTHERS)
    wait_until(collector, lambda: 36.85 in stored(path, disk), "first row")
    write(machine / "sys/class/hwmon/hwmon2/temp1_input", -1250)
    write(machine / "sys/class/thermal/thermal_zone1/temp", 99900)
    write(machine / "sys/class/hwmon/hwmon3/temp1_input", "N/A")
    memory = "jc42-0000:00:1f.4-0018/temp1"
    wait_until(collector, lambda: -1.25 in stored(path, disk) and stored(path, memory)[-1] != -0.5, "the new values")
    assert node.stop() == 0 and collector.stop() == 0
    assert set(stored(path, disk)) == {36.85, -1.25} and stored(path, memory)[0] == -0.5
    assert stored(path, memory)[-1] != stored(path, memory)[-1]         # NaN
    assert set(stored(path, "thermal/acpitz")) == {27.8, 99.9}
    limits = {(row["max"], row["crit"]) for row in rows(path, "0", "temperature") if b"/Package id" in row["sensor"]}
    assert limits == {(90, 100)}
    assert {row["counter_2"] for row in rows(path, "0", NAME)} == {27, 99}
    with h5py.File(path, "r") as file:
        mapping = json.loads(file["job_0/" + NAME].attrs["mapping"])["mappings"][0]
        assert json.loads(file["job_0/temperature"].attrs["units"])["crit"] == "Celsius"
    assert mapping["counter_2"] == "acpitz_1" and mapping["counter_6"] == "no counter"
    [file] = tmp_path.glob("temperature_mapping.*.csv")        # in the working directory
    assert [line.split(", ")[1].strip() for line in file.read_text().splitlines()] == list(mapping.values())
    assert "temperature (hwmon and thermal zones)" in node.errors()
    assert node.errors().count("hwmon3/temp1_input holds no temperature") == 1


def test_the_0_6_wire_has_the_records_of_0_6(machine, uri, start, tmp_path):
    (tmp_path / "maps").mkdir()
    with Old(uri) as sink:
        node = start("node", "--zeromq-uri", uri, "--wire", "0.6", "-s", "0.2", "--root", machine,
                     "--enable-temperature", "--profile", "0.6", "--mapping-dir", tmp_path / "maps", *OTHERS)
        sink.serve(lambda: sink.messages, PATIENCE)
        write(machine / "sys/class/thermal/thermal_zone2/temp", 77999)
        sink.serve(lambda: values(sink.messages[-1])[2] == 77, PATIENCE)
        assert node.stop() == 0
    assert {values(message)[:2] + values(message)[3:] for message in sink.messages} == {(45, 27, -1, -1, -1)}
    assert len(list((tmp_path / "maps").glob("temperature_mapping.*.csv"))) == 1


def values(message):
    """The columns of the one record of a message."""
    assert len(message) == RECORD.size == 574 and message.startswith(NAME.encode() + b"\0")
    return RECORD.body.unpack_from(message, wire06.HEADER.size)


def test_a_sensor_that_hangs_keeps_no_other_source_and_no_end_waiting(machine, uri, start, tmp_path):
    os.mkfifo(machine / "sys/class/hwmon/hwmon3/temp2_input")       # whoever opens it waits
    path = tmp_path / "jobs.hdf5"
    collector = start("collector", "--zeromq-bind-uri", uri, "--hdf5-filepath", path, "-s", "0.2")
    node = start("node", "--zeromq-uri", uri, "--wire", "native", "-s", "0.2", "--root", machine,
                 "--enable-temperature", *OTHERS)
    wait_for(lambda: path.exists() and len(rows(path, "0", "colmet")) > 20, PATIENCE, "rows of the node itself")
    assert node.stop() == 0 and collector.stop() == 0
    assert not rows(path, "0", "temperature") and not rows(path, "0", NAME)
    assert "sources   " in node.errors()


def test_check_tells_of_the_sensors_and_writes_nothing(machine, running, tmp_path):
    check = Program("colmet.node.main", ("check", "--json", "--root", machine, "--enable-temperature"), tmp_path)
    running.append(check)
    check.process.wait(PATIENCE)
    [found] = [each for each in json.loads(check.out.read_text())["checks"] if each["name"] == "temperature"]
    assert (found["state"], found["asked"], found["why"]) == ("on", True, "%s, temperature" % NAME)
    assert not list(tmp_path.glob("temperature_mapping*"))


def test_what_is_not_there_is_said_once_with_what_helps(uri, start, tmp_path):
    (tmp_path / "machine" / "proc").mkdir(parents=True)
    node = start("node", "--zeromq-uri", uri, "-s", "0.2", "--root", tmp_path / "machine", "--enable-temperature",
                 *OTHERS, "--zeromq-linger", "0")
    wait_for(lambda: "sends to" in node.errors(), PATIENCE, "start lines")
    assert node.stop() == 0
    assert node.errors().count("load the driver of the sensors, such as coretemp, k10temp or nvme") == 1
    assert not list(tmp_path.glob("temperature_mapping*"))
