"""Energy of jobs, unallocated and idle is the node's, tick by tick; and whoever divides it wrongly is found out."""
import pytest

from colmet.common.metrics.energy import IDLE, UNALLOCATED
from colmet.node.backends import energy
from colmet.node.energy import division, idle, split, use
from colmet.node.rapl import zones
from colmet.node.rapl.powercap_zone import Counted
from energy_check import check
from energy_machine import Machine, node

TICKS, FEW = 1000, 60


@pytest.mark.slow
def test_it_closes_over_a_thousand_random_ticks(tmp_path, monkeypatch):
    machine = Machine(tmp_path)
    owners = check(machine, monkeypatch, TICKS, seed=7)
    assert machine.number > 300                             # jobs that came and went
    assert owners["node"]["energy"] > 10 * 262143328850     # wraps of each package
    assert all(row["gpu_dynamic"] is row["other_static"] is None for row in owners.values())


RIGHT_DIVIDE, RIGHT_APPORTION, RIGHT_TAKE = split.divide, split.apportion, Counted.take
RIGHT_SAMPLE, RIGHT_GIVE = energy.Backend.sample, division.Division._give


def without(weights, owner):
    """The same, the owner left out, where anybody else is left."""
    left = {other: weight for other, weight in weights.items() if other != owner}
    return left if any(left.values()) else weights


def rounded(total, weights):
    whole = sum(weights.values())
    return {owner: round(total * weight / whole) for owner, weight in weights.items()}


def rounded_down(total, weights):
    whole = sum(weights.values())
    return {owner: total * weight // whole for owner, weight in weights.items()}


def no_wrap(self, value, now, wall, slept):
    if self._last is not None and value is not None and value < self._last:
        self._last = 0
    return RIGHT_TAKE(self, value, now, wall, slept)


def forgets_the_ended(self, jobs):
    self._known &= set(jobs)
    return RIGHT_SAMPLE(self, jobs)


def by_time_only(cores, held, elapsed):
    return {**{job: time for job, (_, time) in held.items()}, IDLE: elapsed}


WRONG = {
    "static energy by CPU time": (split, "divide", lambda energy, static, work, room: RIGHT_DIVIDE(
        energy, static, work, {IDLE if owner == UNALLOCATED else owner: time for owner, time in work.items()})),
    "dynamic energy by cores": (split, "divide", lambda energy, static, work, room: RIGHT_DIVIDE(
        energy, static, {UNALLOCATED if owner == IDLE else owner: time for owner, time in room.items()}, room)),
    "a zone inside another counted too": (zones, "summed", lambda found: {
        zone.name for zone in found if zone.kind != zones.PSYS}),
    "the platform beside its packages": (zones, "summed", lambda found: {
        zone.name for zone in found if zone.kind not in (zones.CORE, zones.DRAM)}),
    "memory left out": (zones, "summed", lambda found: {zone.name for zone in found if zone.kind == zones.PACKAGE}),
    "unallocated dropped": (split, "divide", lambda energy, static, work, room: RIGHT_DIVIDE(
        energy, static, without(work, UNALLOCATED), room)),
    "idle dropped": (split, "divide", lambda energy, static, work, room: RIGHT_DIVIDE(
        energy, static, work, without(room, IDLE))),
    "all of it dynamic": (idle.Idle, "energy", lambda self, unit, elapsed: 0),
    "idle power by the number of ticks": (idle.Idle, "energy", lambda self, unit, elapsed: int(self.power(unit) * 5e6)),
    "in equal parts": (split, "apportion", lambda total, weights: RIGHT_APPORTION(total, dict.fromkeys(weights, 1))),
    "rounded": (split, "apportion", rounded),
    "rounded down": (split, "apportion", rounded_down),
    "a wrap missed": (Counted, "take", no_wrap),
    "the end of jobs forgotten": (energy.Backend, "sample", forgets_the_ended),
    "shared cores given twice": (split, "rooms", by_time_only),
    "presence ignored": (use, "held_for", lambda job, before, now: now - before),
    "the node without idle": (division.Division, "_give", lambda self, each, dynamic, static:
                              RIGHT_GIVE(self, each, dynamic, without(static, IDLE))),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_division_is_found_out(wrong, tmp_path, monkeypatch):
    where, name, mutation = WRONG[wrong]
    monkeypatch.setattr(where, name, mutation)
    with pytest.raises(AssertionError):
        check(Machine(tmp_path), monkeypatch, FEW, seed=7)


def test_without_a_mutation_the_same_ticks_are_right(tmp_path, monkeypatch):
    check(Machine(tmp_path), monkeypatch, FEW, seed=7)


def test_an_idle_job_gets_no_dynamic_energy_and_others_as_they_work(tmp_path, monkeypatch):
    machine = Machine(tmp_path)
    one, three, rests = machine.job("0-1"), machine.job("2-3"), machine.job("4-7")
    with node(machine, monkeypatch) as opened:
        before, _ = opened.sample()
        for _ in range(20):
            machine.clock.wait(5)
            machine.run(one, 2.5)
            machine.run(three, 7.5)
            machine.run(rests, 0.01)
            machine.tree.use(package_0=1000.123456, package_1=731.2, package_0__dram=77)
            jobs, owners = opened.sample()
    dynamic = {job: jobs[job]["package_dynamic"] + jobs[job]["dram_dynamic"] for job in jobs}
    every = owners["node"]["package_dynamic"] + owners["node"]["dram_dynamic"]
    assert 0 < dynamic[rests] < 0.01 * every
    assert dynamic[three] / dynamic[one] == pytest.approx(3, rel=0.02)
    static = {job: jobs[job]["package_static"] for job in jobs}
    assert static[rests] == pytest.approx(2 * static[one], rel=1e-6) and static[one] == static[three]
    assert owners["idle"]["energy"] == 0 and owners["node"]["method"] == 1 and owners["node"]["source"] == 1
    assert owners["node"]["package_static"] == 60 * 100 * 10 ** 6
    assert owners["node"]["idle_power"] == 68 and owners["node"]["idle_source"] == 1
