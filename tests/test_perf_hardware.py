"""What counters of processors may do that those of the kernel never do, by a stand-in for lib_perf_hw: most machines
that run tests have no PMU."""
import errno
from pathlib import Path

import pytest

from colmet.node.perf import counters as perf_counters
from colmet.node.jobs.job import Cgroup, Job
from colmet.node.perf.counters import Counters
from colmet.node.perf.events import Event
from colmet.node.perf.groups import Group, Refused

MS = 10 ** 6
CORES = [Event(name, "cpu", 0, (number, 0, 0)) for number, name in enumerate("abcde")]


class Pmu:
    """Groups of a PMU with room for `room` counters, of which `held` are taken by others: more than the room is refused
    when it is opened, what does not fit beside the others never runs."""

    def __init__(self, room, held=0):
        self.room, self.held, self.opened, self.changed = room, held, [], False
        self.time = 0                       # ns for which jobs ran

    def __call__(self, root, events):
        return self

    def cpus_changed(self):
        changed, self.changed = self.changed, False
        return changed

    def open(self, path, places):
        if len(places) > self.room:
            raise Refused(errno.EINVAL, self.room)
        group = Group(path, places, len(self.opened), 1000 + self.time)
        self.opened.append(group)
        return group

    def read(self, groups):
        found = []
        for group in groups:
            time = self.time - (group.since - 1000)
            runs = len(group.places) <= self.room - self.held
            found.append([(time * (place + 1) if runs or not time else None, time, time if runs else 0)
                          for place in group.places])
        return found

    def close(self, group):
        self.opened.remove(group)


@pytest.fixture(name="counting")
def _counting(monkeypatch):
    """counting(pmu, events): Counters of them, and a job."""
    def make(pmu, events=CORES):
        monkeypatch.setattr(perf_counters, "Groups", pmu)
        counters = Counters(Path("/"), events)
        counters.count(range(len(events)))
        job = Job("1")
        job.parts = (Cgroup("/sys/fs/cgroup", (0, 1)),)
        monkeypatch.setattr(perf_counters, "directory", lambda path, hierarchies: path)
        return counters, job
    return make


def places(pmu):
    """Of each open group, the places of its events."""
    return [group.places for group in pmu.opened]


def test_events_that_fit_are_one_group(counting):
    pmu = Pmu(8)
    counters, job = counting(pmu)
    counters.read([job])
    assert places(pmu) == [(0, 1, 2, 3, 4)]


def test_more_than_the_processor_has_are_several_groups(counting):
    pmu = Pmu(2)
    counters, job = counting(pmu)
    counters.read([job])
    assert places(pmu) == [(0, 1), (2, 3), (4,)]
    pmu.time = 500 * MS
    assert [counters.read([job])[job][place][1] for place in range(5)] == [500 * MS * n for n in range(1, 6)]


def test_a_group_that_never_runs_is_halved_until_it_does(counting):
    pmu = Pmu(8, held=6)
    counters, job = counting(pmu)
    counters.read([job])
    pmu.time = 50 * MS
    assert counters.read([job])[job][0] == (1000, None, 50 * MS, 0) and places(pmu) == [(0, 1, 2, 3, 4)]
    for _ in range(4):
        pmu.time += 150 * MS
        sums = counters.read([job])[job]
    assert sorted(places(pmu)) == [(0, 1), (2,), (3, 4)]
    assert all(sums[place][1] == sums[place][2] * (place + 1) > 0 for place in range(5))
    assert len({since for since, *_ in sums.values()}) == 2     # each since it counts
    other = Job("2")
    other.parts = (Cgroup("/sys/fs/cgroup", (0, 2)),)
    counters.read([job, other])
    assert sorted(places(pmu)) == sorted(2 * [(0, 1), (2,), (3, 4)])


def test_one_that_never_gets_a_counter_is_missing_with_a_word(counting, caplog):
    pmu = Pmu(4, held=4)
    counters, job = counting(pmu, CORES[:1])
    counters.read([job])
    for _ in range(3):
        pmu.time += 150 * MS
        assert counters.read([job])[job][0] == (1000, None, pmu.time, 0)
    assert caplog.text.count("a: no counter of the CPU was free for it") == 1 and "nmi_watchdog" in caplog.text


def test_when_cpus_come_or_go_all_is_opened_anew_and_the_totals_go_on(counting):
    pmu = Pmu(8)
    counters, job = counting(pmu)
    counters.read([job])
    pmu.time = 300 * MS
    before = counters.read([job])[job]
    pmu.changed = True
    after = counters.read([job])[job]
    assert after == before and pmu.opened[0].since == 1000 + 300 * MS
    pmu.time = 400 * MS
    assert counters.read([job])[job][1] == (1000, 800 * MS, 400 * MS, 400 * MS)


def test_what_is_outside_the_cores_counts_for_the_node_alone(counting):
    pmu = Pmu(8)
    counters, job = counting(pmu, [Event("uncore", "uncore", 24, (4, 0, 0), (0,), True), *CORES[:2]])
    pmu.time = 100 * MS
    counters.read([job])
    pmu.time = 200 * MS
    sums = counters.read([job])
    assert list(sums[None]) == [0] and list(sums[job]) == [1, 2]
    assert sums[None][0] == (1000 + 100 * MS, 100 * MS, 100 * MS, 100 * MS)
    assert counters.others([]) == [job]
    counters.close()
    assert pmu.opened == []
