"""Power by the kernel's own drivers, in a guest: a BMC that takes orders and hangs, and an ACPI power meter that moves
(``inside/watts.py``)."""
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

import stored
from checkout import CHECKOUT
from lab import guest, hardware
from lab.bmc import Bmc
from lab.image import PYTHON, Image
from programs import Program, free_port, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("guest")]
INSIDE = Path(__file__).with_name("inside")
LOADED = ("watts", "colmet.node.backends.power", "colmet.node._ipmi", "colmet.node._files")
METER = b"power_meter-ACPI000D:00/guest"


@pytest.fixture(name="lab", scope="module")
def _lab(tmp_path_factory):
    """What the guest gave: `truth`, what the node said as `errors`, and {(table, meter or part): rows} of the
    collector's file."""
    if hardware.lacking():
        pytest.skip(hardware.lacking())
    folder, image, uri, port = tmp_path_factory.mktemp("guest"), Image(), "tcp://%s:%d", free_port()
    path = image.python(*LOADED, path=[INSIDE, CHECKOUT])
    image.tree(CHECKOUT / "colmet")
    image.copy(INSIDE / "watts.py")
    words = ["--zeromq-bind-uri", uri % ("127.0.0.1", port), "--hdf5-filepath", folder / "new.hdf5"]
    with Bmc() as bmc, Program("colmet.collector.main", words, folder) as collector:
        wait_for(lambda: "listens" in collector.errors(), 60, "start of the collector")
        result = hardware.equipped(folder, image, bmc.devices).run(
            "#!/bin/sh\nexport PYTHONPATH=%s\nexec %s -S -B %s %s %s %d\n" % (
                ":".join(path), PYTHON, INSIDE / "watts.py", uri % (guest.HOST, port), guest.HOST, bmc.orders))
        assert result.code == 0, result.console + str(result.files)
        assert collector.stop() == 0
    rows = {name: stored.rows(folder / "new.hdf5", "0", name) for name in ("power", "ipmipowerstats_default", "colmet")}
    return SimpleNamespace(truth=json.loads(result.files["watts.json"]), errors=result.files["power.err"].decode(),
                           rows=rows)


def meter(lab, name, begin=0, end=2 ** 63):
    """Rows of one meter between two times (ns)."""
    return [row for row in lab.rows["power"] if row["meter"] == name and begin < row["time"] < end]


def test_ipmi_follows_the_bmc(lab):
    assert lab.truth["code"] == 0 and "power (ipmi, hwmon)" in lab.errors
    for watts, end in lab.truth["told"] + [[512, lab.truth["back"]]]:
        assert meter(lab, b"ipmi0", end=end)[-1]["power"] == watts
    told = [row["power"] for row in meter(lab, b"ipmi0") if row["power"] == row["power"]]      # not NaN
    assert list(dict.fromkeys(told)) == [345, 278, 512] and told == sorted(told, key=[345, 278, 512].index)
    old = [row["average_power_consumption"] for row in lab.rows["ipmipowerstats_default"]]
    assert set(old) - {-1} == {345, 278, 512} and old[-1] == 512


def test_a_bmc_that_hangs_delays_no_other_source(lab):
    """Each request goes without an answer for 4 s: ticks that waited for them would be as few."""
    (begin, before), (end, after) = lab.truth["hung"]
    ticks = [row["time"] for row in lab.rows["colmet"] if row["part"] == b"node" and begin < row["time"] < end]
    assert len(ticks) > after - before > 0, (ticks, before, after)
    others = meter(lab, METER, begin, end)
    assert len(others) >= len(ticks) - 1 and all(200 <= row["power"] <= 300 for row in others)
    missing = meter(lab, b"ipmi0", begin, end)
    assert len(missing) >= len(ticks) - 1 and {row["whole"] for row in missing} == {1}


def test_the_acpi_meter_is_as_the_kernel_has_it(lab):
    found = meter(lab, METER)
    values = [row["power"] for row in found]
    assert len(set(values)) > 2 and all(200 <= value <= 300 for value in values)       # it moves with each reading
    assert {row["whole"] for row in found} == {1} and {row["energy"] for row in found} == {stored.MISSING}
