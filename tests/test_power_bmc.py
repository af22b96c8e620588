"""Power by a BMC: its answers to "Get Power Reading", damaged ones too, and a device that is preloaded."""
import json
import subprocess
import sys

import pytest

from colmet.node.backends import Unavailable
from colmet.node.power.bmc import found, parse
from colmet.node.power.meters import SLOW
from colmet.node.power.reading import Silent

pytest_plugins = ("ipmi_bmc",)
# Of an ipmi_sim of OpenIPMI: 345 W now, 120 least, 510 most, 300 mean, of 1000 ms; it measures.
ANSWER = bytes.fromhex("00 dc 5901 7800 fe01 2c01 40e2 2067 e803 0000 40")
READ = """
import json, sys
from pathlib import Path
from types import SimpleNamespace
from colmet.node.backends import Unavailable
from colmet.node.power.meters import Meters
try:
    meters = Meters(Path(sys.argv[1]), SimpleNamespace(ipmipower_cmd=None, redfish=None), float(sys.argv[2]))
except Unavailable as reason:
    print(json.dumps({"off": str(reason)}))
else:
    print(json.dumps({"lacks": meters.lacks, "whole": meters.whole,
                      "watts": {name: reading.watts for name, reading in meters.read().items()}}))
    meters.close()
"""


def read(bmc, start=60):
    """What a program says that opens the meters of the machine and reads them once."""
    done = subprocess.run([sys.executable, "-c", READ, str(bmc.root), str(start)], env=bmc.environment, text=True,
                          stdout=subprocess.PIPE, timeout=120)
    assert done.returncode == 0
    return json.loads(done.stdout)


def test_an_answer_is_parsed():
    assert parse(ANSWER, "ipmi0") == 345
    assert parse(ANSWER + b"more", "ipmi0") == 345
    assert parse(ANSWER[:2] + b"\xff\xff" + ANSWER[4:], "ipmi0") == 65535


@pytest.mark.parametrize("answer, kind, words", [
    (b"", Unavailable, "it answered nothing"), (b"\xc1", Unavailable, "c1"), (b"\xd4", Unavailable, "d4"),
    (ANSWER[:18], Unavailable, "18 bytes of no sense"), (b"\0\0" + ANSWER[2:], Unavailable, "no sense"),
    (b"\xc0", Silent, "busy"), (b"\xc3", Silent, "timeout"), (b"\xff", Silent, "no answer now"),
    (ANSWER[:-1] + b"\xbf", Silent, "ipmitool dcmi power activate"),
    (ANSWER[:2] + b"\0\0" + ANSWER[4:], Silent, "does not measure")])
def test_what_is_no_power_is_told(answer, kind, words):
    with pytest.raises(kind, match=words):
        parse(answer, "ipmi0")


def test_the_device_is_asked_for_watts(bmc):
    assert read(bmc) == {"lacks": {}, "whole": ["ipmi0"], "watts": {"ipmi0": 345}}
    bmc.say("watts 65000")
    assert read(bmc)["watts"] == {"ipmi0": 65000}
    assert bmc.asked() >= 2


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next(bmc):
    bmc.say("stale 300")
    assert read(bmc)["watts"] == {"ipmi0": 300}


@pytest.mark.parametrize("says, words", [("code 193", "it answered c1"), ("short 0", "it answered nothing"),
                                         ("short 18", "it answered 18 bytes of no sense")])
def test_a_bmc_without_dcmi_is_no_meter(says, words, bmc):
    bmc.say(says)
    why, _, remedy = read(bmc)["off"].partition("; ")
    assert "the BMC does not tell its power by DCMI (%s)" % words in why and remedy.startswith("give --ipmipower-cmd")


@pytest.mark.parametrize("says, words", [("code 192", "c0, busy"), ("idle 200", "does not measure power now"),
                                         ("zero", "does not measure power now"),
                                         pytest.param("hang", "did not answer within 5 s; reset it",
                                                      marks=pytest.mark.slow)])
def test_a_bmc_that_does_not_tell_now_stays(says, words, bmc):
    bmc.say(says)
    said = read(bmc)
    assert words in said["lacks"]["ipmi0"] and said["watts"] == {}


def test_a_bmc_that_hangs_does_not_hold_the_start_up(bmc):
    bmc.say("hang")
    assert read(bmc, start=0) == {"lacks": {"ipmi0": SLOW}, "whole": ["ipmi0"], "watts": {}}


def test_a_device_that_may_not_be_opened_is_told_with_the_remedy(tmp_path):
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "ipmi0").mkdir()            # EISDIR, for root too
    with pytest.raises(Unavailable, match="ipmi0: is a directory; look for it in dmesg"):
        list(found(tmp_path))
