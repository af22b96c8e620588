"""Energy as the kernel's powercap and PMU "power" show it, in a guest: both give what its module says, to the uJ, also
over the end of a counter (``inside/zones.py``)."""
import pytest

from colmet.common.metrics import TABLES
from lab.inside.zones import DRAM_RANGE, RANGE

pytest_plugins = ("lab.one_machine",)
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("guest")]
ZONES = ["%s%s" % (package, part) for package in ("package-0", "package-1") for part in ("", "/core", "/dram")]
NAMES = [metric.name for metric in TABLES["rapl"].metrics]
WRAPS = {"package-0": 1, "package-0/dram": 1, "package-1": 1}       # counters of powercap that began anew, at the end
SPANS = [DRAM_RANGE if zone.endswith("dram") else RANGE for zone in ZONES]


def rows(sample):
    """{zone: {metric: value}} of a sample."""
    return {zone: dict(zip(NAMES, values)) for zone, values in sample["rows"].items()}


@pytest.mark.parametrize("reader", ["powercap", "perf"])
def test_the_energy_of_each_zone_is_what_was_used(machine, reader):
    found = machine.found("zones")
    assert found["readers"][reader] == reader
    for step in found["steps"]:
        energies = {zone: row["energy"] for zone, row in rows(step[reader]).items()}
        for zone, used in zip(ZONES, step["used"]):
            assert abs(energies.pop(zone) - used) <= (reader == "perf"), (zone, used)       # steps of 2^-32 J
        assert energies == {}
    assert {zone for zone, row in rows(found["steps"][0][reader]).items() if row["summed"]} == {
        zone for zone in ZONES if not zone.endswith("core")}


def test_power_is_told_from_the_second_sample_on(machine):
    first, second, *_ = machine.found("zones")["steps"]
    for reader in ("powercap", "perf"):
        assert rows(first[reader])["package-0"]["power"] is None
        assert rows(second[reader])["package-0"]["power"] > 0


def test_counters_begin_anew_at_their_range(machine):
    last = rows(machine.found("zones")["steps"][-1]["powercap"])
    assert {zone: row["wraps"] for zone, row in last.items() if row["wraps"]} == WRAPS
    assert [last[zone]["range"] for zone in ZONES] == SPANS


def test_the_columns_of_0_6_add_up(machine):
    columns = [step["powercap"]["columns"] for step in machine.found("zones")["steps"]]
    sums = [sum(values) for values in list(zip(*columns))[:2 * len(ZONES):2]]
    assert sums == machine.found("zones")["steps"][-1]["used"]
    assert all(values[1:2 * len(ZONES):2] == SPANS for values in columns)


def test_zones_that_go_are_missing_and_come_back(machine):
    found = machine.found("zones")
    assert [row["energy"] for row in rows(found["without"]).values()] == [None] * len(ZONES)
    back, after = rows(found["back"]), rows(found["after"])
    before = rows(found["steps"][-1]["powercap"])
    for zone in ZONES:
        assert (back[zone]["energy"], after[zone]["energy"]) == (0, 10 ** 6), zone
        assert before[zone]["since"] < back[zone]["since"] == after[zone]["since"]
