"""Documents: those of 0.6 for the messages of 0.6, field by field, and what is added; ids; hostile names and values."""
import gzip
import json
import random
from dataclasses import replace

import pytest

from checkout import CHECKOUT
from colmet.collector.elasticsearch.documents import Documents
from colmet.collector.elasticsearch.mapping import Layouts, template_body
from colmet.collector.entries import Entries
from colmet.common import wire
from colmet.common.batch import Batch, pack_rows
from colmet.common.journal import LEGACY, NATIVE, Entry
from colmet.common.metrics import TABLES
from colmet.common.schema import JOB, MISSING, NODE, Table, counter, gauge

GOLDEN = CHECKOUT / "tests" / "golden" / "0.6"
RECORDED = ["jobs/000.bin.gz", "jobs/001.bin.gz", "hardware/002.bin.gz"]
ADDED = {"@timestamp", "job"}
SECOND = 10 ** 9
PORTS = Table("ports", NODE, "made up", (counter("octets", "bytes", "sent"), gauge("load", "", "share", code="d"),
                                         gauge("job", "", "a name that is taken"), gauge("_id", "", "another"),
                                         counter("since", "ns", "began", fold="min")), instance="port")


def documents(entries, prefix="colmet_", tables=()):
    """[(index, id, document)] of journal entries, each (kind, payload) or an Entry."""
    known = Entries()
    known.tables.update({table.fingerprint: table for table in tables})
    maker, found = Documents(prefix, known), []
    for place, entry in enumerate(entries):
        if not isinstance(entry, Entry):
            entry = Entry(place * 1000, place * 1000 + 1000, entry[0], 7 * SECOND + place, entry[1])
        for part in maker.of(entry):
            assert sum(each.count for each in part.split()) == part.count
            for each in part.split():
                action, document = each.data.decode("ascii").splitlines()
                create = json.loads(action)["create"]
                assert create["_index"] == each.layout.index and create["_id"] == each.id
                found.append((create["_index"], create["_id"], json.loads(document)))
    assert known.faults == {}
    return found


def native(batch):
    """The journal's entry of `batch`."""
    return NATIVE, wire.join(wire.pack(batch))


def recorded():
    """[(index, document)] that 0.6.10 sent for `RECORDED`."""
    for line in (GOLDEN / "es_requests.jsonl").read_text().splitlines():
        request = json.loads(line)
        if request["path"] == "/_bulk/":
            lines = request["body"].splitlines()
            for action, document in zip(lines[0::2], lines[1::2]):
                yield json.loads(action)["create"]["_index"], json.loads(document)


def test_messages_of_0_6_become_the_documents_of_0_6():
    messages = [(LEGACY, gzip.decompress((GOLDEN / name).read_bytes())) for name in RECORDED]
    ours, theirs = documents(messages, "pre_"), list(recorded())
    assert [index for index, _, _ in ours] == [index for index, _ in theirs] and len(theirs) == 19
    for (index, _, document), (_, old) in zip(ours, theirs):
        assert set(document) - set(old) == ADDED and set(old) <= set(document), index
        for name, value in old.items():
            assert (document[name], type(document[name])) == (value, type(value)), (index, name)
        assert document["@timestamp"] == 1000 * old["timestamp"] and document["job"] == str(old["job_id"])


def test_each_recorded_message_has_ids_of_its_own():
    messages = [(LEGACY, gzip.decompress(path.read_bytes())) for path in sorted(GOLDEN.glob("*/*.bin.gz"))]
    ids = [name for _, name, _ in documents(messages * 2)]
    assert len(set(ids)) == len(ids) > 100
    assert ids == [name for _, name, _ in documents(messages * 2)]     # sent again, they are the same


def test_a_message_of_0_6_with_two_seconds_of_one_host_has_an_id_for_each_record():
    one = gzip.decompress((GOLDEN / RECORDED[0]).read_bytes())
    two = gzip.decompress((GOLDEN / RECORDED[1]).read_bytes())
    ids = [name for _, name, _ in documents([(LEGACY, one + two)])]
    assert len(set(ids)) == len(ids) == len(documents([(LEGACY, one), (LEGACY, two)]))


def test_a_row_of_a_new_table_has_time_instance_user_and_cluster():
    jobs = [{"job": "0"}, {"job": "12[3]", "user": "al\"ice"}, {"job": "x", "cluster": "other", "gone": 1}]
    rows = [(1, 1, [5, 0.5, 6, 7, 8]), (2, 0, [None, float("inf"), -1, MISSING, 0])]
    batch = Batch("né%d\n", 99, 4, 1700000000 * SECOND + 123456789, 5, jobs, ["", "mlx5_0/1"],
                  [pack_rows(TABLES["procstats_default"], [(0, 0, [1] * len(TABLES["procstats_default"].metrics))]),
                   pack_rows(PORTS, rows)], "dahu")
    stats, one, two = documents([native(batch)], tables=[PORTS])
    assert one == ("colmet_ports", "né%d\n-99-4-1-0", {
        "hostname": "né%d\n", "job_id": 12, "job": "12[3]", "job_user": "al\"ice", "cluster": "dahu",
        "port": "mlx5_0/1", "timestamp": 1700000000, "@timestamp": 1700000000123, "time": 1700000000123456789,
        "octets": 5, "load": 0.5, "job_": 6, "x_id": 7, "since": 8})
    assert two[1:] == ("né%d\n-99-4-1-1", {
        "hostname": "né%d\n", "job_id": -1, "job": "x", "cluster": "other", "port": "", "timestamp": 1700000000,
        "@timestamp": 1700000000123, "time": 1700000000123456789, "job_": -1, "since": 0})
    assert stats[2]["involved_jobs"] == [12] and "time" not in stats[2]


def test_what_is_missing_is_left_out_but_minus_one_where_0_6_sends_that():
    for table in TABLES.values():
        batch = Batch("n", 1, 1, SECOND, 5, [{"job": "0"}, {"job": "7"}], blocks=[
            pack_rows(table, [(1, 0, [None] * len(table.metrics)), (1, 0, [3] * len(table.metrics))])])
        (_, _, unknown), (_, _, known) = documents([native(batch)])
        for metric in table.metrics:
            assert unknown.get(metric.name) == {"q": -1, "f": -1.0}.get(metric.wire06), (table.name, metric.name)
            assert known[metric.name] == 3


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_every_value_comes_through_whatever_is_beside_it(table):
    dice = random.Random(4)

    def value(metric):
        if metric.code == "d":
            return dice.choice([0.0, -0.0, 1e300, 5e-324, -1.5, dice.random(), 1e22])
        return dice.choice([0, 1, -1, -2 ** 63 + 1, 2 ** 63 - 1, dice.getrandbits(62)])
    rows = [[value(metric) for metric in table.metrics] for _ in range(300)]
    with_gaps = [[None if dice.random() < 0.2 else each for each in row] for row in rows]
    for some in (rows, with_gaps):
        batch = Batch("n", 1, 1, SECOND, 5, blocks=[pack_rows(table, [(0, 0, row) for row in some])])
        found = documents([native(batch)])
        assert [int(name.rsplit("-", 1)[1]) for _, name, _ in found] == list(range(300))
        for row, (_, _, document) in zip(some, found):
            for metric, each in zip(table.metrics, row):
                if each is not None:
                    assert repr(document[metric.name]) == repr(each)


def test_types_of_fields_are_those_of_the_declarations():
    layouts = Layouts("p_")
    for table in TABLES.values():
        layout = layouts.get(table)
        assert layout.index == "p_" + table.name.lower() and layout.columns == tuple(m.name for m in table.metrics)
        fields = layout.properties()
        assert [fields[m.name]["type"] for m in table.metrics] == [{"q": "long", "d": "double"}[m.code]
                                                                   for m in table.metrics]
        assert fields["timestamp"] == {"type": "date", "format": "epoch_second"}
        assert fields["@timestamp"]["type"] == "date" and fields["job"]["type"] == "keyword"
        assert ("time" in fields) != layout.legacy and ("involved_jobs" in fields) == (table.involved_jobs == "wire")
        assert template_body(layout)["index_patterns"] == [layout.index]


def test_a_time_series_has_dimensions_and_kinds_of_metrics():
    body = template_body(Layouts("p_").get(PORTS), series=True)
    fields = body["template"]["mappings"]["properties"]
    assert body["template"]["settings"]["index.mode"] == "time_series"
    assert {name for name, field in fields.items() if field.get("time_series_dimension")} == {
        "hostname", "job", "job_user", "cluster", "port"}
    assert (fields["octets"]["time_series_metric"], fields["load"]["time_series_metric"]) == ("counter", "gauge")


def test_tables_that_contradict_each_other_never_share_an_index():
    layouts = Layouts("p_")
    other = replace(PORTS, metrics=PORTS.metrics[1:] + (gauge("octets", "", "now a share", code="d"),))
    more = replace(PORTS, metrics=PORTS.metrics + (gauge("drops", "", "new"),))
    claim = Table("TASKSTATS_default", JOB, "", (gauge("cpu_count", "", "not a count", code="d"),))
    assert layouts.get(PORTS).index == layouts.get(more).index == "p_ports"
    assert layouts.get(other).index == "p_ports_" + other.fingerprint
    assert layouts.get(claim).index == "p_taskstats_default_" + claim.fingerprint


def test_a_table_of_very_many_metrics_raises_the_limit_of_fields():
    wide = Table("wide", NODE, "", tuple(gauge("m%d" % place, "", "") for place in range(1000)))
    assert template_body(Layouts("").get(wide))["template"]["settings"]["index.mapping.total_fields.limit"] > 1010
    assert template_body(Layouts("").get(PORTS))["template"]["settings"] == {}
