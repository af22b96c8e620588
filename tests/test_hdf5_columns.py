"""Columns and attributes of the HDF5 tables: those of Colmet 0.6 as 0.6 wrote them, all others as declared."""
import gzip
import json
from dataclasses import replace

import h5py
import numpy
import pytest

from colmet.collector.hdf5.columns import convert, join, layout, plan
from colmet.common.metrics import TABLES
from colmet.common.schema import MISSING, NODE, Table, gauge
from conftest import CHECKOUT
from hdf5_batches import TASKSTATS

LEGACY = [table for table in TABLES.values() if table.legacy]
NEW = [table for table in TABLES.values() if not table.legacy]
HEADER_06 = {"hostname", "job_id", "metric_backend", "timestamp"}
ADDED = {       # columns that 0.6 dropped, and that are here
    "jobprocstats_default": {"VmRSS", "RssShmem", "VmSize"},
    "RAPLstats_default": {"counter_24"},
    "procstats_default": {"involved_jobs"},
    "temperaturestats_default": HEADER_06,
}


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """The file that a collector of 0.6 wrote."""
    path = tmp_path_factory.mktemp("old") / "old.hdf5"
    path.write_bytes(gzip.decompress((CHECKOUT / "tests" / "golden" / "0.6" / "legacy_z5.hdf5.gz").read_bytes()))
    with h5py.File(path) as file:
        yield file


@pytest.mark.parametrize("table", LEGACY, ids=lambda table: table.name)
def test_tables_of_0_6_have_its_columns_and_those_it_dropped(table, old):
    dtype = layout(table).dtype
    if table.name == "nvidiastats_default":     # 0.6 stored none
        assert set(dtype.names) == HEADER_06 | {metric.name for metric in table.metrics}
        return
    known = old["job_42"][table.name].dtype
    added = ADDED.get(table.name, set())
    assert list(dtype.names) == sorted(set(known.names) | added)
    assert {name: dtype[name] for name in known.names} == {name: known[name] for name in known.names}
    assert dtype.itemsize == sum(dtype[name].itemsize for name in dtype.names)      # packed
    if not added:
        assert {name: dtype.fields[name][1] for name in known.names} == {n: known.fields[n][1] for n in known.names}


def test_the_golden_file_has_every_table_of_0_6_but_nvidia(old):
    assert set(old["job_42"]) == {table.name for table in LEGACY} - {"nvidiastats_default"}


@pytest.mark.parametrize("table", NEW, ids=lambda table: table.name)
def test_new_tables_have_the_header_then_metrics_as_declared(table):
    made = layout(table)
    names = ["time", "hostname", "job", "session", "sequence", "row"] + [table.instance] * bool(table.instance)
    assert list(made.dtype.names) == names + [metric.name for metric in table.metrics]
    cells = {"q": numpy.dtype("<i8"), "d": numpy.dtype("<f8")}
    assert [made.dtype[metric.name] for metric in table.metrics] == [cells[metric.code] for metric in table.metrics]
    units = json.loads(made.attributes["units"])
    assert units == dict({"time": "ns"}, **{metric.name: metric.unit for metric in table.metrics})
    assert made.attributes["missing"] == MISSING and made.attributes["doc"] == table.doc


def _table(*names, code="q", name="gpu", instance=""):
    return Table(name, NODE, "GPUs.", tuple(gauge(each, "count", "Some.", code=code) for each in names), instance)


def test_two_schemas_of_one_name_share_the_union_of_their_columns():
    older, newer = _table("a", "b"), _table("b", "c")
    stored, layouts = plan([older, newer])
    assert stored == {older.fingerprint: "gpu", newer.fingerprint: "gpu"}
    assert layouts["gpu"].columns == ("a", "b", "c")


@pytest.mark.parametrize("other", [_table("a", code="d"), _table("a", instance="card")])
def test_a_schema_that_contradicts_gets_a_table_of_its_own(other):
    stored, layouts = plan([_table("a"), other])
    assert stored[other.fingerprint] == "gpu_" + other.fingerprint
    assert set(layouts) == {"gpu", "gpu_" + other.fingerprint}


def test_tables_of_0_6_keep_their_columns_whatever_a_node_claims():
    more = replace(TASKSTATS, metrics=TASKSTATS.metrics + (gauge("temperature", "K", "Hot."),))
    fewer = replace(TASKSTATS, metrics=TASKSTATS.metrics[:3])
    stored, layouts = plan([more, fewer])
    assert layouts["taskstats_default"].dtype == layout(TASKSTATS).dtype
    assert stored[fewer.fingerprint] == "taskstats_default"
    assert stored[more.fingerprint] == "taskstats_default_" + more.fingerprint
    assert not layouts[stored[more.fingerprint]].legacy


def test_names_that_are_taken_or_unfit_are_changed():
    made = layout(_table("time", "job", "utilization-gpu", instance="a/b\0"))
    assert made.instance == "instance"
    assert made.columns == ("time_", "job_", "utilization-gpu")
    assert len(set(made.dtype.names)) == len(made.dtype.names)


def test_units_too_long_for_an_attribute_are_left_out():
    wide = Table("wide", NODE, "Wide.", tuple(gauge("m%d" % n, "x" * 2000, "Some.") for n in range(100)))
    assert "units" not in layout(wide).attributes


def test_old_rows_get_what_they_lack_as_missing():
    older, newer = layout(_table("a")), layout(_table("b"))
    rows = numpy.zeros(2, older.dtype)
    rows["a"] = [1, 2]
    joined = join(older.dtype, newer)
    assert joined.dtype.names == newer.dtype.names + ("a",)
    new = convert(rows, joined)
    assert new["a"].tolist() == [1, 2] and new["b"].tolist() == [MISSING, MISSING]
    assert join(older.dtype, layout(_table("a", code="d"))) is None


def test_old_rows_of_0_6_get_minus_one():
    target = layout(TABLES["temperaturestats_default"])
    rows = numpy.ones(1, [("counter_%d" % n, "<i8") for n in range(1, 7)])
    new = convert(rows, join(rows.dtype, target))
    assert new["counter_6"][0] == 1 and new["job_id"][0] == -1 and new["hostname"][0] == b""
