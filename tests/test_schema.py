"""The declarations: complete, without contradiction, and of the sizes that Colmet 0.6 has on its wire."""
import json
import math

import pytest

from colmet.common import wire06
from colmet.common.batch import Batch, pack_rows, row_struct
from colmet.common.description import table_from
from colmet.common.metrics import STEMS, TABLES
from colmet.common.schema import COUNTER, GAUGE, INT_MAX, JOB, MISSING, NODE, Metric, Table, counter, gauge

# Bytes of a record on the wire of 0.6, in the order in which its nodes send them.
RECORDS = {
    "taskstats_default": 762, "procstats_default": 9202, "infinibandstats_default": 8750,
    "lustrestats_default": 8750, "perfhwstats_default": 566, "RAPLstats_default": 8910,
    "temperaturestats_default": 574, "jobprocstats_default": 606, "ipmipowerstats_default": 8726,
    "nvidiastats_default": 582,
}
SMALL = Table("small", JOB, "a table", (counter("events", "count", "seen"), gauge("level", "V", "at hand", code="d")))


@pytest.fixture(params=list(TABLES.values()), ids=list(TABLES))
def table(request):
    return request.param


def test_every_declaration_is_in_the_table_of_contents_once():
    assert len(TABLES) == len(STEMS)


def test_the_tables_of_0_6_have_their_size_and_order():
    legacy = [table for table in TABLES.values() if table.legacy]
    assert [(table.name, wire06.layout(table).size) for table in legacy] == list(RECORDS.items())


def test_the_tables_of_0_6_that_are_on_by_default_are_0_6s():
    assert {t.name for t in TABLES.values() if t.legacy and t.default} == {"taskstats_default", "procstats_default"}


def test_a_metric_says_all_that_a_reader_needs(table):
    for metric in table.metrics:
        assert metric.unit and metric.doc, metric.name
        assert metric.kind in (COUNTER, GAUGE)
        assert metric.code in ("q", "d")
        assert metric.wire06 in ("", "Q", "I", "q", "f")
        assert metric.fold in ("add", "min", "max")


def test_a_table_says_what_it_is(table):
    assert table.doc.strip().endswith((".", ")")) or "\n" not in table.doc
    assert table.scope in (JOB, NODE)
    names = [metric.name for metric in table.metrics]
    assert len(set(names)) == len(names)
    taken = {"time", "hostname", "job", "session", "sequence", "row", table.instance}
    assert table.legacy or not taken & set(names)


def test_a_new_table_with_counters_says_since_when_they_count(table):
    if not table.legacy and any(metric.kind == COUNTER for metric in table.metrics):
        assert "since" in [metric.name for metric in table.metrics]


def test_switches_are_told_apart_without_regard_to_case():
    switches = {table.option for table in TABLES.values()}
    assert len({switch.lower() for switch in switches}) == len(switches)


def test_tables_of_one_switch_are_on_by_default_together():
    on = {table.option for table in TABLES.values() if table.default}
    assert all(table.default for table in TABLES.values() if table.option in on)


def test_a_description_survives_the_wire(table):
    again = table_from(json.loads(json.dumps(table.describe())))
    assert again.metrics == table.metrics
    assert again.fingerprint == table.fingerprint


def test_the_fingerprint_follows_every_part_of_the_description():
    others = [
        Table("other", JOB, SMALL.doc, SMALL.metrics),
        Table("small", NODE, SMALL.doc, SMALL.metrics),
        Table("small", JOB, SMALL.doc, SMALL.metrics[:1]),
        Table("small", JOB, SMALL.doc, SMALL.metrics, instance="port"),
        Table("small", JOB, SMALL.doc, (Metric("events", "kB", COUNTER, "seen"),) + SMALL.metrics[1:]),
    ]
    assert len({table.fingerprint for table in others + [SMALL]}) == len(others) + 1


def test_fingerprints_of_all_tables_differ():
    assert len({table.fingerprint for table in TABLES.values()}) == len(TABLES)


@pytest.mark.parametrize("change", [
    {"name": "../x"}, {"name": ""}, {"name": "x" * 61}, {"name": 7}, {"name": "a\0b"}, {"scope": "cluster"},
    {"metrics": []}, {"metrics": [["n"]]}, {"metrics": None}, {"metrics": "abc"}, {"instance": None},
    {"doc": "x" * 2001}, {"metrics": [["n", "s", "counter", "", "x", "", "add"]]},
    {"metrics": [["n", "s", "counter", "", "q", "", "mean"]]}, {"metrics": [["n", "s", "ratio", "", "q", "", "add"]]},
    {"metrics": [["n", "s", "counter", "", "q", "", "add"]] * 2},
    {"metrics": [["m%d" % n, "s", "counter", "", "q", "", "add"] for n in range(1001)]},
    {"metrics": [["n", "s", "counter", "", "", "", "add"]]}, {"metrics": [[{}, "s", "counter", "", "q", "", "add"]]},
], ids=lambda change: "%.40s" % change)
def test_a_description_that_no_colmet_would_send_is_refused(change):
    with pytest.raises(ValueError):
        table_from(dict(SMALL.describe(), **change))


@pytest.mark.parametrize("description", [None, 3, [], {}, "text"], ids=repr)
def test_what_is_no_description_is_refused(description):
    with pytest.raises(ValueError):
        table_from(description)


def test_rows_are_packed_as_declared_and_none_is_missing():
    block = pack_rows(SMALL, [(1, 0, (5, 1.5)), (2, 0, (None, None)), (3, 0, (2 ** 64, 2))])
    assert len(block.data) == 3 * row_struct(SMALL).size == 3 * 32
    first, second, third = block
    assert first == (1, 0, 5, 1.5)
    assert second[2] == MISSING and math.isnan(second[3])
    assert third == (3, 0, INT_MAX, 2.0)


def test_present_jobs_leave_out_the_node_and_those_that_went():
    batch = Batch("n", 1, 1, 0, 0)
    batch.jobs += [{"job": "12"}, {"job": "13", "gone": 1}, {"job": "x.7"}]
    assert batch.present() == ["12", "x.7"]
