"""What was used of the node: cores, CPU time, instructions; what it draws when nothing runs; and the sums."""
import random
from types import SimpleNamespace

import pytest

from colmet.common.metrics.energy import IDLE, UNALLOCATED
from colmet.node.clock import SECOND
from colmet.node.energy import split
from colmet.node.energy.idle import DECLARED, LEARNED, UNKNOWN, Idle
from colmet.node.energy.meters import Part
from colmet.node.energy.use import Cores
from colmet.node.settings import settings
from colmet.common.options import Usage
from energy_machine import Machine, node

PACKAGE, CARD = Part("", "package"), Part("nvidia0", "gpu")


def test_parts_are_whole_and_their_sum_is_the_total():
    dice = random.Random(3)
    for _ in range(2000):
        total = dice.choice((0, 1, 7, dice.randrange(10 ** 12)))
        weights = {owner: dice.choice((0, 1, dice.randrange(10 ** 15))) for owner in range(dice.randrange(1, 40))}
        weights[99] = 1
        parts = split.apportion(total, weights)
        whole = sum(weights.values())
        assert sum(parts.values()) == total and parts.keys() == weights.keys()
        assert all(abs(part * whole - total * weights[owner]) < whole for owner, part in parts.items())
        assert all(part == 0 for owner, part in parts.items() if weights[owner] == 0)


def test_what_nobody_used_is_of_no_job():
    assert split.divide(10, 4, {"a": 0, UNALLOCATED: 0}, {IDLE: 0}) == ({UNALLOCATED: 6}, {IDLE: 4})
    assert split.divide(3, 4, {"a": 1}, {"a": 1, IDLE: 2}) == ({"a": 0}, {"a": 1, IDLE: 2})
    assert split.inside(10, {"a": 3, "b": 4}) == ({"a": 3, "b": 4}, 3)
    assert split.inside(7, {"a": 6, "b": 8}) == ({"a": 3, "b": 4}, 0)


def test_cores_that_several_hold_are_shared():
    assert split.rooms(range(4), {}, 10) == {IDLE: 40}
    assert split.rooms(range(4), {"a": ((0, 1), 10)}, 10) == {"a": 20, IDLE: 20}
    assert split.rooms(range(4), {"a": ((0, 1), 10), "b": ((1, 2), 10)}, 10) == {"a": 15, "b": 15, IDLE: 10}
    assert split.rooms(range(2), {"a": ((0,), 4), "b": ((0,), 6)}, 10) == {"a": 4, "b": 6, IDLE: 10}
    assert split.rooms(range(2), {"a": ((7,), 4)}, 10) == {"a": 0, IDLE: 20}


def test_instructions_divide_what_jobs_worked_where_they_are_known_of_all():
    work = {"a": 100, "b": 300, "c": 0, UNALLOCATED: 50}
    assert split.by_instructions(work, {"a": 3, "b": 1}) == {"a": 300, "b": 100, "c": 0, UNALLOCATED: 50}
    assert split.by_instructions(work, {"a": 3}) is split.by_instructions({UNALLOCATED: 5}, {}) is None


def test_the_energy_of_jobs_goes_by_instructions_where_they_are_counted(tmp_path, monkeypatch):
    machine, counts = Machine(tmp_path), {}
    perf = SimpleNamespace(counted=lambda name: counts if name == "instructions" else {})
    one, two = machine.job("0-3"), machine.job("4-7")
    with node(machine, monkeypatch, others={"perfhw": perf}) as opened:
        counts.update({one: 0, two: 0})
        opened.sample()
        for job in (one, two):
            machine.run(job, 2)
        machine.ran(1)
        counts.update({one: 4 * 10 ** 9, two: 10 ** 9})
        machine.clock.wait(5)
        machine.tree.use(package_0=800)
        jobs, owners = opened.sample()
        assert [jobs[job]["package_dynamic"] / 10 ** 6 for job in (one, two)] == [320, 80]
        assert owners["unallocated"]["package_dynamic"] == 100 * 10 ** 6 and owners["node"]["method"] == 2
        machine.run(one, 1)                     # and now they are not
        machine.clock.wait(5)
        machine.tree.use(package_0=400)
        jobs, owners = opened.sample()
        assert jobs[one]["package_dynamic"] == 420 * 10 ** 6 and owners["node"]["method"] == 1


def test_idle_power_is_learned_at_rest_only_and_is_the_least():
    idle = Idle()
    for watts, busy in ((300, 0.5), (90, 0.04), (120, 0.0), (80, 0.06), (85, 0.05)):
        for _ in range(3):
            idle.learn(PACKAGE, watts * 10 ** 7, 10 * SECOND, int(busy * 80 * SECOND), 80 * SECOND)
    assert idle.power(PACKAGE) == 85 and idle.source(PACKAGE) == LEARNED
    assert idle.energy(PACKAGE, 2 * SECOND) == 170 * 10 ** 6
    assert (idle.power(CARD), idle.source(CARD), idle.energy(CARD, SECOND)) == (0, UNKNOWN, 0)


def test_a_short_rest_teaches_nothing_and_a_change_forgets():
    idle = Idle()
    idle.learn(PACKAGE, 1, 20 * SECOND, 0, 80 * SECOND)
    idle.begin_anew(())
    idle.learn(PACKAGE, 1, 20 * SECOND, 0, 80 * SECOND)
    assert idle.source(PACKAGE) == UNKNOWN
    idle.learn(PACKAGE, 10 ** 9, 20 * SECOND, 0, 80 * SECOND)
    assert idle.power(PACKAGE) == pytest.approx(25)
    idle.begin_anew((CARD,))
    assert idle.source(PACKAGE) == LEARNED
    idle.begin_anew((PACKAGE,))
    assert idle.source(PACKAGE) == UNKNOWN


def test_what_is_declared_goes_before_what_is_seen():
    idle = Idle({"gpu": 30.5, "package": 0})
    idle.learn(CARD, 10 ** 9, 60 * SECOND, 0, 60 * SECOND)
    assert (idle.power(CARD), idle.source(CARD), idle.source(PACKAGE)) == (30.5, DECLARED, DECLARED)


def test_a_node_at_rest_is_idle_once_that_was_seen(tmp_path, monkeypatch):
    machine = Machine(tmp_path)
    with node(machine, monkeypatch, idle={}) as opened:
        opened.sample()
        for _ in range(12):
            machine.clock.wait(5)
            machine.ran(0.1)
            machine.tree.use(package_0=200, package_0__dram=25, package_1=100, package_1__dram=25)
            _, owners = opened.sample()
        assert owners["node"]["idle_power"] == 70 and owners["node"]["idle_source"] == 2
        assert owners["idle"]["energy"] == owners["unallocated"]["energy"] == 6 * 350 * 10 ** 6
        job = machine.job("0-1")
        machine.clock.wait(5)
        machine.run(job, 10)
        machine.tree.use(package_0=1500, package_0__dram=50, package_1=300)
        jobs, owners = opened.sample()
    assert jobs[job]["package_dynamic"] == 1500 * 10 ** 6 and jobs[job]["package_static"] == 75 * 10 ** 6


@pytest.mark.parametrize("words, message", [
    ("cpu=3", "--idle-power cpu=3: must be PART=WATTS, PART one of package, dram, gpu, other"),
    ("package", "--idle-power package: must be PART=WATTS, such as package=95.5"),
    ("gpu=-1", "--idle-power gpu=-1: must be from 0 to 1000000 W"),
    ("gpu=nan", "--idle-power gpu=nan: must be from 0 to 1000000 W"),
])
def test_idle_power_that_cannot_be_is_refused(words, message):
    with pytest.raises(Usage) as told:
        settings(["--idle-power", words], ())
    assert str(told.value) == message


def test_cores_are_looked_at_again_and_a_job_without_any_has_all(tmp_path):
    machine, cores = Machine(tmp_path), Cores(tmp_path)
    now = machine.clock.now
    assert cores.of_node(now) == tuple(range(8))
    job, loose, unified = machine.job("1-2,5"), machine.job(""), machine.job("")
    for name, value in (("cgroup.controllers", "cpuset\n"), ("cpuset.cpus.effective", "6-7\n")):
        (unified.cgroups[0] / name).write_text(value)
    assert cores.of(job, now) == {1, 2, 5} and cores.of(loose, now) == set(range(8))
    (job.cgroups[0] / "cpuset.cpus").write_text("1\n")
    (loose.cgroups[0] / "cpuset.effective_cpus").write_text("3-4\n")
    assert cores.of(job, now + SECOND) == {1} and cores.of(loose, now + SECOND) == {3, 4}
    (job.cgroups[0] / "cpuset.cpus").unlink()       # it is gone: what it had last stands
    assert cores.of(job, now + 100 * SECOND) == {1}
    job.parts = unified.parts                       # moved
    assert cores.of(job, now + 200 * SECOND) == {6, 7}
    cores.forget(job)


def test_a_job_that_tells_no_cpu_time_is_told_once(tmp_path, monkeypatch, caplog):
    machine = Machine(tmp_path)
    job = machine.job("0-3")
    (job.cgroups[0] / "cpuacct.usage").unlink()
    with node(machine, monkeypatch) as opened:
        opened.sample()
        for _ in range(3):
            machine.clock.wait(5)
            machine.ran(5)
            machine.tree.use(package_0=500)
            jobs, owners = opened.sample()
    assert (jobs[job]["package_dynamic"], owners["unallocated"]["package_dynamic"]) == (0, 600 * 10 ** 6)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        "energy: no cgroup of job 1 tells its CPU time, so that its dynamic energy counts as unallocated"]
