"""The text that Prometheus reads: names from TABLES, hostile labels, numbers; read back by Prometheus' own parser."""
import math
import re
from dataclasses import replace

import pytest

from colmet.common.exposition import LABELS, Family, families, known, labels, named, text
from colmet.common.metrics import TABLES
from colmet.common.schema import COUNTER, MISSING, NODE, Table, counter, gauge

parser = pytest.importorskip("prometheus_client.parser", reason="needs prometheus-client: pip install it")
HOSTILE = ['a"b', "a\\", "a\nb", 'a"} 1\n# TYPE x counter', "é\u2028", "\\n", "{}", ",", "\x1b[2J", "\x00", "\ud800"]


def read(page):
    """{series name: {labels as sorted pairs: value}}, {family name: (kind, help)} by the official parser."""
    series, told = {}, {}
    for family in parser.text_string_to_metric_families(page.decode()):
        told[family.name] = family.type, family.documentation
        for sample in family.samples:
            values = series.setdefault(sample.name, {})
            key = tuple(sorted(sample.labels.items()))
            assert key not in values
            values[key] = sample.value
    return series, told


def test_every_metric_has_a_name_of_its_own_that_prometheus_takes():
    names = [each.name for table in TABLES.values() for each in named(table)]
    assert len(names) == sum(len(table.metrics) for table in TABLES.values()) == len(set(names))
    assert [name for name in names if not re.fullmatch(r"colmet_[a-zA-Z0-9_]+", name)] == []
    instances = {table.instance for table in TABLES.values()} - {""}
    assert not instances & set(LABELS) and all(re.fullmatch("[a-z_]+", name) for name in instances)


def test_all_tables_are_read_back_by_the_official_parser():
    rows = [(table, labels([("host", "n1")]), [5] * len(table.metrics)) for table in TABLES.values()]
    series, told = read(text(families(rows)))
    for table in TABLES.values():
        for metric, each in zip(table.metrics, named(table)):
            assert series[each.name] == {(("host", "n1"),): 5 * each.times / each.over}
            plain = each.name[:-len("_total")] if each.kind == COUNTER else each.name
            assert told[plain][0] == each.kind and told[plain][1].startswith(metric.doc.split("\\")[0])
    assert len(series) == sum(len(table.metrics) for table in TABLES.values())


def test_names_and_units_follow_the_customs_of_prometheus():
    table = Table("foo", NODE, "", (
        counter("cpu_run_total", "ns", ""), gauge("VmRSS", "kB", ""), counter("read_bytes", "bytes", ""),
        counter("requests", "count", ""), gauge("load-1", "%", ""), gauge("end_source", "1=exact, 2=records", "how"),
        counter("since", "ns", "", fold="min"), gauge("odd", "furlongs/h", "")))
    assert [each.name for each in named(table)] == [
        "colmet_foo_cpu_run_seconds_total", "colmet_foo_VmRSS_bytes", "colmet_foo_read_bytes_total",
        "colmet_foo_requests_total", "colmet_foo_load_1_ratio", "colmet_foo_end_source", "colmet_foo_since_seconds",
        "colmet_foo_odd_furlongs_h"]
    assert named(table)[5].doc == "how (1=exact, 2=records)"
    series, _ = read(text(families([(table, "", [1500000000, 3, 2 ** 53 + 1, 7, 50, 2, 10 ** 9, -1])])))
    assert [value for values in series.values() for value in values.values()] == [
        1.5, 3072, 2 ** 53 + 1, 7, 0.5, 2, 1, -1]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_label_is_one_value_of_one_series(value):
    page = text([Family("colmet_x", "gauge", "a \\ b\nc", {labels([("host", value), ("job", "7")]): 1})])
    series, told = read(page)
    (found,) = series["colmet_x"]
    assert dict(found)["job"] == "7" and set(dict(found)) == {"host", "job"}
    harmless = "".join(letter if letter.isprintable() else "\ufffd" for letter in value)
    assert dict(found)["host"] == harmless and page.count(b"\n") == 3
    assert told == {"colmet_x": ("gauge", "a \\ b\nc")}


def test_what_is_not_known_is_left_out_and_the_last_of_two_equal_series_holds():
    table = TABLES["ipmipowerstats_default"]
    unknown = [(table, labels([("host", host)]), [value]) for host, value in
               (("a", MISSING), ("b", float("nan")), ("c", 1), ("c", 2), ("d", math.inf), ("e", -math.inf))]
    series, _ = read(text(families(unknown)))
    assert series == {named(table)[0].name: {(("host", "c"),): 2, (("host", "d"),): math.inf,
                                             (("host", "e"),): -math.inf}}


def test_labels_without_a_value_are_left_out():
    assert labels([("host", ""), ("job", "")]) == "" and labels([("a", ""), ("b", "c")]) == '{b="c"}'


def test_only_tables_of_this_release_are_known():
    ours = TABLES["colmet"]
    again = Table(ours.name, ours.scope, ours.doc, ours.metrics, ours.instance)
    assert known(ours) and known(again)
    assert known(replace(TABLES["RAPLstats_default"], mapping=("what it is on one node",) * 24))
    assert not known(Table("colmet", NODE, "", (gauge("evil", "count", "x"),)))
    assert not known(Table("evil", NODE, "", ours.metrics))
