"""Power of a made-up machine, from its meters by real programs to HDF5, and on the wire of 0.6; a BMC that hangs."""
import json
import re

import h5py
import pytest

from colmet.common import wire06
from colmet.common.metrics import TABLES
from collectors import Old
from power_tree import NAME_06, Cray, meter
from programs import Program, wait_for
from stored import MISSING, rows, wait_until

pytest_plugins = ("harness", "ipmi_bmc")
PATIENCE = 60
RECORD = wire06.layout(TABLES[NAME_06])
OTHERS = ("--disable-taskstats", "--disable-procstats", "--disable-job", "--disable-account", "--disable-cgroup")
ASKED_BY_BOTH = ("--enable-power", "--enable-ipmipower")


def stored(path, name, column="power"):
    """Values of one meter, in the order of time."""
    found = rows(path, "0", "power") if path.exists() else []
    return [row[column] for row in found if row["meter"] == name.encode()]


@pytest.fixture(name="both")
def _both(bmc, uri, start, tmp_path):
    """both(arguments...) starts a node on the machine, and a collector: (node, collector, path of the file)."""
    def make(*arguments):
        path = tmp_path / "jobs.hdf5"
        collector = start("collector", "--zeromq-bind-uri", uri, "--hdf5-filepath", path, "-s", "0.2")
        node = start("node", "--zeromq-uri", uri, "--wire", "native", "-s", "0.2", "--root", bmc.root, *OTHERS,
                     *arguments, env=bmc.environment)
        return node, collector, path
    return make


def test_what_the_meters_say_is_in_the_file(bmc, both):
    cray = Cray(bmc.root, fresh=False)
    meter(bmc.root)
    node, collector, path = both(*ASKED_BY_BOTH)
    wait_until(collector, lambda: stored(path, "ipmi0"), "first row")
    bmc.say("watts 512")
    cray.put(power="600 W", energy="14218892 J")
    wait_until(collector, lambda: 512 in stored(path, "ipmi0") and 600 in stored(path, "cray/node"), "the new values")
    bmc.say("code 192")
    wait_until(collector, lambda: stored(path, "ipmi0")[-1] != stored(path, "ipmi0")[-1], "a missing value")   # NaN
    assert node.stop() == 0 and collector.stop() == 0
    assert {value for value in stored(path, "ipmi0") if value == value} == {345, 512}
    assert set(stored(path, "cray/node")) == {187, 600}
    assert set(stored(path, "cray/node", "energy")) == {0, 1000 * 10 ** 6}
    assert set(stored(path, "ipmi0", "energy")) == {MISSING} and set(stored(path, "ipmi0", "whole")) == {1}
    assert set(stored(path, "power_meter-ACPI000D:00/power1")) == {231.5}
    assert set(stored(path, "cray/cpu", "whole")) == {0} and min(stored(path, "cray/node", "since")) > 10 ** 18
    old = [row["average_power_consumption"] for row in rows(path, "0", NAME_06)]
    assert set(old) == {345, 512, -1} and old[-1] == -1
    with h5py.File(path, "r") as file:
        assert json.loads(file["job_0/power"].attrs["units"])["energy"] == "uJ"
    assert "power (cray, ipmi, hwmon)" in node.errors() and node.errors().count("c0, busy") == 1


def test_the_0_6_wire_has_the_records_of_0_6(bmc, uri, start):
    with Old(uri) as sink:
        node = start("node", "--zeromq-uri", uri, "--wire", "0.6", "-s", "0.2", "--root", bmc.root,
                     "--enable-ipmipower", "--profile", "0.6", *OTHERS, env=bmc.environment)
        sink.serve(lambda: sink.messages and watts(sink.messages[-1]) == 345, PATIENCE)
        bmc.say("watts 65535")
        sink.serve(lambda: watts(sink.messages[-1]) == 65535, PATIENCE)
        bmc.say("idle 20")
        sink.serve(lambda: watts(sink.messages[-1]) == -1, PATIENCE)
        assert node.stop() == 0
    assert {watts(message) for message in sink.messages} == {345, 65535, -1}        # -1: not known


def watts(message):
    """The value of the one record of a message."""
    assert len(message) == RECORD.size == 8726 and message.startswith(NAME_06.encode() + b"\0")
    return RECORD.body.unpack_from(message, wire06.HEADER.size)[0]


def test_a_bmc_that_hangs_keeps_no_other_source_and_no_end_waiting(bmc, both):
    """While a request waits for its answer, many ticks are made: none waits with it."""
    Cray(bmc.root, fresh=False)
    node, collector, path = both(*ASKED_BY_BOTH)
    wait_until(collector, lambda: 345 in stored(path, "ipmi0"), "first row")
    bmc.say("hang")
    before = bmc.asked()
    wait_for(lambda: bmc.asked() > before, PATIENCE, "a request")
    begun = len(stored(path, "cray/node"))
    wait_for(lambda: len(stored(path, "cray/node")) - begun > 10 + bmc.asked() - before, PATIENCE,
             "ticks beyond the requests")
    assert node.stop() == 0 and collector.stop() == 0
    assert set(stored(path, "cray/node")) == {187}      # missing at none of them


def test_an_explicit_command_goes_first_and_both_are_in_the_table(both):
    node, collector, path = both(*ASKED_BY_BOTH, "--ipmipower-cmd", "echo", "System : 77 W")
    wait_until(collector, lambda: 77 in stored(path, "ipmipower-cmd") and 345 in stored(path, "ipmi0"), "both")
    assert node.stop() == 0 and collector.stop() == 0
    assert {row["average_power_consumption"] for row in rows(path, "0", NAME_06)} <= {77, -1}
    assert "power (ipmipower-cmd, ipmi)" in node.errors()


def test_check_tells_of_the_meters(bmc, running, tmp_path):
    for says, state, words in (("watts 345", "on", "ipmipowerstats_default, power"), ("code 192", "part", "busy"),
                               ("code 193", "off", "does not tell its power by DCMI")):
        bmc.say(says)
        check = Program("colmet.node.main", ("check", "--json", "--root", bmc.root, *ASKED_BY_BOTH), tmp_path,
                        env=bmc.environment)
        running.append(check)
        check.process.wait(PATIENCE)
        [found] = [each for each in json.loads(check.out.read_text())["checks"] if each["name"] == "power"]
        assert found["state"] == state and found["asked"] and words in found["why"]
        check.out.unlink()


def test_what_is_not_there_is_said_once_with_what_helps(uri, start, tmp_path):
    (tmp_path / "machine" / "proc").mkdir(parents=True)
    node = start("node", "--zeromq-uri", uri, "-s", "0.2", "--root", tmp_path / "machine", *ASKED_BY_BOTH, *OTHERS,
                 "--zeromq-linger", "0", "--ipmipower-cmd", "no-such-tool")
    wait_for(lambda: "sends to" in node.errors(), PATIENCE, "start lines")
    assert node.stop() == 0
    assert len(re.findall("no meter of power: .*modprobe ipmi_si ipmi_devintf", node.errors())) == 1
    assert node.errors().count("no-such-tool") == 1
