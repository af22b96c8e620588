"""The check that divided energy closes: random ticks on a made-up machine, and what its rows must be, computed here
from the machine's files and from what its jobs did.
"""
import random

from energy_machine import CORES, COUNTED_ZONES, IDLE, move, node

EXACT = 1e-9
ENERGIES = ["%s_%s" % (kind, share) for kind in ("package", "dram") for share in ("dynamic", "static")]
NOTHING = dict.fromkeys(["energy", *ENERGIES], 0)


def check(machine, monkeypatch, ticks, seed):
    """Raises AssertionError at the first tick whose rows are not what they must be."""
    dice = random.Random(seed)
    with node(machine, monkeypatch) as opened:
        jobs, owners = opened.sample()
        raw, since = machine.counted(), owners["node"]["since"]
        for _ in range(ticks):
            before, raw_before = {**jobs, **owners}, raw
            did = move(machine, dice)
            jobs, owners = opened.sample()
            raw = machine.counted()
            assert {row["since"] for row in owners.values()} == {since}
            used = {name: (raw[name] - raw_before[name]) % machine.tree.span(name) for name in COUNTED_ZONES}
            assert all(row[name] is not None for row in (*jobs.values(), *owners.values()) for name in NOTHING)
            grown = {owner: {name: row[name] - before.get(owner, NOTHING)[name] for name in NOTHING}
                     for owner, row in {**jobs, **owners}.items()}
            closes(grown, jobs, used)
            is_fair(grown, jobs, used, did)
    return owners


def closes(grown, jobs, used):
    """Jobs, unallocated and idle are the node, and that is what its zones used (uJ); nothing is negative."""
    together = sum(used.values())
    assert together > 0
    assert abs(grown["node"]["energy"] - together) <= EXACT * together
    parts = [grown[owner]["energy"] for owner in (*jobs, "unallocated", "idle")]
    assert abs(sum(parts) - together) <= EXACT * together
    assert sum(grown[job]["energy"] for job in jobs) == grown["jobs"]["energy"]
    assert all(value >= 0 for row in grown.values() for value in row.values())
    assert all(row["energy"] == sum(row[name] for name in ENERGIES) for row in grown.values())


def is_fair(grown, jobs, used, did):
    """Dynamic energy is as CPU time, static energy as cores, by formulas of its own, to 2 uJ."""
    worked, outside, held, seconds = did
    rooms = cores_held(held, seconds)
    for kind in ("package", "dram"):
        energy = sum(value for name, value in used.items() if (kind == "dram") == name.endswith("dram"))
        static = min(energy, IDLE[kind] * seconds * 1e6)
        dynamic, times = energy - static, sum(worked.values()) + outside
        assert worked.keys() <= grown.keys()
        for job, time in worked.items():
            assert near(grown[job][kind + "_dynamic"], dynamic * time / times if times else 0)
            assert near(grown[job][kind + "_static"], static * rooms[job] / (CORES * seconds))
        assert near(grown["unallocated"][kind + "_dynamic"], dynamic * outside / times if times else dynamic)
        assert near(grown["idle"][kind + "_static"], static * (1 - sum(rooms.values()) / (CORES * seconds)))
        assert grown["idle"][kind + "_dynamic"] == grown["unallocated"][kind + "_static"] == 0


def near(value, wanted):
    """Whether it is, but for whole uJ, and times of whole ns."""
    return abs(value - wanted) <= 2 + 1e-6 * wanted


def cores_held(held, seconds):
    """{job: core-seconds}: of each core the jobs that hold it have their parts of the time, and of no more."""
    found = dict.fromkeys(held, 0.0)
    for core in range(CORES):
        claims = {job: time for job, (cores, time) in held.items() if core in cores}
        scale = max(1.0, sum(claims.values()) / seconds)
        for job, time in claims.items():
            found[job] += time / scale
    return found
