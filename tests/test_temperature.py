"""Temperatures: made-up machines whose sensors are known, found back by the reader of the node."""
import errno
import os
import subprocess

import pytest

from colmet.common.batch import pack_rows
from colmet.common.metrics import TABLES
from colmet.common.wire import MAX_NAME
from colmet.node.backends import Unavailable, temperature
from colmet.node.clock import SECOND
from colmet.node.source import SlowSource
from heat_tree import backend, chip, degrees, sensors, server, write, zone
from loads import descriptors
from opened import opening, told
from programs import wait_for


@pytest.fixture(name="opened")
def _opened():
    """opened(root) makes the source."""
    yield from opening(backend)


def test_every_sensor_is_found_back_with_its_limits(tmp_path, opened):
    source = opened(server(tmp_path))
    assert source.reader == "hwmon and thermal zones" and not source.unfilled
    assert sensors(source) == {
        "coretemp.0/Package id 0": {"temperature": 60, "max": 90, "crit": 100},
        "coretemp.0/Core 0": {"temperature": 58.5, "max": None, "crit": None},
        "coretemp.1/Package id 1": {"temperature": 60.001, "max": 90, "crit": 100},
        "coretemp.1/Core 0": {"temperature": 58.5, "max": None, "crit": None},
        "nvme-0000:01:00.0/Composite": {"temperature": 36.85, "max": None, "crit": 84.85},
        "jc42-0000:00:1f.4-0018/temp1": {"temperature": -0.5, "max": None, "crit": None},
        "thermal/x86_pkg_temp": {"temperature": 45, "max": None, "crit": None},
        "thermal/acpitz": {"temperature": 27.8, "max": None, "crit": None},
        "thermal/pch_skylake": {"temperature": 51.5, "max": None, "crit": None}}


def test_values_move_and_stay_below_0(tmp_path, opened):
    folder = chip(tmp_path, 0, "jc42", temp1_input=20000)
    source = opened(tmp_path)
    assert degrees(source) == {"jc42/temp1": 20}
    for text, value in (("-12500", -12.5), ("0", 0), ("-0", 0), ("99999", 99.999)):
        write(folder / "temp1_input", text)
        assert degrees(source) == {"jc42/temp1": value}


def test_names_stay_when_the_numbers_of_chips_are_others(tmp_path, opened):
    found = []
    for start, (disk, memory, adapter) in enumerate(((0, 1, 0), (5, 3, 7))):
        root = tmp_path / str(start)
        chip(root, disk, "nvme", "pci0000:00/0000:01:00.0/nvme/nvme%d" % disk, temp1_input=1000)
        chip(root, memory, "jc42", "pci0000:00/0000:00:1f.4/i2c-%d/%d-0018" % (adapter, adapter), temp1_input=2000)
        zone(root, start, "x86_pkg_temp", 3000)
        zone(root, start + 4, "x86_pkg_temp", 4000)
        found.append(degrees(opened(root)))
    assert found[0] == found[1] == {"nvme-0000:01:00.0/temp1": 1, "jc42-0000:00:1f.4-0018/temp1": 2,
                                    "thermal/x86_pkg_temp": 3, "thermal/x86_pkg_temp 2": 4}


def test_a_zone_that_is_shown_as_a_chip_too_is_there_once(tmp_path, opened):
    zone(tmp_path, 0, "acpitz", 27000, trip_point_0_type="passive", trip_point_0_temp=80000,
         trip_point_1_type="critical", trip_point_1_temp=105000, trip_point_2_type="hot", trip_point_2_temp=95000)
    zone(tmp_path, 1, "pch-lake", 28000)
    chip(tmp_path, 0, "acpitz", "virtual/thermal/thermal_zone0", temp1_input=27000)
    chip(tmp_path, 1, "pch_lake", temp1_input=28000)
    chip(tmp_path, 2, "k10temp", "pci0000:00/0000:00:18.3", temp1_input=40000, temp1_label="Tctl")
    assert sensors(opened(tmp_path)) == {
        "k10temp-0000:00:18.3/Tctl": {"temperature": 40, "max": None, "crit": None},
        "thermal/acpitz": {"temperature": 27, "max": 95, "crit": 105},
        "thermal/pch-lake": {"temperature": 28, "max": None, "crit": None}}


def test_files_of_old_drivers_lie_with_the_device(tmp_path, opened):
    device = tmp_path / "sys" / "devices" / "platform" / "coretemp.0"
    for name, value in (("name", "coretemp"), ("temp2_input", 44000), ("temp2_label", "Core 0")):
        write(device / name, value)
    folder = chip(tmp_path, 0, "", "platform/coretemp.0")
    (folder / "name").unlink()
    assert degrees(opened(tmp_path)) == {"coretemp.0/Core 0": 44}


@pytest.mark.parametrize("text", ["", "N/A", "0x20", "1_000", "12 000", str(2 ** 70), "-274000", "65261850", "\0"])
def test_what_is_no_temperature_is_missing_and_told_once(text, tmp_path, opened, caplog):
    folder = chip(tmp_path, 0, "x", temp1_input=1000, temp2_input=2000)
    source = opened(tmp_path)
    write(folder / "temp1_input", text)
    assert [degrees(source) for _ in range(3)] == [{"x/temp1": None, "x/temp2": 2}] * 3
    assert told(caplog) == ["temperature: %s holds no temperature; it is missing until it is mended"
                            % (folder / "temp1_input")]
    write(folder / "temp1_input", 3000)
    assert degrees(source)["x/temp1"] == 3


def test_a_sensor_that_says_it_is_broken_is_missing(tmp_path, opened, caplog):
    folder = chip(tmp_path, 0, "nct6775", "platform/nct6775.656", temp1_input=127000, temp1_fault="0")
    source = opened(tmp_path)
    assert degrees(source) == {"nct6775.656/temp1": 127}
    write(folder / "temp1_fault", "1")
    assert [degrees(source) for _ in range(2)] == [{"nct6775.656/temp1": None}] * 2
    assert told(caplog) == ["temperature: %s says that it is broken; it is missing until it is mended"
                            % (folder / "temp1_fault")]


def test_a_device_that_is_asleep_is_not_woken(tmp_path, opened, caplog):
    """Its file says EIO: when it is read, that is told."""
    state = tmp_path / "sys" / "devices" / "pci0000:00" / "0000:03:00.0" / "power" / "runtime_status"
    write(state, "suspended")
    folder = chip(tmp_path, 0, "amdgpu", "pci0000:00/0000:03:00.0", temp1_label="edge", temp1_crit=100000,
                  temp2_input=50000, temp2_label="junction")
    (folder / "temp1_input").symlink_to("/proc/self/mem")
    chip(tmp_path, 1, "x", temp1_input=1000)
    source = opened(tmp_path)
    asleep = {"temperature": None, "max": None, "crit": None}
    for _ in range(2):
        found = sensors(source)
        assert found["amdgpu-0000:03:00.0/edge"] == found["amdgpu-0000:03:00.0/junction"] == asleep
        assert found["x/temp1"]["temperature"] == 1 and not told(caplog)
    write(state, "active")
    source._due = 0
    found = sensors(source)
    assert found["amdgpu-0000:03:00.0/junction"] == {"temperature": 50, "max": None, "crit": None}
    assert found["amdgpu-0000:03:00.0/edge"] == dict(asleep, crit=100) and len(told(caplog)) == 1


@pytest.mark.parametrize("code, quiet", [("ENODATA", True), ("EAGAIN", True), ("EIO", False), ("EINVAL", False)])
def test_an_error_of_one_sensor_is_its_own_and_passes(code, quiet, tmp_path, opened, caplog, monkeypatch):
    """Files of this machine say EIO alone (/proc/self/mem at 0), so that the others are put in at the call."""
    chip(tmp_path, 0, "x", temp1_input=1000, temp2_input=2000)
    source = opened(tmp_path)
    degrees(source)
    real = source._devices._firsts.read
    with monkeypatch.context() as patched:
        patched.setattr(source._devices._firsts, "read", lambda *fds: [(None, getattr(errno, code)), *real(*fds)[1:]])
        assert [degrees(source) for _ in range(2)] == [{"x/temp1": None, "x/temp2": 2}] * 2
    assert len(told(caplog)) == (0 if quiet else 1)
    assert degrees(source) == {"x/temp1": 1, "x/temp2": 2}


def test_eio_of_the_kernel_is_missing(tmp_path, opened, caplog):
    folder = chip(tmp_path, 0, "x", temp2_input=2000)
    (folder / "temp1_input").symlink_to("/proc/self/mem")
    assert degrees(opened(tmp_path)) == {"x/temp1": None, "x/temp2": 2}
    assert told(caplog) == ["temperature: x/temp1: input/output error; what does not answer is missing until it does"]


def test_what_is_unplugged_is_missing_and_goes_on_under_its_name_elsewhere(tmp_path, opened, caplog):
    server(tmp_path)
    source, name = opened(tmp_path), "nvme-0000:01:00.0/Composite"
    assert degrees(source)[name] == 36.85
    folder = tmp_path / "sys" / "class" / "hwmon" / "hwmon2"
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    assert [degrees(source)[name] for _ in range(3)] == [None] * 3 and len(told(caplog)) == 1
    assert sensors(source)[name] == {"temperature": None, "max": None, "crit": None}
    chip(tmp_path, 2, "mlx5", "pci0000:80/0000:81:00.0", temp1_input=70000, temp1_label="asic")
    chip(tmp_path, 9, "nvme", "pci0000:00/0000:01:00.0/nvme/nvme3", temp1_input=21000, temp1_label="Composite")
    source._due = 0
    found = degrees(source)
    assert (found[name], found["mlx5-0000:81:00.0/asic"]) == (21, 70) and len(found) == 10


def test_a_file_whose_owner_went_is_gone(tmp_path, opened):
    """/proc/PID/oom_score holds a number, and an error once the process ended."""
    sleeper = subprocess.Popen(["sleep", "600"])
    folder = chip(tmp_path, 0, "x", temp2_input=2000)
    (folder / "temp1_input").symlink_to("/proc/%d/oom_score" % sleeper.pid)
    source = opened(tmp_path)
    assert degrees(source)["x/temp1"] is not None
    sleeper.kill()
    sleeper.wait()
    assert degrees(source) == degrees(source) == {"x/temp1": None, "x/temp2": 2}


def test_of_two_of_one_name_the_second_keeps_its_own_when_the_first_goes(tmp_path, opened):
    folders = [zone(tmp_path, number, "x86_pkg_temp", 1000 * number) for number in range(2)]
    source = opened(tmp_path)
    assert degrees(source) == {"thermal/x86_pkg_temp": 0, "thermal/x86_pkg_temp 2": 1}
    for path in folders[0].iterdir():
        path.unlink()
    assert degrees(source) == degrees(source) == {"thermal/x86_pkg_temp": None, "thermal/x86_pkg_temp 2": 1}


def test_names_from_the_machine_fit_the_wire(tmp_path, opened):
    folder = chip(tmp_path, 0, "x" * 999, "platform/%s.0" % ("y" * 250), temp1_input=1000)
    (folder / "temp1_label").write_bytes(b"\xff\x00\x1b[31m" + "\U0001f525".encode() * 200 + b"\nmore")
    (folder / "temp2_input").write_text("2000\n")
    found = degrees(opened(tmp_path))
    assert sorted(found.values()) == [1, 2]
    assert all(len(name.encode()) <= MAX_NAME and name.isprintable() for name in found)
    assert pack_rows(TABLES["temperature"], [(0, 0, [1, None, None])]).data


def test_limits_are_read_again_now_and_then(tmp_path, opened):
    folder = chip(tmp_path, 0, "x", temp1_input=1000, temp1_max=80000)
    source = opened(tmp_path)
    assert sensors(source)["x/temp1"]["max"] == 80
    write(folder / "temp1_max", 90000)
    assert sensors(source)["x/temp1"]["max"] == 80
    source._due = 0
    write(folder / "temp2_input", 2000)
    write(folder / "temp2_max", 70000)
    found = sensors(source)
    assert (found["x/temp1"]["max"], found["x/temp2"]["max"]) == (80, 70)       # of a new one at once
    source._due = source._sensors["x/temp1"].due = 0
    assert sensors(source)["x/temp1"]["max"] == 90


def test_a_sensor_that_hangs_delays_no_tick(tmp_path):
    """A FIFO: whoever opens it waits for a writer."""
    folder = chip(tmp_path, 0, "x", temp1_input=1000)
    os.mkfifo(folder / "temp2_input")
    slow = SlowSource("temperature", backend(tmp_path), temperature.TABLES, SECOND)
    assert temperature.SLOW

    def guard(_source, _meter, work, *arguments):
        return work(*arguments)
    for _ in range(100):
        assert slow.rows([]) == {}
        slow.start(guard, [])
    with open(folder / "temp2_input", "w"):     # returns when the thread has opened it, too
        wait_for(lambda: slow.rows([]), 60, "rows")
        assert slow.rows([])["temperature"] == [(None, "x/temp1", [1, None, None]),
                                               (None, "x/temp2", [None, None, None])]
        slow.close()
        slow._thread.join(60)
        assert not slow._thread.is_alive()


def test_the_descriptors_are_given_back(tmp_path):
    before = descriptors()
    source = backend(server(tmp_path))
    degrees(source)
    assert descriptors() > before
    source.close()
    assert descriptors() == before


def test_a_machine_without_sensors_says_so(tmp_path):
    chip(tmp_path, 0, "fan_only", fan1_input=1200)
    with pytest.raises(Unavailable) as error:
        backend(tmp_path)
    assert str(error.value) == ("no temperature in %s/sys/class/hwmon nor %s/sys/class/thermal; load the driver of the "
                                "sensors, such as coretemp, k10temp or nvme (virtual machines mostly have none)"
                                % (tmp_path, tmp_path))
