"""Energy where meters differ, change and fail: GPUs, meters of the whole node, zones that go, late readings."""
import pytest

from colmet.node.backends import Unavailable
from colmet.node.clock import SECOND
from colmet.node.energy import meters
from colmet.node.energy.meters import Rapl, opened
from energy_machine import IDLE, Machine, node
from energy_meters import Cards, Powers
import power_tree
from energy_tree import RANGE, START


@pytest.fixture(name="machine")
def _machine(tmp_path):
    return Machine(tmp_path)


@pytest.fixture(name="using")
def _using(machine, monkeypatch):
    """using(opener...) is the node with these meters."""
    held = []

    def use(*openers, **options):
        monkeypatch.setattr(meters, "OPENERS", openers)
        held.append(node(machine, monkeypatch, **options))
        return held[-1].__enter__()
    yield use
    for each in held:
        each.__exit__(None, None, None)


def tick(machine, used, seconds=5, **joules):
    """Time goes by in which {job: CPU seconds} were used and zones took energy."""
    machine.clock.wait(seconds)
    for job, time in used.items():
        machine.run(job, time)
    machine.tree.use(**joules)


def gone(machine):
    """A job that was never among those that are measured."""
    job = machine.job("0-1")
    machine.end(job)
    return job


def closes(owners):
    """Jobs, unallocated and idle are the node; in J."""
    for name in ("energy", "package_dynamic", "package_static", "other_static", "gpu_dynamic", "gpu_static"):
        parts = [owners[owner][name] for owner in ("jobs", "unallocated", "idle", "node")]
        assert None in parts or sum(parts[:3]) == parts[3]
    return owners["node"]["energy"] / 10 ** 6


def test_a_zone_that_vanishes_is_waited_for_and_then_done_without(machine, using):
    job, opened_node = machine.job("0-7"), using(Rapl)
    opened_node.sample()
    tick(machine, {job: 4}, package_0=500, package_1=400)
    assert closes(opened_node.sample()[1]) == 900
    machine.tree.file("package-1").unlink()
    for _ in range(12):                         # 60 s
        tick(machine, {job: 4}, package_0=100)
        _, owners = opened_node.sample()
    since = owners["node"]["since"]
    assert closes(owners) == 900 + 1200         # what the other zones count goes on
    tick(machine, {job: 4}, package_0=100)
    jobs, owners = opened_node.sample()
    assert owners["node"]["since"] == jobs[job]["since"] == START + machine.clock.now > since
    assert closes(owners) == jobs[job]["energy"] == 0
    tick(machine, {job: 4}, package_0=70)
    assert closes(opened_node.sample()[1]) == 70
    machine.tree.set("package-1", 0)
    tick(machine, {job: 4}, package_0=70)
    _, owners = opened_node.sample()
    assert (closes(owners), owners["node"]["since"]) == (0, START + machine.clock.now)
    tick(machine, {job: 4}, package_0=70, package_1=30)
    assert closes(opened_node.sample()[1]) == 100


def test_a_zone_that_fails_for_a_while_loses_nothing(machine, using):
    job, opened_node = machine.job("0-7"), using(Rapl)
    opened_node.sample()
    before = machine.tree.values["package-1"]
    machine.tree.set("package-1", "N/A")
    tick(machine, {job: 4}, package_0=500)
    since = opened_node.sample()[1]["node"]["since"]
    machine.tree.set("package-1", before)
    tick(machine, {job: 4}, package_0=500, package_1=600)
    jobs, owners = opened_node.sample()
    assert closes(owners) == 1600 and owners["node"]["since"] == since
    assert jobs[job]["energy"] == 1600 * 10 ** 6


def test_gpus_are_of_the_job_that_holds_them(machine, using):
    cards = Cards({"nvidia0": 10 ** 9, "nvidia1": 0, "nvidia2": None})
    one, two = machine.job("0-3"), machine.job("4-7")
    opened_node = using(Rapl, cards.opener(), idle=dict(IDLE, gpu=10))
    opened_node.sample()
    cards.held = {"nvidia0": [one], "nvidia1": [one, two]}
    tick(machine, {one: 5}, package_0=1000)
    cards.cards.update(nvidia0=10 ** 9 + 800 * 10 ** 6, nvidia1=200 * 10 ** 6)
    jobs, owners = opened_node.sample()
    assert closes(owners) == 2000 and owners["node"]["source"] == 1 + 4
    assert [jobs[job]["gpu_dynamic"] / 10 ** 6 for job in (one, two)] == [750 + 75, 75]
    assert [jobs[job]["gpu_static"] / 10 ** 6 for job in (one, two)] == [50 + 25, 25]
    cards.held = {}
    tick(machine, {one: 5})
    cards.cards["nvidia0"] += 60 * 10 ** 6
    _, owners = opened_node.sample()
    assert owners["idle"]["gpu_static"] == 50 * 10 ** 6 and owners["unallocated"]["gpu_dynamic"] == 10 * 10 ** 6
    assert closes(owners) == 2060
    cards.held = {"nvidia0": [gone(machine)]}
    tick(machine, {one: 5})
    cards.cards["nvidia0"] += 60 * 10 ** 6
    jobs, owners = opened_node.sample()
    assert owners["idle"]["gpu_static"] == 100 * 10 ** 6 and jobs.keys() == {one, two} and closes(owners) == 2120


def test_a_gpu_that_comes_begins_all_anew(machine, using):
    cards = Cards({"nvidia0": 0})
    opened_node = using(Rapl, cards.opener())
    opened_node.sample()
    tick(machine, {}, package_0=10)
    assert closes(opened_node.sample()[1]) == 10
    cards.cards["nvidia1"] = 7 * 10 ** 6
    tick(machine, {}, package_0=10)
    assert closes(opened_node.sample()[1]) == 0
    cards.cards["nvidia1"] += 10 ** 6
    tick(machine, {}, package_0=10)
    assert closes(opened_node.sample()[1]) == 11
    cards.since += 1                            # the driver was loaded again
    tick(machine, {}, package_0=10)
    assert closes(opened_node.sample()[1]) == 0


def test_of_the_whole_node_the_rest_is_other_and_nothing_counts_twice(machine, using):
    power, cards = Powers("cray/node"), Cards({"nvidia0": 0})
    job = machine.job("0-7")
    opened_node = using(Rapl, cards.opener(), power.opener("cray"), idle=dict(IDLE, other=20))
    power.said["cray/node"] = None, 10 ** 9, 3, 0
    opened_node.sample()
    cards.held = {"nvidia0": [job]}
    tick(machine, {job: 5}, package_0=1000, package_1=1000, package_0__core=500, psys=5000)
    cards.cards["nvidia0"] = 300 * 10 ** 6
    power.said["cray/node"] = None, 10 ** 9 + 2800 * 10 ** 6, 3, 0
    jobs, owners = opened_node.sample()
    assert closes(owners) == 2800 and owners["node"]["source"] == 1 + 4 + 16
    assert (owners["node"]["other_dynamic"], owners["node"]["other_static"]) == (400 * 10 ** 6, 100 * 10 ** 6)
    assert jobs[job]["energy"] == 2800 * 10 ** 6 and owners["node"]["residual"] == 0


def test_what_parts_count_ahead_of_the_whole_waits_and_nothing_is_negative(machine, using):
    power, job = Powers("bmc"), machine.job("0-7")
    opened_node = using(Rapl, power.opener("bmc"))
    power.said["bmc"] = None, 0, 3, 0
    opened_node.sample()
    whole, residuals = 0, []
    for number in range(30):
        tick(machine, {job: 5}, package_0=300, package_0__dram=100)
        if number % 3 == 2:                     # a meter that tells a new value every third time
            whole += 3 * 500
            power.said["bmc"] = None, whole * 10 ** 6, 3, 0
        _, owners = opened_node.sample()
        assert closes(owners) == whole
        assert all(value is None or value >= 0 for row in owners.values() for value in row.values())
        residuals.append(owners["node"]["residual"] / 10 ** 6)
    assert residuals == [400, 800, 0] * 10
    assert owners["node"]["package_dynamic"] + owners["node"]["package_static"] == 30 * 300 * 10 ** 6
    assert owners["node"]["other_dynamic"] == 30 * 100 * 10 ** 6


def test_energy_that_comes_late_is_of_those_who_worked_meanwhile(machine, using):
    power = Powers("bmc")
    early, late = machine.job("0-3"), machine.job("4-7")
    opened_node = using(power.opener("bmc"), idle={"other": 8})
    power.said["bmc"] = None, 0, 3, 0
    opened_node.sample()
    for job in (early, early, early, late):
        tick(machine, {job: 5})
        assert closes(opened_node.sample()[1]) == 0
    power.said["bmc"] = None, 1160 * 10 ** 6, 3, 0
    tick(machine, {})
    jobs, owners = opened_node.sample()
    assert closes(owners) == 1160
    assert [jobs[job]["other_dynamic"] / 10 ** 6 for job in (early, late)] == [720, 240]
    assert [jobs[job]["other_static"] / 10 ** 6 for job in (early, late)] == [100, 100]


def test_a_meter_of_power_is_added_up_and_another_meter_begins_anew(machine, using):
    power, job = Powers("bmc", "spare"), machine.job("0-7")
    opened_node = using(Rapl, power.opener("bmc"))
    power.said["bmc"], power.said["spare"] = (300, None, None, machine.clock.now), (9, None, None, 0)
    opened_node.sample()
    for watts in (400, 500):
        tick(machine, {job: 5}, package_0=1000)
        power.said["bmc"] = watts, None, None, machine.clock.now
        _, owners = opened_node.sample()
    assert closes(owners) == 350 * 5 + 450 * 5 and power.asked == {"bmc"}
    since = owners["node"]["since"]
    del power.said["bmc"]                       # it hangs: what its parts count waits
    for _ in range(12):
        tick(machine, {job: 5}, package_0=100)
        power.said["spare"] = 100, None, None, machine.clock.now
        _, owners = opened_node.sample()
        assert closes(owners) == 4000 and owners["node"]["since"] == since
    assert owners["node"]["residual"] == 1200 * 10 ** 6
    tick(machine, {job: 5})
    power.said["spare"] = 100, None, None, machine.clock.now
    _, owners = opened_node.sample()
    assert (closes(owners), owners["node"]["residual"]) == (0, 0) and owners["node"]["since"] > since
    tick(machine, {job: 5}, package_0=100)
    power.said["spare"] = 100, None, None, machine.clock.now
    assert closes(opened_node.sample()[1]) == 500


def test_a_power_is_not_added_up_over_a_gap(machine, using):
    power = Powers("bmc")
    opened_node = using(power.opener("bmc"))
    power.said["bmc"] = 300, None, None, machine.clock.now
    opened_node.sample()
    tick(machine, {}, seconds=61)
    power.said["bmc"] = 300, None, None, machine.clock.now
    _, owners = opened_node.sample()
    assert (closes(owners), owners["node"]["since"]) == (0, START + machine.clock.now)


def test_the_platform_alone_is_the_whole_node(tmp_path, monkeypatch):
    machine = Machine(tmp_path, {"package-0": "intel-rapl:0"})
    (machine.tree.folders["package-0"] / "name").write_text("psys\n")
    with node(machine, monkeypatch) as opened_node:
        opened_node.sample()
        for value in (RANGE - 1, 10 ** 6):      # once round
            machine.tree.set("package-0", value)
            machine.clock.wait(5)
            _, owners = opened_node.sample()
    assert owners["node"]["energy"] == owners["unallocated"]["other_dynamic"] == RANGE
    assert owners["node"]["package_dynamic"] is None


def test_all_that_counts_is_closed_and_nothing_is_refused_in_words(tmp_path, monkeypatch):
    with pytest.raises(Unavailable, match="no zone of RAPL, no GPU, .*; see rapl, gpu and"):
        opened(tmp_path, power_tree.options())
    machine = Machine(tmp_path)
    (tmp_path / "proc/stat").unlink()
    with pytest.raises(Unavailable, match="no .*/proc/stat; is proc mounted there"):
        with node(machine, monkeypatch):
            pass


def test_a_job_that_ended_has_its_last_energy_and_then_no_row(machine, using):
    job, opened_node = machine.job("0-7"), using(Rapl)
    opened_node.sample()
    machine.clock.wait(1)
    machine.run(job, 8)
    machine.end(job)
    tick(machine, {}, seconds=3, package_0=400)
    jobs, owners = opened_node.sample()
    assert jobs[job]["package_dynamic"] == (400 - 240) * 10 ** 6
    assert jobs[job]["package_static"] == 60 * 10 ** 6 and owners["idle"]["package_static"] == 180 * 10 ** 6
    tick(machine, {}, package_0=400)
    jobs, owners = opened_node.sample()
    assert not jobs and owners["jobs"]["energy"] == 220 * 10 ** 6 and closes(owners) == 800


def test_what_a_job_did_before_the_node_looked_is_not_its_energy(machine, using):
    old = machine.job("0-3")
    machine.run(old, 5000)
    machine.clock.wait(SECOND / 10 ** 8)
    opened_node = using(Rapl)
    opened_node.sample()
    new = machine.job("4-7")
    tick(machine, {old: 1, new: 3}, package_0=700)
    jobs, _ = opened_node.sample()
    assert [jobs[job]["package_dynamic"] / 10 ** 6 for job in (old, new)] == [100, 300]
