"""The files of our collector beside those of Colmet 0.6.10's, for the same recorded messages, sent to both at once."""
import gzip
import re

import h5py
import numpy
import pytest
import tables
import zmq

import stored
from colmet.common import wire06
from colmet.common.metrics import TABLES
from old import OldProgram
from programs import Program, free_port, wait_for
from recorded import MESSAGES, NVIDIA, records

pytest_plugins = ("harness",)
pytestmark = pytest.mark.xdist_group("the messages of 0.6, stored by both")
DROPPED = {                         # columns that 0.6 sends and its collector does not store
    "jobprocstats_default": {"VmRSS", "RssShmem", "VmSize"},
    "RAPLstats_default": {"counter_24"},
    "procstats_default": {"involved_jobs"},
    "temperaturestats_default": {"hostname", "job_id", "metric_backend", "timestamp"},
}


def send(uri, messages):
    """Push `messages` to a collector; returns when ZeroMQ has handed all of them over."""
    context = zmq.Context()
    push = context.socket(zmq.PUSH)
    push.connect(uri)
    for message in messages:
        push.send(message)
    push.close(linger=60000)
    context.term()


def count(collector, before, after):
    """Sum of the numbers that stand between the words `before` and `after` in what a collector said."""
    return sum(map(int, re.findall("%s(\\d+)%s" % (before, after), collector.errors())))


@pytest.fixture(name="both", scope="module")
def _both(old_colmet, tmp_path_factory):
    """(0.6's file, ours) of the recorded messages, NVIDIA's records only in ours."""
    folder, messages = tmp_path_factory.mktemp("both"), [gzip.decompress(path.read_bytes()) for path in MESSAGES]
    old_uri, new_uri = ["tcp://127.0.0.1:%d" % free_port() for _ in range(2)]
    arguments = ["-vvv", "-s", "0.2", "--buffer-size", "1000", "--hdf5-complevel", "5", "--zeromq-bind-uri"]
    with OldProgram(old_colmet, "colmet-collector", arguments + [old_uri, "--hdf5-filepath", folder / "old.hdf5"],
                    folder) as old, \
            Program("colmet.collector.main", arguments + [new_uri, "--hdf5-filepath", folder / "new.hdf5"],
                    folder) as new:
        send(old_uri, [b"".join(record for name, record in records(message) if name != NVIDIA) for message in messages])
        send(new_uri, messages)
        names = [name for message in messages for name, _ in records(message)]
        wait_for(lambda: count(old, "HDF5: Pushed ", " metrics") == len(names) - names.count(NVIDIA), 60,
                 "records in 0.6's file")
        wait_for(lambda: count(new, "", " records received") == len(names), 60, "records at our collector")
        assert old.stop() == 0 and new.stop() == 0, new.errors()
    return folder / "old.hdf5", folder / "new.hdf5"


def in_time(rows, other):
    """`rows` in the order of their seconds, which temperature's of 0.6 take from `other`."""
    return rows[numpy.argsort(other["timestamp"], kind="stable")]


def test_the_same_tables_are_there(both):
    old, new = map(stored.tables, both)
    assert len(old) >= 10 and {key for key in new if key[1] != NVIDIA} == set(old)
    assert sum(len(rows) for (_, table), rows in new.items() if table == NVIDIA) == \
        sum(name == NVIDIA for path in MESSAGES for name, _ in records(gzip.decompress(path.read_bytes())))


def test_columns_and_types_are_those_of_0_6_and_the_dropped_ones(both):
    old, new = map(stored.tables, both)
    for key, rows in old.items():
        names = set(rows.dtype.names) | DROPPED.get(key[1], set())
        assert list(new[key].dtype.names) == sorted(names), key
        assert {name: rows.dtype[name] for name in rows.dtype.names} == \
            {name: new[key].dtype[name] for name in rows.dtype.names}, key
        assert new[key].dtype.itemsize == sum(new[key].dtype[name].itemsize for name in names), key


def test_values_are_those_of_0_6(both):
    old, new = map(stored.tables, both)
    for key, rows in old.items():
        ours = new[key]
        theirs = in_time(rows, rows if "timestamp" in rows.dtype.names else old["0", "RAPLstats_default"])
        assert len(ours) == len(rows) and (numpy.diff(ours["timestamp"]) >= 0).all()
        for name in rows.dtype.names:
            assert ours[name].tolist() == theirs[name].tolist(), (key, name)


def test_dropped_columns_hold_what_was_on_the_wire(both):
    new = stored.tables(both[1])
    sent = [(name, record) for path in MESSAGES for name, record in records(gzip.decompress(path.read_bytes()))]
    for table in DROPPED:
        shape = wire06.layout(TABLES[table])
        for (job, name), rows in new.items():
            if name != table:
                continue
            bodies = [shape.body.unpack(record[wire06.HEADER.size:]) for each, record in sent if each == table
                      and wire06.HEADER.unpack(record[:wire06.HEADER.size])[2] == int(job)]
            for place, metric in enumerate(shape.metrics):
                expected = sorted(body[place] for body in bodies)
                assert sorted(rows[metric.name].tolist()) == expected, (table, metric.name)


def test_attributes_and_groups_are_those_of_0_6(both):
    with h5py.File(both[0], "r") as old, h5py.File(both[1], "r") as new:
        assert new.attrs["PYTABLES_FORMAT_VERSION"] == old.attrs["PYTABLES_FORMAT_VERSION"]
        for group in old:
            for name in ("CLASS", "TITLE", "VERSION"):
                assert text(new[group].attrs[name]) == text(old[group].attrs[name]), group
            for table in old[group]:
                theirs, ours = old[group][table], new[group][table]
                for name in ("CLASS", "VERSION", "TITLE", "NROWS", "backend_version"):
                    assert text(ours.attrs[name]) == text(theirs.attrs[name]), (table, name)
                assert ours.maxshape == theirs.maxshape == (None,) and ours.chunks


def text(value):
    """An attribute as a Python value: text is stored as bytes or str, empty text by HDF5's own Empty."""
    if isinstance(value, h5py.Empty):
        return ""
    return value.decode() if isinstance(value, bytes) else value.tolist() if hasattr(value, "tolist") else value


def test_pytables_reads_ours_as_it_reads_those_of_0_6(both):
    with tables.open_file(str(both[0])) as old, tables.open_file(str(both[1])) as new:
        for theirs in old.walk_nodes("/", "Table"):
            ours = new.get_node(theirs._v_pathname)
            assert ours.nrows == theirs.nrows and ours.title == theirs.title
            assert set(theirs.colnames) <= set(ours.colnames)
            assert ours.where("job_id >= 0") is not None and len(ours.read_where("job_id >= 0")) == ours.nrows
