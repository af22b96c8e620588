"""A guest with hardware: a BMC, and sensors that are seen to move."""
import pytest

from lab import hardware
from lab.image import Image

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("guest")]
SCRIPT = """#!/bin/sh
test -c /dev/ipmi0 && touch /out/ipmi
for chip in /sys/class/hwmon/*; do cat $chip/name $chip/device/name 2>/dev/null; done > /out/chips
meter=$(ls /sys/class/hwmon/*/device/power1_average)
zone=$(dirname $(grep -l acpitz /sys/class/thermal/*/type))
for _ in 1 2 3; do
    cat $meter >> /out/power
    cat $zone/temp >> /out/temperature
    sleep 1
done
ls /sys/class/powercap > /out/powercap
"""


def test_a_guest_has_a_bmc_and_sensors_that_move(tmp_path):
    if hardware.lacking():
        pytest.skip(hardware.lacking())
    result = hardware.equipped(tmp_path, Image()).run(SCRIPT)
    assert result.code == 0, result.console
    found = {name: text.decode().split() for name, text in result.files.items()}
    assert {"acpitz", "nvme"} <= set(found["chips"]) and "ipmi" in found and found["powercap"] == []
    for name, least, most in (("power", 200_000_000, 300_000_000), ("temperature", 26_000, 77_000)):   # uW; m degrees C
        values = list(map(int, found[name]))
        assert len(values) == 3 and all(least <= value <= most for value in values), (name, values)
        assert len(set(values)) > 1, (name, values)
