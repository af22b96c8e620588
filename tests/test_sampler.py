"""The sampling loop with sources made of a few lines: isolation, periods, clocks, jobs that come and go."""
import threading

from contextlib import contextmanager
from pathlib import Path

import pytest

from colmet.common import wire
from colmet.common.metrics import TABLES
from colmet.common.schema import MISSING
from colmet.node.clock import SECOND, boottime, next_boundary
from colmet.node.health import Health
from colmet.node.cgroup.counters import Counters
from colmet.node.jobs.history import History
from colmet.node.jobs.job import Job
from colmet.node.sending.outbox import Outbox
from colmet.node.sampler import Identity, Sampler
from colmet.node.source import SlowSource, Source
from e2e.programs import wait_for
from sampling import PROCSTATS, TASKSTATS, Broken, Ending, Jobs, OfJobs, OfNode

BY_FINGERPRINT = {table.fingerprint: table for table in TABLES.values()}
IDENTITY = Identity("node-1", "", 7)


def of_jobs(period=SECOND):
    return Source("taskstats", OfJobs(), (TASKSTATS,), period)


def of_node(period=SECOND):
    return Source("procstats", OfNode(), (PROCSTATS,), period)


@pytest.fixture
def make():
    """Samplers whose outboxes are closed after the test."""
    outboxes = []

    def sampler(jobs, sources, history=None, hwm=0, **options):
        outboxes.append(Outbox(hwm))
        return Sampler(IDENTITY, jobs, sources, outboxes[-1], set(TABLES), history, **options)
    yield sampler
    for each in outboxes:
        each.close()


def batches(outbox):
    """The batches that were put since the last call."""
    found = []
    while outbox.next(boottime()):
        kept = outbox.next(boottime())
        batch, faults = wire.unpack(kept.frames, BY_FINGERPRINT)
        assert not faults
        outbox.delivered(kept, boottime())
        found.append(batch)
    return found


def names(batch):
    return [block.table.name for block in batch.blocks]


def run(sampler, until, reload=lambda: None):
    """Let it run until `until()` is true."""
    outbox = Outbox()
    sampler.run(until, outbox.fileno(), reload)
    outbox.close()


def test_the_first_batch_has_number_1_and_the_jobs(make):
    sampler = make(Jobs(Job("12", user="alice"), Job("13")), [of_jobs(), of_node()])
    sampler.tick(sampler.sources)
    batch, = batches(sampler.outbox)
    assert (batch.node, batch.session, batch.sequence) == ("node-1", 7, 1)
    assert batch.jobs == [{"job": "0"}, {"job": "12", "user": "alice"}, {"job": "13"}]
    assert names(batch) == ["taskstats_default", "procstats_default"]
    assert [row[0] for row in batch.blocks[0]] == [1, 2]
    assert batch.present() == ["12", "13"]


def test_a_name_too_long_for_the_wire_is_cut(make):
    sampler = make(Jobs(Job("12", user="\ufffd" * 200)), [of_jobs()])
    sampler.tick(sampler.sources)
    assert batches(sampler.outbox)[0].jobs[1] == {"job": "12", "user": "\ufffd" * 85}


def test_a_job_without_rows_is_named_all_the_same(make):
    sampler = make(Jobs(Job("12")), [of_node()])
    sampler.tick(sampler.sources)
    assert batches(sampler.outbox)[0].present() == ["12"]


@pytest.mark.parametrize("act", [
    lambda: 1 / 0,
    lambda: {TASKSTATS.name: 7},
    lambda: {PROCSTATS.name: [(None, "", [1, 2])]},
    lambda: {PROCSTATS.name: [(None, "", ["text"] * len(PROCSTATS.metrics))]},
    lambda: {PROCSTATS.name: [(None, b"x", [1] * len(PROCSTATS.metrics))]},
    lambda: {PROCSTATS.name: [(None, "x" * 256, [1] * len(PROCSTATS.metrics))]},
    lambda: "nonsense",
])
def test_whatever_one_source_does_the_others_go_on(make, caplog, act):
    broken = Source("broken", Broken(act), (PROCSTATS,), SECOND)
    sampler = make(Jobs(Job("12")), [broken, of_jobs()])
    sampler.tick(sampler.sources)
    sampler.tick(sampler.sources)
    first, second = batches(sampler.outbox)
    assert names(first) == names(second) == ["taskstats_default"]
    assert broken.failures == 2 and sampler.sources[1].failures == 0
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 1 and errors[0].startswith("broken: ")       # twice the same kind: told once


def test_a_tick_without_a_row_makes_no_batch_and_takes_no_number(make):
    sampler = make(Jobs(), [of_jobs()])
    sampler.tick(sampler.sources)
    assert batches(sampler.outbox) == [] and sampler.sequence == 0
    sampler.jobs.here = [Job("5")]
    sampler.tick(sampler.sources)
    assert [batch.sequence for batch in batches(sampler.outbox)] == [1]


def test_rows_of_tables_that_are_off_stay_out(make):
    sampler = make(Jobs(Job("5")), [of_jobs(), of_node()])
    sampler.wanted = {TASKSTATS.name}
    sampler.tick(sampler.sources)
    assert names(batches(sampler.outbox)[0]) == ["taskstats_default"]


def test_each_source_has_its_period_and_due_ones_share_a_tick(make):
    slow, quick = of_node(300 * 10 ** 6), of_jobs(100 * 10 ** 6)
    sampler = make(Jobs(Job("5")), [quick, slow])
    run(sampler, lambda: slow.backend.readings >= 4)
    taken = batches(sampler.outbox)
    both = [batch for batch in taken if len(batch.blocks) == 2]
    assert len(both) >= 4 and quick.backend.readings > slow.backend.readings
    assert all("taskstats_default" in names(batch) for batch in taken)   # boundaries of 300 ms are boundaries of 100 ms


def test_ticks_fall_on_boundaries(make):
    period, offset = 200 * 10 ** 6, 123456789
    boundary = next_boundary(boottime(), period, offset)
    assert (boundary + offset) % period == 0 and 0 < boundary - boottime() <= period
    source = of_node(period)
    sampler = make(Jobs(), [source])
    sampler._offset = offset
    sampler.plan([source], boottime())
    assert (source.due + offset) % period == 0


def test_a_tick_that_took_too_long_is_counted_as_late(make):
    source = of_node(SECOND)
    sampler = make(Jobs(), [source])
    sampler.plan([source], 10 * SECOND)
    sampler.plan([source], 11 * SECOND + 1)
    first = sampler.late
    sampler.plan([source], 15 * SECOND + 1)
    assert (first, sampler.late, source.late) == (0, 3, 3)


def test_an_extra_tick_reads_the_sources_of_jobs_only(make):
    jobs, quick, node = Jobs(Job("5")), of_jobs(10 ** 6 * SECOND), of_node(10 ** 6 * SECOND)
    sampler = make(jobs, [quick, node])
    jobs.extra = True
    run(sampler, lambda: quick.backend.readings >= 2)
    assert (quick.backend.readings, node.backend.readings) == (3, 2)       # first, extra, last; first, last


def test_a_clock_that_is_set_is_counted(make, caplog):
    sampler = make(Jobs(), [])
    sampler._watch_clock(5 * SECOND)
    sampler._watch_clock(5 * SECOND + SECOND // 2)
    assert sampler.clock_steps == 0
    sampler._watch_clock(-3 * SECOND)
    assert sampler.clock_steps == 1


def test_a_slow_source_holds_nobody_up_and_its_rows_have_an_age(make):
    gate = threading.Event()
    row = {PROCSTATS.name: [(None, "", [9] * len(PROCSTATS.metrics))]}
    slow = SlowSource("slow", Broken(lambda: gate.wait(60) and row), (PROCSTATS,), SECOND)
    sampler = make(Jobs(Job("5")), [of_jobs(), slow])
    sampler.tick(sampler.sources)
    sampler.tick(sampler.sources)
    assert [names(batch) for batch in batches(sampler.outbox)] == [["taskstats_default"]] * 2
    gate.set()
    wait_for(lambda: slow._read_at, 60, "reading of the slow source")
    sampler.tick(sampler.sources)
    assert names(batches(sampler.outbox)[0]) == ["taskstats_default", "procstats_default"]
    assert slow.age > 0
    slow.close()
    slow._thread.join(60)
    assert not slow._thread.is_alive()


def test_a_job_that_ended_gets_its_row(make):
    job, jobs = Job("5"), Jobs()
    sampler = make(jobs, [of_jobs()], Source("job", History(Counters(Path("/")), Ending), (TABLES["job"],), SECOND))
    jobs.here = [job]
    sampler.tick(sampler.sources)
    sampler.tick(sampler.sources)
    jobs.here, jobs.over = [], [job]
    sampler.tick(sampler.sources)
    batch = batches(sampler.outbox)[-1]
    assert batch.jobs[1] == {"job": "5", "gone": 1} and batch.present() == []
    row, = batch.blocks[0]
    values = dict(zip((metric.name for metric in TABLES["job"].metrics), row[2:]))
    assert (values["first_sequence"], values["last_sequence"], values["samples"]) == (1, 3, 2)
    assert values["rows_taskstats_default"] == 2


def test_what_is_odd_about_a_job_that_ended_costs_no_other_its_row(make):
    class Odd(Ending):
        """That of job 6 fails at its end."""
        def __init__(self, job):
            super().__init__(job)
            self.job = job

        def row(self, sequence, version):
            return [[]] if self.job.id == "6" else super().row(sequence, version)
    over, jobs = [Job(id) for id in "567"], Jobs()
    history = Source("job", History(Counters(Path("/")), Odd), (TABLES["job"],), SECOND)
    sampler = make(jobs, [of_jobs()], history)
    jobs.over = over
    sampler.tick(sampler.sources)
    batch = batches(sampler.outbox)[-1]
    assert [batch.jobs[row[0]]["job"] for row in batch.blocks[0]] == ["5", "7"] and history.failures == 1
    jobs.over = over[1:2]
    sampler.tick(sampler.sources)
    assert history.failures == 2


def test_sources_and_the_ends_of_jobs_share_a_reading(make):
    shared = []

    @contextmanager
    def sharing(jobs):
        shared.append(list(jobs))
        yield
        shared.append(source.backend.readings)
    source, job = of_jobs(), Job("5")
    sampler = make(Jobs(job), [source], sharing=sharing)
    sampler.tick(sampler.sources)
    assert shared == [[job], 1]


def test_the_node_tells_of_itself(make):
    jobs = Jobs(Job("5"))
    broken = Source("broken", Broken(lambda: 1 / 0), (PROCSTATS,), SECOND)
    sampler = make(jobs, [broken, of_jobs()], hwm=1)
    health = Health(sampler.outbox, jobs)
    health.sampler = sampler
    sampler.sources.append(Source("colmet", health, (TABLES["colmet"],), SECOND))
    sampler.tick(sampler.sources)
    sampler.tick(sampler.sources)
    sampler.tick(sampler.sources)
    batch = batches(sampler.outbox)[-1]
    block = next(block for block in batch.blocks if block.table.name == "colmet")
    columns = [metric.name for metric in TABLES["colmet"].metrics]
    rows = {batch.strings[row[1]]: dict(zip(columns, row[2:])) for row in block}
    assert set(rows) == {"node", "broken", "taskstats", "colmet"}
    assert rows["node"]["samples"] == 2 and rows["node"]["kept"] == 1 and rows["node"]["dropped_full"] == 1
    assert rows["node"]["failures"] == rows["broken"]["failures"] == 3 and rows["taskstats"]["failures"] == 0
    assert rows["node"]["rss"] > 2 ** 20 and rows["broken"]["rss"] == MISSING
    assert rows["node"]["since"] == rows["taskstats"]["since"] > 0 and rows["taskstats"]["cpu"] > 0


def test_sources_and_periods_can_change_while_it_runs(make):
    source, other = of_node(50 * 10 ** 6), of_jobs(50 * 10 ** 6)
    sampler = make(Jobs(Job("5")), [source])

    def reload():
        if source.backend.readings == 2 and other not in sampler.sources:
            sampler.change([other], set(TABLES), [20 * 10 ** 6])
    run(sampler, lambda: other.backend.readings >= 3, reload)
    assert source.backend.readings == 2 and other.period == 20 * 10 ** 6


def test_where_no_rows_of_jobs_are_wanted_their_ends_are_not_followed(make):
    job = Job("5")
    history = History(Counters(Path("/")), Ending)
    sampler = make(Jobs(job), [of_jobs()], Source("job", history, (TABLES["job"],), SECOND))
    sampler.tick(sampler.sources)
    assert list(history._endings) == [job]
    sampler.change(sampler.sources, {TASKSTATS.name}, [SECOND])
    sampler.tick(sampler.sources)
    sampler.attend([job], {})
    assert not history._endings and sampler.history.samples == 1
    history.close()
