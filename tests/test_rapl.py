"""RAPL by powercap: made-up machines whose energy is known, found back by the reader of the node."""
import os
import subprocess

import pytest

from colmet.node.backends import Unavailable
from colmet.node.clock import SECOND
from energy_tree import AMD, DRAM_RANGE, RANGE, START, ZONES, Powercap, columns, energies, zones
from loads import descriptors

pytest_plugins = ("energy_node",)


def test_what_each_zone_used_is_found_back(tmp_path, opened, clock):
    tree = Powercap(tmp_path)
    backend = opened(tmp_path)
    assert backend.reader == "powercap" and not backend.lacks and not backend.refused
    first = zones(backend)
    assert list(first) == sorted(ZONES)
    assert {row["energy"] for row in first.values()} == {0} and {row["power"] for row in first.values()} == {None}
    clock.wait(5)
    tree.use(package_0=500, package_0__core=300, package_0__dram=50, package_1=0.25)
    found = zones(backend)
    assert {zone: row["energy"] for zone, row in found.items()} == {
        "package-0": 500000000, "package-0/core": 300000000, "package-0/dram": 50000000,
        "package-1": 250000, "package-1/core": 0, "package-1/dram": 0}
    assert {zone: row["power"] for zone, row in found.items()} == {
        "package-0": 100, "package-0/core": 60, "package-0/dram": 10,
        "package-1": 0.05, "package-1/core": 0, "package-1/dram": 0}
    assert {row["since"] for row in found.values()} == {START + 10 ** 12}
    assert {row["wraps"] for row in found.values()} == {0}
    assert {row["range"] for row in found.values()} == {RANGE, DRAM_RANGE}
    assert [zone for zone, row in found.items() if row["summed"]] == ["package-0", "package-0/dram", "package-1",
                                                                     "package-1/dram"]


def test_processors_of_amd_have_no_memory_in_their_sum(tmp_path, opened, clock):
    tree = Powercap(tmp_path, AMD)
    backend = opened(tmp_path)
    assert len(columns(backend)) == 24
    clock.wait(10)
    tree.use(package_0=2800, package_0__core=900, package_1=2500)
    found = zones(backend)
    assert {zone: row["power"] for zone, row in found.items()} == {
        "package-0": 280, "package-0/core": 90, "package-1": 250, "package-1/core": 0}
    assert [zone for zone, row in found.items() if row["summed"]] == ["package-0", "package-1"]
    tree.use(package_0__core=2, package_1=3)
    assert columns(backend) == [0, RANGE, 2000000, RANGE, 0, 0, 3000000, RANGE, 0, RANGE, 0, 0] + [None] * 12


def test_a_counter_that_begins_anew_at_its_range_goes_on(tmp_path, opened, clock):
    tree = Powercap(tmp_path, start=RANGE // 8)
    backend, used = opened(tmp_path), 0
    assert zones(backend)["package-1"]["energy"] == 0
    for _ in range(40):
        clock.wait(60)
        tree.use(package_1=30000)
        used += 30000
        row = zones(backend)["package-1"]
        assert row["energy"] == used * 10 ** 6 and row["power"] == 500
    assert row["wraps"] == (RANGE // 8 + used * 10 ** 6) // RANGE > 3


def test_the_thread_reads_so_often_that_none_is_missed(tmp_path, opened, clock):
    tree = Powercap(tmp_path)
    backend = opened(tmp_path)
    interval = backend.zones.interval / SECOND
    assert interval == pytest.approx(DRAM_RANGE / 10 ** 6 / 500 / 2, rel=1e-6)
    for _ in range(100):                # what the thread does, at the greatest plausible power
        clock.wait(interval)
        tree.use(package_0__dram=500 * interval, package_1=1500 * interval)
        backend.zones.read()
    found = energies(backend)
    assert found["package-0/dram"] == pytest.approx(100 * 500 * interval, abs=0.001)
    assert found["package-1"] == pytest.approx(100 * 1500 * interval, abs=0.001)


def test_a_declared_power_above_what_is_plausible_is_believed(tmp_path, opened):
    tree = Powercap(tmp_path, {"package-0": "intel-rapl:0"})
    (tree.folders["package-0"] / "constraint_0_max_power_uw").write_text("3000000000\n")
    assert opened(tmp_path).zones.interval == RANGE * 1000 // 3000 // 2


def test_after_a_gap_that_may_hide_a_wrap_it_begins_anew(tmp_path, opened, clock):
    tree = Powercap(tmp_path)
    backend = opened(tmp_path)
    clock.wait(1)
    tree.use(package_0=10)
    assert energies(backend)["package-0"] == 10
    clock.wait(RANGE / 10 ** 6 / 1500 + 1)
    tree.use(package_0=10)
    row = zones(backend)["package-0"]
    assert (row["energy"], row["power"], row["since"]) == (0, None, START + clock.now)
    clock.wait(1)
    tree.use(package_0=10)
    row = zones(backend)["package-0"]
    assert (row["energy"], row["power"]) == (10 ** 7, 10)


def test_after_the_machine_slept_it_begins_anew(tmp_path, opened, clock):
    tree = Powercap(tmp_path)
    backend = opened(tmp_path)
    clock.wait(1)
    clock.asleep += SECOND // 2
    tree.set("package-0", 5)                # began at 0 when it woke up
    row = zones(backend)["package-0"]
    assert (row["energy"], row["wraps"], row["since"]) == (0, 0, START + clock.now)


def test_without_a_range_a_fall_is_a_new_beginning(tmp_path, opened, clock):
    tree = Powercap(tmp_path, {"package-0": "intel-rapl:0"})
    (tree.folders["package-0"] / "max_energy_range_uj").write_text("?\n")
    backend = opened(tmp_path)
    assert backend.zones.interval is None
    clock.wait(1000)
    tree.use(package_0=7)
    assert zones(backend)["package-0"]["energy"] == 7 * 10 ** 6
    tree.set("package-0", 3)
    row = zones(backend)["package-0"]
    assert (row["energy"], row["range"], row["since"]) == (0, None, START + clock.now)


@pytest.mark.parametrize("flat", [True, False])
def test_zones_are_found_by_their_names_however_they_lie(flat, tmp_path, opened):
    Powercap(tmp_path, {"package-0-die-0": "intel-rapl:0", "package-0-die-0/core": "intel-rapl:0:0",
                        "package-0-die-1": "intel-rapl:1", "package-0-die-1/uncore": "intel-rapl:1:0",
                        "package-10": "intel-rapl:10", "package-2": "intel-rapl:2", "psys": "intel-rapl:3"}, flat=flat)
    found = zones(opened(tmp_path))
    assert list(found) == ["package-0-die-0", "package-0-die-0/core", "package-0-die-1", "package-0-die-1/uncore",
                           "package-2", "package-10", "psys"]
    assert [zone for zone, row in found.items() if not row["summed"]] == ["package-0-die-0/core",
                                                                         "package-0-die-1/uncore", "psys"]


def test_what_two_drivers_show_counts_once(tmp_path, opened, clock):
    tree = Powercap(tmp_path, {"package-0": "intel-rapl:0"})
    again = Powercap(tmp_path, {"package-0": "intel-rapl-mmio:0"})
    backend = opened(tmp_path)
    clock.wait(1)
    tree.use(package_0=4)
    again.use(package_0=9)
    assert energies(backend) == {"package-0": 4}


def test_the_platform_counts_where_there_is_nothing_else(tmp_path, opened):
    Powercap(tmp_path, {"psys": "intel-rapl:1"})
    assert zones(opened(tmp_path))["psys"]["summed"] == 1


def test_a_control_type_without_energy_is_no_zone(tmp_path, opened):
    Powercap(tmp_path, {"package-0": "intel-rapl:0"})
    (tmp_path / "sys" / "class" / "powercap" / "dtpm" / "dtpm:0").mkdir(parents=True)
    assert list(zones(opened(tmp_path))) == ["package-0"]


@pytest.mark.parametrize("text", ["", "N/A", "-5", str(RANGE + 1), str(2 ** 70)])
def test_what_is_no_number_of_the_zone_is_missing_and_told_once(text, tmp_path, opened, clock, caplog):
    tree = Powercap(tmp_path)
    backend = opened(tmp_path)
    tree.set("package-0", text)
    assert [energies(backend)["package-0"] for _ in range(3)] == [None] * 3
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        "rapl: zone package-0: %s holds no number within its range; its energy is missing"
        % (tmp_path / "sys/class/powercap/intel-rapl:0/energy_uj")]
    clock.wait(1)
    tree.set("package-0", 1000 + 4 * 10 ** 6)
    row = zones(backend)["package-0"]
    assert (row["energy"], row["power"]) == (4 * 10 ** 6, None)


def test_an_error_of_one_zone_is_its_own_and_passes(tmp_path, opened, clock, caplog):
    """pread(2) of /proc/self/mem at 0, where nothing is mapped, is EIO."""
    tree = Powercap(tmp_path)
    tree.file("package-1").unlink()
    tree.file("package-1").symlink_to("/proc/self/mem")
    backend = opened(tmp_path)
    clock.wait(1)
    tree.use(package_0=3)
    found = energies(backend)
    assert found["package-1"] is None and found["package-0"] == 3
    assert "rapl: zone package-1: input/output error; its energy is missing until it answers" in caplog.text
    assert columns(backend)[6:8] == [None, RANGE]


def test_a_zone_that_vanishes_is_missing_and_begins_anew_when_it_is_back(tmp_path, opened, clock, caplog):
    tree = Powercap(tmp_path)
    backend = opened(tmp_path)
    clock.wait(1)
    tree.use(package_1__dram=3)
    assert energies(backend)["package-1/dram"] == 3
    tree.file("package-1/dram").unlink()
    assert energies(backend)["package-1/dram"] is None and "zone package-1/dram: no such device" in caplog.text
    tree.set("package-1/dram", 70)
    clock.wait(1)
    row = zones(backend)["package-1/dram"]
    assert (row["energy"], row["since"]) == (0, START + clock.now)
    clock.wait(1)
    tree.use(package_1__dram=2)
    assert energies(backend)["package-1/dram"] == 2


def test_a_zone_that_is_another_at_the_next_reading_begins_anew(tmp_path, opened, clock, caplog):
    tree = Powercap(tmp_path)
    backend = opened(tmp_path)
    before = zones(backend)
    clock.wait(1)
    tree.use(package_0=3)
    tree.file("package-1").unlink()
    tree.set("package-1", 70)
    found = zones(backend)
    assert (found["package-1"]["energy"], found["package-1"]["since"]) == (0, START + clock.now)
    assert (found["package-0"]["energy"], found["package-0"]["since"]) == (3 * 10 ** 6, before["package-0"]["since"])
    assert not caplog.records
    clock.wait(1)
    tree.use(package_1=2)
    assert energies(backend)["package-1"] == 2


def test_a_file_of_the_kernel_whose_owner_went_is_gone(tmp_path, opened):
    """/proc/PID/oom_score holds a number, and says ESRCH once the process ended: as a zone without its driver."""
    tree = Powercap(tmp_path)
    sleeper = subprocess.Popen(["sleep", "600"])
    tree.file("package-0").unlink()
    tree.file("package-0").symlink_to("/proc/%d/oom_score" % sleeper.pid)
    backend = opened(tmp_path)
    assert energies(backend)["package-0"] is not None
    sleeper.kill()
    sleeper.wait()
    assert energies(backend)["package-0"] is None


def test_a_counter_that_ends_too_soon_is_not_followed(tmp_path, opened):
    tree = Powercap(tmp_path)
    (tree.folders["package-0"] / "max_energy_range_uj").write_text("2000000\n")
    backend = opened(tmp_path)
    assert "package-0" not in zones(backend)
    assert "after 2000000 uJ, too often to be followed" in backend.lacks["package-0"]


def test_the_descriptors_are_given_back(tmp_path, opened):
    Powercap(tmp_path)
    before = descriptors()
    opened(tmp_path).close()
    assert descriptors() == before


def test_a_machine_without_rapl_says_so(tmp_path, opened):
    with pytest.raises(Unavailable) as told:
        opened(tmp_path)
    assert str(told.value) == (
        "no RAPL zone in %s/sys/class/powercap, no PMU power in %s/sys/bus/event_source/devices/power; modprobe "
        "intel_rapl_msr (virtual machines mostly have none), or modprobe rapl, or intel_rapl_perf before Linux 5.0"
        % (tmp_path, tmp_path))
