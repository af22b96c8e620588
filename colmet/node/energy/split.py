"""The sums of the division of energy: whole numbers in, whole numbers out, and what comes out is what went in.

Owners of energy are jobs, UNALLOCATED (what is done, but by no job) and IDLE (what is there, but for no job). A weight
is a whole number from 0 on, of any unit.
"""
from collections import Counter
from heapq import nlargest

from colmet.common.metrics.energy import IDLE, UNALLOCATED


def apportion(total, weights):
    """{owner: part} of `total` in proportion to {owner: weight}, not all 0: whole parts, whose sum is `total`. What the
    rounding down leaves goes, 1 each, to those of whom it took most."""
    if not total or len(weights) == 1:
        return dict.fromkeys(weights, total)
    whole = sum(weights.values())
    shares, rests = {}, {}
    for owner, weight in weights.items():
        shares[owner], rests[owner] = divmod(total * weight, whole)
    left = total - sum(shares.values())
    for owner in nlargest(left, rests, key=rests.get) if left else ():
        shares[owner] += 1
    return shares


def divide(energy, static, work, room):
    """({owner: dynamic energy}, {owner: static energy}), together `energy`. At most `static` of it is static, and goes
    by the weights `room`; what is above it goes by the weights `work`. Where nobody worked, that is `UNALLOCATED`;
    where there is no room, the other is `IDLE`."""
    static = min(energy, static)
    return (apportion(energy - static, work if any(work.values()) else {UNALLOCATED: 1}),
            apportion(static, room if any(room.values()) else {IDLE: 1}))


def inside(whole, inner):
    """What a meter of all, which counted `whole`, leaves for what counts inside it, {name: energy}: ({name: energy of
    it}, the rest, which is of what has no counter). Where `inner` is more than `whole`, all of that is theirs, in
    proportion."""
    if sum(inner.values()) <= whole:
        return dict(inner), whole - sum(inner.values())
    return apportion(whole, inner), 0


def rooms(cores, held, elapsed):
    """{owner: weight}, in core-ns: of each of `cores` (numbers) for `elapsed` ns. `held` is {job: (its cores, ns for
    which it had them)}. Those that hold one core at a time share it; what nobody holds is `IDLE`'s."""
    holders, claims = {}, {}        # {cores: [jobs]}; {core: sum of a bit for each of these that has it}
    for job, (numbers, _) in held.items():      # mostly, many jobs have the same cores
        holders.setdefault(numbers, []).append(job)
    for place, numbers in enumerate(holders):
        for number in numbers:
            claims[number] = claims.get(number, 0) | 1 << place
    weights = dict.fromkeys(held, 0)
    weights[IDLE] = 0
    alike = Counter([claims.get(core, 0) for core in cores])
    for bits, count in alike.items():
        wanted = {job: held[job][1] for place, jobs in enumerate(holders.values()) if bits >> place & 1 for job in jobs}
        claimed = sum(wanted.values())
        weights[IDLE] += count * max(0, elapsed - claimed)
        shared = apportion(elapsed, wanted) if claimed > elapsed else wanted
        for job, part in shared.items():
            weights[job] += count * part
    return weights


def by_instructions(work, instructions):
    """The weights `work` (CPU time), that of those jobs which {job: instructions} knows divided anew in proportion to
    these. None where one of the jobs that worked has no instructions."""
    jobs = {job: time for job, time in work.items() if job != UNALLOCATED and time}
    known = {job: instructions.get(job) or 0 for job in jobs}
    if not jobs or not all(known.values()):
        return None
    return {**work, **apportion(sum(jobs.values()), known)}
