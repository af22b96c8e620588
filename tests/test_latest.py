"""The last values of nodes and jobs: what is shown, when it goes, and how many at most."""
import pytest

from colmet.common.batch import NODE_JOB, Batch, pack_rows
from colmet.common.latest import STALE, Latest
from colmet.common.metrics import TABLES
from colmet.common.schema import NODE, Table, gauge

JOBS, NODES = TABLES["jobprocstats_default"], TABLES["colmet"]
WIDTH = len(JOBS.metrics)


class Clock:
    """Seconds that only a test moves."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture(name="clock")
def _clock():
    return Clock()


def batch(sequence, values, node="n1", session=7, cluster="", gone=(), table=JOBS, extra=()):
    """A batch of `node`: a row of `table` for each job in `values` (id: number in each cell)."""
    jobs = [dict(NODE_JOB)] + [{"job": job, **({"gone": 1} if job in gone else {})} for job in values]
    rows = [(place, 0, [value] * len(table.metrics)) for place, value in enumerate(values.values(), 1)]
    blocks = ([pack_rows(table, rows)] if rows else []) + list(extra)
    return Batch(node, session, sequence, 0, 0, jobs, [""], blocks, cluster)


def shown(latest):
    """{text of labels: first value} of all rows."""
    return {text: values[0] for _, text, values in latest.rows()}


def test_the_last_value_of_each_job_on_each_node_is_shown(clock):
    latest = Latest(1000, clock)
    latest.take(batch(1, {"5": 1, "6": 2}))
    latest.take(batch(1, {"5": 3}, node="n2", cluster="c"))
    latest.take(batch(2, {"5": 4, "6": 5}))
    assert shown(latest) == {'{host="n1",job="5"}': 4, '{host="n1",job="6"}': 5, '{host="n2",cluster="c",job="5"}': 3}


def test_what_waited_and_comes_later_does_not_take_the_place_of_what_is_newer(clock):
    latest = Latest(1000, clock)
    latest.take(batch(9, {"5": 9}))
    latest.take(batch(3, {"5": 3}))
    assert shown(latest) == {'{host="n1",job="5"}': 9}
    latest.take(batch(1, {"5": 1}, session=8))      # the node started again
    assert shown(latest) == {'{host="n1",job="5"}': 1}


def test_batches_of_0_6_have_no_numbers_and_are_taken_as_they_come(clock):
    latest = Latest(1000, clock)
    for value in (1, 2):
        latest.take(batch(0, {"5": value}, session=0))
    assert shown(latest) == {'{host="n1",job="5"}': 2}


def test_a_job_that_ended_is_gone_with_all_its_tables(clock):
    other = TABLES["taskstats_default"]
    latest = Latest(1000, clock)
    latest.take(batch(1, {"5": 1, "6": 2}, table=other))
    latest.take(batch(2, {"5": 3, "6": 4}, gone=("5",)))
    assert shown(latest) == {'{host="n1",job="6"}': 4} and len(list(latest.rows())) == 2
    latest.take(batch(3, {}, extra=[pack_rows(NODES, [(0, 0, [1] * len(NODES.metrics))])]))
    assert shown(latest) == {'{host="n1"}': 1}


def test_what_is_older_than_prometheus_looks_back_is_forgotten(clock):
    latest = Latest(1000, clock)
    latest.take(batch(1, {"5": 1}))
    clock.now += STALE / 2
    latest.take(batch(1, {"5": 2}, node="n2"))
    clock.now += STALE / 2
    assert shown(latest) == {'{host="n2",job="5"}': 2}


def test_no_more_series_are_kept_than_asked_for_and_the_others_are_counted(clock):
    latest = Latest(3 * WIDTH + 1, clock)
    latest.take(batch(1, {"1": 1, "2": 1}))
    latest.take(batch(1, {"3": 1, "4": 1}, node="n2"))
    assert len(shown(latest)) == 3 and latest.dropped == WIDTH
    latest.take(batch(2, {"1": 1, "2": 1}))         # the same again need no more room
    assert len(shown(latest)) == 3 and latest.dropped == WIDTH
    for number in range(1000):
        latest.take(batch(1, {"1": 1}, node="flood-%d" % number))
    assert len(shown(latest)) == 3 and latest.dropped == 1001 * WIDTH
    clock.now += STALE
    latest.take(batch(3, {"9": 1}, node="n9"))
    assert shown(latest) == {'{host="n9",job="9"}': 1}      # there is room again


def test_names_without_rows_take_no_room(clock):
    latest = Latest(100, clock)
    flood = batch(1, {"5": 1})
    flood.jobs += [{"job": str(number)} for number in range(1000)]
    latest.take(flood)
    assert shown(latest) == {} and latest.dropped == WIDTH


def test_two_users_jobs_of_one_id_are_told_apart(clock):
    latest = Latest(1000, clock)
    both = batch(1, {"5": 1, "5 ": 2})
    both.jobs[1:] = [{"job": "5", "user": "alice"}, {"job": "5", "user": "bob", "twin": 1}]
    latest.take(both)
    assert shown(latest) == {'{host="n1",job="5"}': 1, '{host="n1",job="5",user="bob"}': 2}


def test_instances_are_labelled_by_what_they_are(clock):
    latest = Latest(1000, clock)
    found = batch(1, {})
    found.strings.append("procstats")
    found.blocks.append(pack_rows(NODES, [(0, 1, [3] * len(NODES.metrics))]))
    latest.take(found)
    assert shown(latest) == {'{host="n1",part="procstats"}': 3}


def test_tables_that_only_another_release_knows_are_counted_and_not_shown(clock):
    latest = Latest(1000, clock)
    foreign = Table("later", NODE, "", (gauge("a", "count", ""), gauge("b", "count", "")))
    latest.take(batch(1, {"5": 1}, table=foreign))
    assert shown(latest) == {} and latest.foreign == 2 and latest.dropped == 0
