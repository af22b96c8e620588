"""Temperatures as the kernel's own drivers show them, in a guest: an ACPI zone that moves, and disks of NVMe of which
one is unplugged (``inside/heat.py``)."""
import pytest

pytest_plugins = ("lab.one_machine",)
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("guest")]


def test_the_zone_is_there_once_and_as_the_kernel_has_it(machine):
    found = machine.found("heat")
    assert "acpitz" in found["chips"]           # the kernel shows it as a chip as well
    for step in ("whole", "without", "back"):
        rows, (before, after) = found[step]["rows"], found[step]["zone"]
        [zone] = [name for name in rows if "acpitz" in name]
        value, _, critical = rows[zone]
        assert zone == "thermal/acpitz" and critical == pytest.approx(126.8, abs=0.2)
        assert before < after - 1000 and before < round(1000 * value) < after or after < before
        assert found[step]["columns"] == [int(value)] + [None] * 5
    [mapping] = [text for name, text in machine.files.items() if name.startswith("temperature_mapping.")]
    assert mapping.splitlines()[:2] == [b"counter_1, acpitz_0", b"counter_2, no counter "]


def test_a_disk_that_is_unplugged_is_missing_and_comes_back_under_its_name(machine):
    found = machine.found("heat")
    names = {address: "nvme-%s/Composite" % address for address in found["whole"]["disks"]}
    assert len(names) == 2
    for step in ("whole", "back"):
        assert {names[address]: value / 1000 for address, value in found[step]["disks"].items()} == {
            name: found[step]["rows"][name][0] for name in names.values()}
    for step in ("without", "still"):
        rows = found[step]["rows"]
        assert found["gone"] not in found[step]["disks"] and rows[names[found["gone"]]] == [None] * 3
        assert all(values[0] is not None for name, values in rows.items() if name != names[found["gone"]])
        assert set(rows) == set(found["whole"]["rows"]) == set(found["back"]["rows"])
