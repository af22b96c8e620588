"""What the counters of 0.6's tables are on each node: from what nodes say to an attribute of the table."""
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy
import pytest
import tables

from colmet.collector.hdf5 import mapping as hdf5_mapping
from colmet.collector.hdf5.rows import Window
from colmet.collector.hdf5.store import Fixed, Windows
from colmet.common.batch import Batch, pack_rows
from colmet.common.description import table_from
from colmet.common.metrics import TABLES
from colmet.node import mapping

RAPL, PERF = TABLES["RAPLstats_default"], TABLES["perfhwstats_default"]
NAMES = [metric.name for metric in RAPL.metrics]


def said(words):
    """The table as a node describes it whose counters are `words`, as it comes out of the journal."""
    table = mapping.described(RAPL, ["%s of %s" % (words, name) for name in NAMES])
    return table_from(json.loads(json.dumps(table.describe())))


def batch(node, second, table, job="0"):
    """A batch with one row."""
    made = Batch(node, 1, second, second * 10 ** 9, 0)
    if job != "0":
        made.jobs.append({"job": job})
    made.blocks.append(pack_rows(table, [(len(made.jobs) - 1, 0, range(len(table.metrics)))]))
    return made


def settings(path, complib="zlib"):
    return SimpleNamespace(hdf5_filepath=path, hdf5_complib=complib, hdf5_complevel=1, hdf5_window=600,
                           hdf5_max_size=2 ** 31)


def store(target, batches):
    """Write one window."""
    window = Window()
    for each in batches:
        window.add(each)
    target.write(window, SimpleNamespace(start=0, end=1, arrival=10 ** 18))


def attribute(path, group="job_0", name=RAPL.name):
    """What the attribute holds."""
    with tables.open_file(str(path)) as file:
        text = file.get_node("/" + group, name).attrs.mapping       # bytes where h5py wrote it
        return json.loads(text.decode() if isinstance(text, bytes) else str(text))


def words(found, node, second):
    """The first word of what counter_1 and counter_24 of a row are, which must be one."""
    columns = hdf5_mapping.of(found, node, second)
    assert list(columns) == NAMES
    first, last = columns["counter_1"].split(), columns["counter_24"].split()
    assert first[0] == last[0] and (first[2], last[2]) == ("counter_1", "counter_24")
    return first[0]


@pytest.mark.parametrize("complib", ["zlib", "bzip2"])
def test_nodes_that_agree_are_one_and_the_others_are_named(complib, tmp_path):
    path = tmp_path / "a.hdf5"
    store(Fixed(settings(path, complib)), [batch("n%d" % number, 100, said("two")) for number in range(9)]
          + [batch("odd", 100, said("four"))])
    found = attribute(path)
    assert len(found["mappings"]) == 2 and found["nodes"] == [[100, "odd", 1]]
    assert [words(found, node, 100) for node in ("n0", "n8", "odd")] == ["two", "two", "four"]


@pytest.mark.parametrize("complib", ["zlib", "bzip2"])
def test_a_file_that_goes_on_keeps_what_was_and_learns_what_comes(complib, tmp_path):
    path = tmp_path / "a.hdf5"
    for first, end in ((100, 140), (140, 149), (149, 150), (150, 151), (151, 152), (152, 153), (153, 170)):
        node = "m" if first >= 140 else "n"     # in the end so many that the table is made again with other chunks
        table = said("two") if first != 150 else said("four")
        store(Fixed(settings(path, complib)), [batch(node, second, table) for second in range(first, end)])
    found = attribute(path)
    assert [words(found, *row) for row in (("n", 100), ("m", 149), ("m", 150), ("m", 151))] == [
        "two", "two", "four", "two"]
    assert found["nodes"] == [[150, "m", 1], [151, "m", 0]]


def test_a_file_may_go_on_with_another_compressor(tmp_path):
    path = tmp_path / "a.hdf5"
    for second, complib, text in ((100, "zlib", "two"), (101, "bzip2", "four"), (102, "zlib", "two")):
        store(Fixed(settings(path, complib)), [batch("n", second, said(text))])
    assert [words(attribute(path), "n", second) for second in (100, 101, 102)] == ["two", "four", "two"]


def test_rows_of_0_6_take_nothing_away(tmp_path):
    path = tmp_path / "a.hdf5"
    store(Fixed(settings(path)), [batch("n", 100, said("two"))])
    store(Fixed(settings(path)), [batch("old", second, RAPL) for second in range(101, 300)])
    assert words(attribute(path), "n", 100) == "two"


def test_a_window_has_the_rows_and_the_attribute_of_each_job(tmp_path):
    perf = replace(PERF, mapping=("instructions",) * 5)
    store(Windows(settings(tmp_path / "w")), [batch("n", 100, perf, job) for job in ("7", "8")]
          + [batch("n", 100, PERF, "9")])
    [path] = tmp_path.glob("w.*.hdf5")
    for group in ("job_7", "job_8"):
        found = attribute(path, group, PERF.name)
        assert hdf5_mapping.of(found, "n", 100) == {"counter_%d" % n: "instructions" for n in range(1, 6)}
    with tables.open_file(str(path)) as file:
        assert "mapping" not in file.root.job_9.perfhwstats_default.attrs
        assert file.root.job_7.perfhwstats_default[0]["counter_5"] == 4
        assert numpy.array_equal(file.root.job_7.perfhwstats_default.cols.timestamp[:], [100])


def test_what_does_not_fit_leaves_what_was(tmp_path):
    columns = (("counter_1", "x" * 70000),)
    text = hdf5_mapping.merged("", {("n", (("counter_1", "a"),)): 5})
    assert hdf5_mapping.merged(text, {("m", columns): 6}) == text
    assert hdf5_mapping.merged("", {("m", columns): 6}) == ""


@pytest.mark.parametrize("text", ["", "?", "[]", "7", '{"mappings": 3}'])
def test_an_attribute_of_another_shape_is_begun_anew(text):
    found = json.loads(hdf5_mapping.merged(text, {("n", (("counter_1", "a"),)): 5}))
    assert found == {"mappings": [{"counter_1": "a"}], "nodes": []}


@pytest.mark.parametrize("wrong", [["a"], "x" * 24, [7] * 24, ["x" * 2001] * 24, 5])
def test_a_mapping_of_another_shape_is_refused(wrong):
    with pytest.raises(ValueError):
        table_from(dict(RAPL.describe(), mapping=wrong))
