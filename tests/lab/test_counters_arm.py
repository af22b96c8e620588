"""Counters of a processor (lib_perf_hw) on an ARM guest (``arm.py``), where the cycles of an instruction are known:
what a loop of known length in a cgroup took (``inside/known_loop.c``)."""
import errno

import pytest

from lab import arm

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("guest")]
PER_LOOP = 2                # instructions
KERNEL = 0.01               # of the instructions of a loop: those of the timer's interrupts meanwhile
ONCE_MORE = 0.02            # and of what stands for a whole that was seen for a third of the time


@pytest.fixture(name="found", scope="module")
def _found(tmp_path_factory):
    """{name: rows of numbers} of what the guest said."""
    reason = arm.lacking()
    if reason:
        pytest.skip(reason)
    said = arm.run(tmp_path_factory.mktemp("arm"), "known_loop.c", "lib_perf_hw")
    found = {}
    for name, *numbers in map(str.split, said.splitlines()):
        if all(number.lstrip("-").isdigit() for number in numbers):
            found.setdefault(name, []).append([int(number) for number in numbers])
    assert "end" in found, said
    return found


def test_cycles_of_an_instruction_are_exact(found):
    for name in ("nothing", "once", "twice"):
        (cycles, *times), (instructions, *others) = found[name]
        assert cycles == arm.CYCLES * instructions > 0 and times == others and times[0] == times[1], name


def test_instructions_are_those_of_the_loop(found):
    [[loops]] = found["loops"]
    nothing, once, twice = (found[name][1][0] for name in ("nothing", "once", "twice"))
    for more in (once - nothing, twice - once):
        assert PER_LOOP * loops <= more + PER_LOOP <= PER_LOOP * loops * (1 + KERNEL)


def test_groups_that_share_the_processor_each_tell_of_the_whole(found):
    whole, counts = found["once"][1][0], found["shared"]
    for group in (counts[:4], counts[4:8], counts[8:]):
        [(count, enabled, running)] = set(map(tuple, group))        # all of a group count together
        assert 0.2 < running / enabled < 0.5 and count == pytest.approx(whole, rel=ONCE_MORE)


def test_what_the_processor_has_not_is_refused(found):
    assert found["unknown"] == [[errno.ENOENT]] and found["too-many"] == [[errno.EINVAL]]
