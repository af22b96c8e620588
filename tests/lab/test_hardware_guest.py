"""A guest with hardware: a BMC, sensors that are seen to move, and zones of powercap."""
import pytest

pytest_plugins = ("lab.one_machine",)
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("guest")]
LIMITS = {"power": (200_000_000, 300_000_000), "temperature": (26_000, 77_000)}     # uW; m degrees C


def test_a_guest_has_a_bmc_sensors_that_move_and_zones(machine):
    found = machine.found("sensors")
    assert {"acpitz", "nvme"} <= set(found["chips"]) and found["ipmi"]
    assert found["powercap"] == ["intel-rapl"] + ["intel-rapl:" + zone for zone in (
        "0", "0:0", "0:1", "1", "1:0", "1:1")]
    for name, (least, most) in LIMITS.items():
        values = found[name]
        assert len(values) == 3 and all(least <= value <= most for value in values), (name, values)
        assert len(set(values)) > 1, (name, values)
