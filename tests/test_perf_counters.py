"""Counters of jobs: real events of the kernel, for real cgroups of both versions."""
import errno
import os
import resource
from contextlib import closing
from pathlib import Path

import pytest

import perf_jobs
from colmet.common.mounts import Mount
from colmet.node.jobs.job import Job
from colmet.node.perf.counters import Counters, directory
from colmet.node.perf.events import find
from e2e.programs import wait_for
from perf_worker import TICK, Worker, lost

pytestmark = pytest.mark.slow       # the kernel's and the C helper's work is alike on each Python

HERE = Path("/")
EVENTS = ("page_faults", "task_clock", "context_switches", "page_faults_min", "page_faults_maj", "cpu_migrations")


def counting(*names):
    """Counters of these events, each for every job."""
    counters = Counters(HERE, [find(name, HERE) for name in names])
    counters.count(range(len(names)))
    return closing(counters)


@pytest.fixture(name="place", params=["v1", "v2"])
def _place(request, tmp_path):
    with perf_jobs.counted(request.param, tmp_path / "perf_event") as place:
        yield place


@pytest.fixture(name="v2")
def _v2(tmp_path):
    with perf_jobs.counted("v2", tmp_path) as place:
        yield place


def values(sums):
    """The values of a job in the order of the events."""
    return [sums[place][1] for place in sorted(sums)]


def test_what_a_job_does_is_counted_to_the_last_fault(place):
    with counting(*EVENTS) as counters, perf_jobs.working(place, "job") as (job, worker):
        before, told = values(counters.read([job])[job]), (worker.faults(), worker.switches())
        worker.work(pages=3000, sleeps=50)
        after = values(counters.read([job])[job])
        grown = [one - other for one, other in zip(after, before)]
        assert grown[0] == worker.faults() - told[0] >= 3000
        assert grown[3] + grown[4] == grown[0]
        assert abs(grown[2] - (worker.switches() - told[1])) <= 2 and grown[2] >= 50


def test_its_cpu_time_is_that_of_wait4(place):
    path = place.make("job")
    job = perf_jobs.job_of(path)
    with counting("task_clock") as counters:
        assert values(counters.read([job])[job]) == [0]
        used, entered, before = [], [], lost()
        for _ in range(2):
            worker = Worker(path)           # what it used before it entered is not the job's
            entered.append(worker.before)
            worker.work(seconds=0.3)
            used.append(worker.end())
        spent = sum(round(1e9 * (usage.ru_utime + usage.ru_stime)) for usage in used)
        since, value, enabled, running = counters.read([job])[job][0]
        assert spent - sum(entered) <= value * 1.02 and 6e8 <= value <= spent * 1.02 + lost() - before + TICK
        assert since > 0 and 0.99 * value <= running <= enabled


def test_what_ended_before_it_was_read_is_counted_and_read_after_the_cgroup_is_gone(place):
    path = place.make("job")
    job = perf_jobs.job_of(path)
    with counting("page_faults") as counters:
        counters.read([job])
        worker = Worker(path)
        worker.work(pages=2000)
        usage = worker.end()
        place.remove("job")
        [value] = values(counters.read([])[job])
        assert 2000 <= value <= usage.ru_minflt + usage.ru_majflt
        assert values(counters.read([])[job]) == [value]
        assert counters.others([]) == [job]
        counters.forget(job)
        assert counters.read([]) == {} and counters.others([]) == []


def test_a_job_of_several_cgroups_is_their_sum_and_what_is_below_is_in_it(v2):
    with perf_jobs.working(v2, "a") as (one, first), perf_jobs.working(v2, "b") as (_, second):
        below = v2.make("a/below")
        third = Worker(below)
        job = perf_jobs.job_of(v2.root / "a", v2.root / "b")
        with counting("page_faults") as counters:
            [before] = values(counters.read([job])[job])
            told = sum(each.faults() for each in (first, second, third))
            for each, pages in ((first, 100), (second, 200), (third, 400)):
                each.work(pages=pages)
            [after] = values(counters.read([job])[job])
            assert after - before == sum(each.faults() for each in (first, second, third)) - told
            job.parts = job.parts[:1]       # a cgroup that is gone keeps its share
            first.work(pages=50)
            assert values(counters.read([job])[job])[0] >= after + 50
            assert counters.read([one, job])[one][0][1] == 0
        third.end()


def test_descriptors_are_closed_with_the_job(v2):
    def held():
        return sum("perf_event" in os.readlink("/proc/self/fd/" + name) for name in os.listdir("/proc/self/fd")
                   if os.path.islink("/proc/self/fd/" + name))

    jobs = [perf_jobs.job_of(v2.make(name)) for name in "abc"]
    before = held()
    with counting(*EVENTS) as counters:
        counters.read(jobs)
        assert held() - before == 3 * len(EVENTS) * os.cpu_count()
        for job in jobs:
            counters.forget(job)
        assert held() == before
        counters.read(jobs)
    assert held() == before


def test_no_more_is_opened_than_fits_and_the_rest_is_shed_with_a_word(v2, monkeypatch, caplog):
    limit = 5 * 2 * len(EVENTS) * os.cpu_count() + 9        # a fifth: two jobs
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    jobs = [perf_jobs.job_of(v2.make(name)) for name in "abc"]
    with counting(*EVENTS) as counters:
        assert set(counters.read(jobs)) == set(jobs[:2])
        assert set(counters.read(jobs)) == set(jobs[:2])
        assert caplog.text.count("no more files can be kept open") == 1 and "LimitNOFILE" in caplog.text
        counters.forget(jobs[0])
        wait_for(lambda: set(counters.read(jobs[1:])) == set(jobs[1:]), 30, "counters of the job that waited")


def test_no_file_left_is_no_fault_of_a_source(v2, monkeypatch, caplog):
    job = perf_jobs.job_of(v2.make("a"))
    with counting("page_faults", "task_clock") as counters:
        monkeypatch.setattr(os, "open", refuse(errno.EMFILE))
        assert counters.read([job]) == {} == counters.read([job])
        monkeypatch.undo()
        assert "no more files can be kept open" in caplog.text
        wait_for(lambda: job in counters.read([job]), 30, "counters of the job")


def refuse(code):
    """A function that fails with this errno."""
    def fail(*_):
        raise OSError(code, os.strerror(code))
    return fail


def test_a_job_that_is_no_cgroup_of_perf_event_is_told_once(tmp_path, caplog):
    elsewhere = perf_jobs.job_of(tmp_path)
    with counting("page_faults") as counters:
        assert counters.read([elsewhere, Job("77")]) == {}
        assert caplog.text.count("job 77 has no cgroup that perf_event knows") == 1
        counters.read([elsewhere, Job("78")])
        assert caplog.text.count("perf_event knows") == 1


def test_where_perf_event_has_the_cgroup_of_another_hierarchy():
    old = [Mount("cgroup", 1, "/cg/cpuset", "/", ("rw", "cpuset")),
           Mount("cgroup2", 2, "/cg/unified", "/", ("rw",))]
    assert directory("/cg/cpuset/oar/a_1", old) == "/cg/unified/oar/a_1"
    counts = old + [Mount("cgroup", 3, "/cg/perf", "/", ("rw", "perf_event"))]
    assert directory("/cg/cpuset/oar/a_1", counts) == "/cg/perf/oar/a_1"
    assert directory("/cg/unified/a_1", counts) == "/cg/perf/a_1"
    assert directory("/cg/cpuset/oar/a_1", old[:1]) is None
