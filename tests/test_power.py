"""Power: made-up machines whose meters are known, found back by the reader of the node."""
import subprocess
import sys

import pytest

from colmet.common.batch import pack_rows
from colmet.common.metrics import TABLES
from colmet.common.wire import MAX_NAME
from colmet.node.backends import Unavailable, power
from colmet.node.power import cray as cray_files
from colmet.node.power.meters import Meters
from colmet.node.power.reading import Counted
from heat_tree import write
from loads import descriptors
from opened import told
from power_tree import NAME_06, Cray, close, meter, meters, options, watts


@pytest.fixture(name="opened")
def _opened():
    """opened(root) makes the source."""
    made = []

    def make(root, **given):
        made.append(power.Backend(root, options(**given)))
        return made[-1]
    yield make
    for each in made:
        close(each)


@pytest.fixture(name="hwmon")
def _hwmon(opened):
    """hwmon(root) gives {meter: watts} of a reading that began after the call."""
    sources = {}

    def read(root, values=watts):
        source = sources.get(root) or sources.setdefault(root, opened(root))
        [late] = source.meters._readers["hwmon"]
        for _ in range(2):          # the first may have begun before
            late.answered.clear()
            source.sample([])
            assert late.answered.wait(60)
        return values(source)
    read.of = sources
    return read


def test_a_cray_is_found_back_with_its_energy(tmp_path, opened):
    cray = Cray(tmp_path)
    source = opened(tmp_path)
    assert source.reader == "cray" and source.meters.whole == ["cray/node"]
    first = meters(source)
    assert {name: (row["power"], row["energy"], row["whole"]) for name, row in first.items()} == {
        "cray/node": (187, 0, 1), "cray/cpu": (60, 0, 0), "cray/accel0": (95, 0, 0)}
    cray.put(power="200 W", energy="14217992 J", accel0_energy="100 J")
    second = meters(source)
    assert second["cray/node"]["energy"] == 100 * 10 ** 6 and second["cray/accel0"]["energy"] == 10 ** 6
    assert second["cray/node"]["power"] == 200 and second["cray/cpu"]["energy"] == 0
    assert {name: row["since"] for name, row in first.items()} == {name: row["since"] for name, row in second.items()}


def test_a_controller_that_started_anew_counts_from_then_on(tmp_path, opened):
    cray = Cray(tmp_path)
    source = opened(tmp_path)
    before = meters(source)["cray/node"]
    write(cray.folder / "startup", "1734094399999999")
    cray.put(energy="99999999 J")           # more than before: by its size alone it would not be seen
    after = meters(source)["cray/node"]
    assert after["energy"] == 0 and after["since"] > before["since"]
    cray.put(energy="7 J")                  # less than before, without a new startup
    assert meters(source)["cray/node"]["since"] > after["since"]
    cray.put(energy="9 J")
    assert meters(source)["cray/node"]["energy"] == 2 * 10 ** 6


def test_files_of_a_cray_are_of_one_moment(tmp_path, opened, monkeypatch):
    """The controller writes between two of them, the first time that they are read."""
    cray = Cray(tmp_path)
    source = opened(tmp_path)
    real, moved = cray_files.value, []

    def value(text, kind):
        if not moved:
            moved.append(cray.put(power="300 W", energy="20000000 J", cpu_power="70 W", cpu_energy="5000000 J",
                                  accel0_power="110 W", accel0_energy="777 J"))
        return real(text, kind)
    monkeypatch.setattr(cray_files, "value", value)
    assert watts(source) == {"cray/node": 300, "cray/cpu": 70, "cray/accel0": 110}


def test_a_cray_that_stands_still_is_missing_and_told_once(tmp_path, opened, caplog, monkeypatch):
    cray = Cray(tmp_path)
    source = opened(tmp_path)
    assert meters(source)["cray/node"]["power"] == 187
    monkeypatch.setattr(cray_files, "STILL", -1)
    for _ in range(2):
        row = meters(source)["cray/node"]
        assert (row["power"], row["energy"], row["age"]) == (None, None, None) and row["since"]
    assert len(told(caplog)) == 1 and "freshness does not go on" in told(caplog)[0]
    monkeypatch.undo()
    cray.put(power="42 W")
    assert meters(source)["cray/node"]["power"] == 42


@pytest.mark.parametrize("text", ["", "N/A", "187", "W", "187 J 1 us", "-5 W 1 us", "1e3 W", "9" * 30 + " W", "\0"])
def test_what_is_no_value_of_a_cray_is_missing(text, tmp_path, opened):
    cray = Cray(tmp_path)
    source = opened(tmp_path)
    write(cray.folder / "power", text)
    assert watts(source) == {"cray/node": None, "cray/cpu": 60, "cray/accel0": 95}


def test_meters_of_hwmon_are_found_back(tmp_path, hwmon):
    meter(tmp_path, 0)
    meter(tmp_path, 1, "amdgpu", "pci0000:00/0000:03:00.0", power1_average=90000000, power1_input=91000000,
          power1_label="PPT")
    meter(tmp_path, 2, "xe", "pci0000:00/0000:04:00.0", energy1_input=5000000, energy1_label="card",
          energy2_input=4000000, energy2_label="pkg")
    meter(tmp_path, 3, "ltc2947", "pci0000:00/0000:00:1f.4/i2c-1/1-005c",
          power1_input=1500000, energy1_input=7)
    meter(tmp_path, 4, "BAT0", "platform/PNP0C0A:00/power_supply/BAT0", power1_input=9000000)
    meter(tmp_path, 5, "i5k", "platform/i5k.0", power1_input=1000000, power1_label="A", energy1_input=1,
          energy1_label="B")
    found = hwmon(tmp_path, meters)
    assert {name: (row["power"], row["energy"], row["whole"]) for name, row in found.items()} == {
        "power_meter-ACPI000D:00/power1": (231.5, None, 1), "amdgpu-0000:03:00.0/PPT": (90, None, 0),
        "xe-0000:04:00.0/card": (None, 0, 0), "xe-0000:04:00.0/pkg": (None, 0, 0),
        "ltc2947-0000:00:1f.4-005c/power1": (1.5, 0, 0), "i5k.0/A": (1, None, 0), "i5k.0/B": (None, 0, 0)}
    write(tmp_path / "sys/class/hwmon/hwmon2/energy1_input", 5000123)
    again = hwmon(tmp_path, meters)["xe-0000:04:00.0/card"]
    assert (again["energy"], again["since"]) == (123, found["xe-0000:04:00.0/card"]["since"])


def test_sockets_of_grace_are_no_meter_of_the_node(tmp_path, hwmon):
    for number in range(2):
        meter(tmp_path, number, device="LNXSYBUS:00/ACPI000D:0%d" % number, power1_average=100000000 + number,
              power1_oem_info="Module Power Socket %d" % number)
    assert hwmon(tmp_path) == {"power_meter-ACPI000D:00/Module Power Socket 0": 100,
                               "power_meter-ACPI000D:01/Module Power Socket 1": 100.000001}
    assert hwmon.of[tmp_path].meters.whole == []


def test_files_of_older_kernels_lie_with_the_device(tmp_path, hwmon):
    device = tmp_path / "sys" / "devices" / "LNXSYBUS:00" / "ACPI000D:00"
    for name, value in (("name", "power_meter"), ("power1_average", 77000000)):
        write(device / name, value)
    (meter(tmp_path, 0, "", "LNXSYBUS:00/ACPI000D:00", fan1_input=1) / "name").unlink()
    assert hwmon(tmp_path) == {"power_meter-ACPI000D:00/power1": 77}


@pytest.mark.parametrize("text", ["", "N/A", "-1", "0x20", "1_0", str(2 ** 70), "2000000000000"])
def test_what_is_no_power_of_hwmon_is_missing(text, tmp_path, hwmon):
    folder = meter(tmp_path, power1_input=1000000, power2_input=2000000)
    names = ["power_meter-ACPI000D:00/power%d" % number for number in (1, 2)]
    assert hwmon(tmp_path) == {names[0]: 1, names[1]: 2}
    write(folder / "power1_input", text)
    assert hwmon(tmp_path) == {names[0]: None, names[1]: 2}
    write(folder / "power1_input", 3000000)
    assert hwmon(tmp_path) == {names[0]: 3, names[1]: 2}


def test_a_chip_that_fails_is_missing_and_goes_on_under_its_name_elsewhere(tmp_path, hwmon, caplog):
    folder = meter(tmp_path, 3, "x", None, power1_input=1000000, energy1_input=10)
    (folder / "power2_input").symlink_to("/proc/self/mem")          # EIO
    first = hwmon(tmp_path, meters)
    assert list(first) == ["x/power1"] and first["x/power1"]["power"] == 1
    assert sum("x/power2: input/output error" in line for line in told(caplog)) == 1
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    gone = hwmon(tmp_path, meters)["x/power1"]
    assert (gone["power"], gone["energy"], gone["since"]) == (None, None, first["x/power1"]["since"])
    meter(tmp_path, 7, "x", None, power1_input=5000000, energy1_input=30)
    for late in hwmon.of[tmp_path].meters._readers["hwmon"]:
        late.reader._due = 0            # as after a minute
    back = hwmon(tmp_path, meters)["x/power1"]
    assert (back["power"], back["energy"]) == (5, 0) and back["since"] > gone["since"]


def test_a_device_that_is_asleep_is_not_woken(tmp_path, hwmon, caplog):
    write(tmp_path / "sys/devices/pci0000:00/0000:03:00.0/power/runtime_status", "suspended")
    folder = meter(tmp_path, 0, "amdgpu", "pci0000:00/0000:03:00.0", power1_label="PPT", power2_input=1)
    (folder / "power1_input").symlink_to("/proc/self/mem")
    assert hwmon(tmp_path) == {} and not told(caplog)


def test_a_counter_begins_anew_where_it_falls():
    counted = Counted()
    assert counted.take(None, 1) == (None, None)
    assert [counted.take(value, wall) for value, wall in ((50, 2), (80, 3), (None, 4), (90, 5), (10, 6), (15, 7))] == [
        (0, 2), (30, 2), (None, 2), (40, 2), (0, 6), (5, 6)]


def test_names_from_the_machine_fit_the_wire(tmp_path, hwmon):
    folder = meter(tmp_path, 0, "x" * 999, "platform/%s.0" % ("y" * 250), power1_input=1000000)
    (folder / "power1_label").write_bytes(b"\xff\x00\x1b[31m" + "\U0001f525".encode() * 200 + b"\nmore")
    [name] = hwmon(tmp_path)
    assert len(name.encode()) <= MAX_NAME and name.isprintable()
    assert pack_rows(TABLES["power"], [(0, 0, [None, None, 1.5, 3, 1])]).data


def test_only_the_tables_that_are_on_are_made(tmp_path, opened):
    Cray(tmp_path)
    source = opened(tmp_path, tables={"power", NAME_06})
    assert set(source.sample([])) == {"power"} and source.unfilled == (NAME_06,)
    assert list(source.lacks) == ["ipmi"] and "modprobe ipmi_si ipmi_devintf" in source.lacks["ipmi"]
    assert opened(tmp_path, tables={"power"}).lacks == {}
    assert opened(tmp_path, tables={NAME_06}).sample([]) == {}


def test_a_machine_without_a_meter_says_so(tmp_path):
    with pytest.raises(Unavailable) as error:
        Meters(tmp_path, options())
    assert str(error.value) == (
        "no meter of power: no {0}/sys/cray/pm_counters, no {0}/dev/ipmi0: no BMC, or without its driver, no power in "
        "{0}/sys/class/hwmon; modprobe ipmi_si ipmi_devintf, or give --ipmipower-cmd or --redfish, or load the driver "
        "of the meter, such as acpi_power_meter".format(tmp_path))


def test_the_descriptors_and_threads_are_given_back(tmp_path):
    Cray(tmp_path)
    meter(tmp_path)
    before = descriptors()
    source = power.Backend(tmp_path, options(ipmipower_cmd=["echo", "it: 3 W"]))
    assert source.sample([]) and descriptors() > before
    close(source)
    assert descriptors() == before


def test_the_node_does_without_requests():
    program = "import sys, colmet.node.power.meters; assert 'requests' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
