"""The one file of ``--hdf5-filepath NAME.hdf5``: written anew with what came, gone on with, set aside."""
import fcntl
import gzip
import json
import os
import time

import h5py
import pytest
import tables

from colmet.collector.hdf5.store import Fixed
from colmet.collector.hdf5.target import Refused
from colmet.common.metrics import TABLES
from colmet.common.schema import MISSING, NODE, Table, counter, gauge
from conftest import CHECKOUT
from hdf5_batches import batch, open_writer, settings, store, write_journal

LEGACY = CHECKOUT / "tests" / "golden" / "0.6" / "legacy_z5.hdf5.gz"


@pytest.fixture
def journal(tmp_path):
    """The directory of a journal."""
    return tmp_path / "journal"


@pytest.fixture
def path(tmp_path):
    """Where the fixed file is."""
    return tmp_path / "c.hdf5"


def old_file(path):
    """Make `path` a file that a collector of 0.6 wrote; {table: its rows}."""
    path.write_bytes(gzip.decompress(LEGACY.read_bytes()))
    with h5py.File(path) as file:
        return {name: table[:] for name, table in file["job_42"].items()}


def ticks(path, job="7"):
    """`cpu_count` of the rows of a job: the tick at which each was made."""
    with h5py.File(path) as file:
        return file["job_" + job]["taskstats_default"]["cpu_count"].tolist()


def test_what_comes_in_any_portions_is_appended(path, journal):
    done = 0
    for count in (1, 3, 12, 1, 20, 40, 64, 70, 5):
        write_journal(journal, [batch(done + tick, ("7", str(100 + count))) for tick in range(count)])
        done += count
        store(path, journal)
        assert ticks(path) == list(range(done))
    with tables.open_file(str(path)) as file:
        table = file.root.job_7.taskstats_default
        assert table.chunkshape == (64,) and table.attrs.NROWS == done and table.read()["cpu_count"][-1] == done - 1
        assert file.root.job_103.taskstats_default.nrows == 3


@pytest.mark.parametrize("first,then", [(dict(hdf5_complevel=0), {}), ({}, dict(hdf5_complevel=0)),
                                        (dict(hdf5_complib="bzip2"), {}), ({}, dict(hdf5_complib="blosc:zstd")),
                                        (dict(hdf5_complib="blosc"), dict(hdf5_complib="blosc"))], ids=str)
def test_another_compression_goes_on_with_the_file(path, journal, first, then):
    for portion, changes in enumerate((first, then, then)):
        write_journal(journal, [batch(10 * portion + tick) for tick in range(10)])
        store(path, journal, **changes)
    with tables.open_file(str(path)) as file:
        assert file.root.job_7.taskstats_default.read()["cpu_count"].tolist() == list(range(30))


def test_a_new_release_adds_columns_to_a_table(path, journal):
    older = Table("gpu", NODE, "GPUs.", (gauge("power", "W", "Drawn."),))
    newer = Table("gpu", NODE, "GPUs.", (gauge("power", "W", "Drawn."), counter("energy", "J", "Used.")))
    other = Table("gpu", NODE, "GPUs.", (gauge("power", "W", "Drawn.", code="d"),))
    for tick, (table, values) in enumerate([(older, [1]), (newer, [2, 20]), (older, [3]), (other, [0.5])]):
        write_journal(journal, [batch(tick, table=table, rows=[(0, 0, values)])])
        store(path, journal)
    with h5py.File(path) as file:
        assert file["job_0/gpu"]["power"].tolist() == [1, 2, 3]
        assert file["job_0/gpu"]["energy"].tolist() == [MISSING, 20, MISSING]
        assert file["job_0/gpu_" + other.fingerprint]["power"].tolist() == [0.5]


@pytest.mark.parametrize("complib", ["zlib", "blosc"])
def test_a_file_of_0_6_is_continued(path, journal, capsys, complib):
    before = old_file(path)
    write_journal(journal, [batch(tick, ("42",)) for tick in range(100)])
    store(path, journal, hdf5_complib=complib)
    assert "c.hdf5 of Colmet 0.6 is continued" in capsys.readouterr().err
    with tables.open_file(str(path)) as file:
        for name, rows in before.items():
            table = file.get_node("/job_42", name)
            assert table.nrows == len(rows) + 100 * (name == "taskstats_default")
            after = table.read()[:len(rows)]
            for column in rows.dtype.names:
                assert after[column].tolist() == rows[column].tolist()
            for column in set(after.dtype.names) - set(rows.dtype.names):
                assert set(after[column].tolist()) <= {-1, b""}
        assert "VmRSS" in file.root.job_42.jobprocstats_default.colnames
        assert file.root.job_42.temperaturestats_default.colnames == sorted(
            ["counter_%d" % n for n in range(1, 7)] + ["hostname", "job_id", "metric_backend", "timestamp"])
        assert file.root.job_42.taskstats_default.read()["cpu_count"][-1] == 99


def test_above_its_largest_size_it_is_set_aside(path, journal, capsys):
    write_journal(journal, [batch(tick) for tick in range(50)])
    store(path, journal, hdf5_max_size=1000)
    write_journal(journal, [batch(tick) for tick in range(50, 60)])
    store(path, journal, hdf5_max_size=1000)
    aside, = path.parent.glob("c.*.hdf5")
    assert aside.name in capsys.readouterr().err
    assert ticks(aside) == list(range(50)) and ticks(path) == list(range(50, 60))
    path.unlink()       # the file that was set aside knows its part of the journal
    store(path, journal)
    assert ticks(path) == list(range(50, 60))


def test_a_crash_after_it_was_set_aside_stores_nothing_twice(path, journal):
    write_journal(journal, [batch(tick) for tick in range(50)])
    store(path, journal)
    aside = path.with_name("c.%d.hdf5" % (time.time() - 5))
    os.link(path, aside)
    write_journal(journal, [batch(tick) for tick in range(50, 60)])
    store(path, journal, hdf5_max_size=1000)
    assert list(path.parent.glob("c.*.hdf5")) == [aside]
    assert ticks(aside) + ticks(path) == list(range(60))


def test_a_large_file_of_0_6_is_set_aside_at_the_start(path, journal, capsys):
    old_file(path)
    writer = open_writer(path, journal, hdf5_max_size=1000)
    aside, = path.parent.glob("c.*.hdf5")
    assert not path.exists() and writer.store.position == 0
    assert "above --hdf5-max-size: it is now %s" % aside.name in capsys.readouterr().err
    with h5py.File(aside) as file:
        assert len(file["job_42"]) == 9


def test_a_reader_that_holds_the_file_never_stops_the_writer(path, journal):
    write_journal(journal, [batch(1)])
    store(path, journal)
    with tables.open_file(str(path)) as reader:
        write_journal(journal, [batch(2)])
        store(path, journal)
        assert reader.root.job_7.taskstats_default.nrows == 1
    assert ticks(path) == [1, 2]


def test_a_program_that_writes_into_the_file_is_named_and_waited_for(path, journal, caplog):
    write_journal(journal, [batch(1)])
    writer = open_writer(path, journal)
    writer.read_on(must=True)
    with tables.open_file(str(path), "a"):
        write_journal(journal, [batch(2)])
        with pytest.raises(Refused, match="is open for writing in another program; close it there"):
            store(path, journal)
        writer.read_on(must=True)
        assert writer.unwritten and "cannot be written" in caplog.messages[0]
    writer.read_on(must=True)
    assert ticks(path) == [1, 2]


def test_any_reader_meets_a_whole_file_while_it_is_written(path, journal):
    write_journal(journal, [batch(1)])
    store(path, journal)
    held = open(path, "rb")
    fcntl.flock(held, fcntl.LOCK_EX)
    write_journal(journal, [batch(2)])
    store(path, journal)
    held.close()
    assert ticks(path) == [1, 2]


def test_it_keeps_its_mode_and_a_link_stays_a_link(tmp_path, path, journal):
    real = tmp_path / "elsewhere"
    real.mkdir()
    path.symlink_to(real / "d.hdf5")
    for tick in range(2):
        write_journal(journal, [batch(tick)])
        store(path, journal)
        (real / "d.hdf5").chmod(0o664)
    write_journal(journal, [batch(2)])
    store(path, journal)
    assert path.is_symlink() and (real / "d.hdf5").stat().st_mode & 0o777 == 0o664 and ticks(path) == [0, 1, 2]


def test_it_is_due_every_few_seconds_while_small_then_at_5_percent(path, journal, monkeypatch):
    write_journal(journal, [batch(tick) for tick in range(10)])
    fixed = Fixed(settings(path))
    writer = open_writer(path, journal)
    writer.read_on()
    window, span = writer._window, writer._span
    assert not fixed.due(window, span)                      # it is younger than that
    monkeypatch.setattr(fixed, "_last", time.monotonic() - 6)
    assert fixed.due(window, span)
    monkeypatch.setattr(fixed, "_took", 2.0)                # it took long: a tenth of the time is enough
    assert not fixed.due(window, span)
    monkeypatch.setattr(fixed, "_size", lambda: 100 * 2 ** 20)
    monkeypatch.setattr(fixed, "_last", 0.0)
    assert not fixed.due(window, span)
    window.bytes = 4 * 6 * 2 ** 20
    assert fixed.due(window, span)


def test_other_things_in_the_file_stay(path, journal):
    write_journal(journal, [batch(1)])
    store(path, journal)
    with h5py.File(path, "a") as file:
        file["notes/mine"] = json.dumps({"kept": True})
        file["job_7"].attrs["colour"] = "green"
    write_journal(journal, [batch(2, table=TABLES["job"])])
    store(path, journal)
    with h5py.File(path) as file:
        assert "kept" in file["notes/mine"][()].decode() and file["job_7"].attrs["colour"] == "green"
        assert len(file["job_7/job"]) == 1
