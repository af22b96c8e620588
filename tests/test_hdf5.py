"""HDF5 files from a journal: what is in them, when they appear, and what is never lost or stored twice."""
import gzip
import json
import subprocess

import h5py
import numpy
import pytest
import tables


from colmet.common import wire
from colmet.common.batch import Batch, pack_rows
from colmet.common.journal import LEGACY, NATIVE, Journal
from colmet.common.metrics import TABLES
from colmet.common.schema import MISSING, NODE, Table, gauge
from conftest import CHECKOUT
from hdf5_batches import SECOND, T0, TASKSTATS, batch, open_writer, store, write_journal

GOLDEN = CHECKOUT / "tests" / "golden" / "0.6"


def files(folder):
    """The finished files in `folder`, in order of their names."""
    return sorted(folder.glob("*.hdf5"))


def rows(path, job, table="taskstats_default"):
    """The rows of one table, as numpy has them."""
    with h5py.File(path) as file:
        return file["job_" + job][table][:]


def ticks(paths, job="7"):
    """`cpu_count` of all rows of a job in `paths`: the tick at which each was made."""
    return [tick for path in paths for tick in rows(path, job)["cpu_count"].tolist()]


@pytest.fixture
def journal(tmp_path):
    """The directory of a journal."""
    return tmp_path / "journal"


@pytest.mark.parametrize("name", ["w", "f.hdf5"])
def test_golden_messages_are_stored_as_0_6_decodes_them(tmp_path, journal, name):
    out = Journal(journal)
    records = []
    for scenario in ("taskstats_only", "jobs", "hardware"):
        decoded = json.loads((GOLDEN / scenario / "messages.json").read_text())["messages"]
        for path in sorted((GOLDEN / scenario).glob("*.bin.gz")):
            out.append(LEGACY, gzip.decompress(path.read_bytes()))
            records += decoded[int(path.name[:3])]
    out.close()
    store(tmp_path / name, journal)
    path, = files(tmp_path)
    with tables.open_file(str(path)) as file:
        stored = sum(table.nrows for table in file.walk_nodes("/", "Table"))
        for record in records:
            table = file.get_node("/job_%d/%s" % (record["job_id"], record["metric_backend"]))
            found = [row for row in table.read() if row["timestamp"] == record["timestamp"]]
            assert len(found) == 1
            for key, value in record.items():
                have = found[0][key]
                if isinstance(value, str):
                    assert have.decode() == value
                else:
                    assert have == pytest.approx(value if value < 2 ** 63 else -1, rel=1e-6)
    assert stored == len(records)


def test_rows_are_sorted_by_time_and_host_and_jobs_kept_apart(tmp_path, journal):
    mixed = [batch(tick, ("7", "8"), node) for tick in (3, 1, 2) for node in ("b", "a", "c")]
    write_journal(journal, mixed)
    store(tmp_path / "w", journal)
    for job in "78":
        got = rows(files(tmp_path)[0], job)
        seen = list(zip((got["timestamp"] - T0).tolist(), got["hostname"].tolist()))
        assert seen == [(tick, host) for tick in (1, 2, 3) for host in (b"a", b"b", b"c")]
        assert set(got["cpu_delay_total"].tolist()) == {int(job) - 6}
        assert set(got["job_id"].tolist()) == {int(job)}
        assert set(got["metric_backend"].tolist()) == {TASKSTATS.name.encode()}


@pytest.mark.parametrize("count", [1, 16, 17, 32, 33, 64, 65, 200, 6000])
@pytest.mark.parametrize("level", [0, 1, 9])
def test_any_number_of_rows_is_read_back_by_pytables_and_h5py(tmp_path, journal, count, level):
    write_journal(journal, [batch(tick) for tick in range(count)], arrival=T0 * SECOND)
    store(tmp_path / "w", journal, hdf5_complevel=level)
    path, = files(tmp_path)
    assert ticks([path]) == list(range(count))
    with tables.open_file(str(path)) as file:
        table = file.root.job_7.taskstats_default
        assert table.cols.cpu_count[:].tolist() == list(range(count))
        assert table.chunkshape == (16 if count <= 16 else 32 if count <= 32 else 64,)
        assert (table.title, table.attrs.NROWS, table.attrs.backend_version) == ("Metrics for the Job 7", count, 2)
        assert (table.attrs.CLASS, table.attrs.VERSION) == ("TABLE", "2.7")
        assert file.root._v_attrs.PYTABLES_FORMAT_VERSION == "2.1" and file.root.job_7._v_attrs.VERSION == "1.0"
        assert table.filters.complevel == level and (not level or table.filters.shuffle)


@pytest.mark.parametrize("models", [500, 2])
def test_each_job_keeps_to_itself_where_short_tables_are_copied(tmp_path, journal, monkeypatch, models):
    monkeypatch.setattr("colmet.collector.hdf5.file._MODELS", models)
    totals = dict(zip(range(95, 105), (1, 70, 16, 17, 3, 64, 33, 2, 5, 65)))
    users = dict(zip(totals, ("", "al", "bo", "eve", "\u00e8ve", "\u773c", "al", "yo", "ann", "")))
    batches = []
    for tick in range(70):
        jobs = [{"job": str(job), "user": users[job]} for job, total in totals.items() if tick < total]
        batches += [batch(tick, jobs, cluster="c"), batch(tick, jobs, table=TABLES["job"], cluster="c")]
    write_journal(journal, batches, arrival=T0 * SECOND)
    store(tmp_path / "w", journal)
    with tables.open_file(str(files(tmp_path)[0]), "a") as file:
        for job, total in totals.items():
            group = file.get_node("/job_%d@c" % job)
            user = group._v_attrs["user"] if users[job] else b""
            assert group._v_attrs["cluster"] == b"c" and user in (users[job], users[job].encode())
            for table in (group.taskstats_default, group.job):
                assert (table.nrows, table.attrs.NROWS, table.title) == (total, total, "Metrics for the Job %d" % job)
                table.append(table.read())
            assert group.taskstats_default.read()["cpu_count"].tolist() == 2 * list(range(total))
            assert set(group.job.read()["job"].tolist()) == {b"%d" % job} and group.job.nrows == 2 * total


def test_pytables_goes_on_with_a_table(tmp_path, journal):
    write_journal(journal, [batch(tick) for tick in range(20)])
    store(tmp_path / "w", journal)
    with tables.open_file(str(files(tmp_path)[0]), "a") as file:
        table = file.root.job_7.taskstats_default
        table.append(table.read())
    assert ticks(files(tmp_path)) == 2 * list(range(20))


def test_h5dump_reads_every_byte(tmp_path, journal):
    write_journal(journal, [batch(1, ("7", "8")), batch(1, table=TABLES["job"])])
    store(tmp_path / "w", journal)
    try:
        done = subprocess.run(["h5dump", str(files(tmp_path)[0])], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("needs h5dump: apt install hdf5-tools")
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.count('DATASET "taskstats_default"') == 2 and "node-1" in done.stdout


def test_new_tables_have_their_header_and_keep_missing_apart(tmp_path, journal):
    table = TABLES["colmet"]
    values = [T0 * SECOND, None] + [5] * (len(table.metrics) - 2)
    cells = [(0, 1, values), (0, 2, values)]
    write_journal(journal, [batch(4, table=table, rows=cells, strings=["", "node", "procstats"], cluster="dahu")])
    store(tmp_path / "w", journal)
    got = rows(files(tmp_path)[0], "0@dahu", "colmet")
    assert got["part"].tolist() == [b"node", b"procstats"] and got["row"].tolist() == [0, 1]
    assert set(got["time"].tolist()) == {(T0 + 4) * SECOND} and set(got["samples"].tolist()) == {MISSING}
    assert set(got["session"].tolist()) == {99} and set(got["sequence"].tolist()) == {4} and set(got["job"]) == {b"0"}
    with h5py.File(files(tmp_path)[0]) as file:
        attributes = file["job_0@dahu/colmet"].attrs
        assert json.loads(attributes["units"].decode())["duration"] == "ns" and attributes["missing"] == MISSING
        assert file["job_0@dahu"].attrs["cluster"] == b"dahu"


def test_procstats_tells_who_was_there_and_rounds_loads(tmp_path, journal):
    table = TABLES["procstats_default"]
    values = [1] * (len(table.metrics) - 5) + [0.5, float("nan"), 3.3, 1, 2]
    values[0] = None
    write_journal(journal, [batch(1, ("12", "7", {"job": "3", "gone": 1}), table=table, rows=[(0, 0, values)])])
    store(tmp_path / "w", journal)
    got = rows(files(tmp_path)[0], "0", table.name)[0]
    assert got["involved_jobs"] == b"[7, 12]" and got["uptime_total"] == -1
    assert got["loadavg_1min"] == 0.5 and got["loadavg_5min"] == -1 and got["loadavg_15min"] == numpy.float32(3.3)


def test_hostile_names_make_groups_of_their_own(tmp_path, journal):
    jobs = ["../x", "a\0b", "é" * 100, ".", "7", {"job": "7", "user": "bob", "twin": 1}]
    write_journal(journal, [batch(1, jobs, table=TABLES["job"])])
    store(tmp_path / "w", journal)
    with h5py.File(files(tmp_path)[0]) as file:
        texts = sorted(table["job"][0]["job"].decode() for table in file.values())
        assert texts == sorted([job["job"] if isinstance(job, dict) else job for job in jobs])
        assert file["job_7@bob"].attrs["user"] == b"bob" and file["job_7/job"][0]["sequence"] == 1


def test_windows_are_by_arrival_and_named_for_it(tmp_path, journal):
    write_journal(journal, [batch(tick) for tick in range(25)])     # arrives one a second
    store(tmp_path / "w", journal, hdf5_window=10.0)
    assert [path.name for path in files(tmp_path)] == ["w.%d.hdf5" % (T0 + n) for n in (0, 10, 20)]
    assert [ticks([path]) for path in files(tmp_path)] == [[*range(10)], [*range(10, 20)], [*range(20, 25)]]


def test_a_window_goes_on_where_the_newest_file_ends(tmp_path, journal):
    for first in (0, 5, 10):
        end = write_journal(journal, [batch(first + tick) for tick in range(5)])
        assert store(tmp_path / "w", journal).committed == end
    assert [path.name for path in files(tmp_path)] == ["w.%d.hdf5" % (T0 + n) for n in (0, 1, 2)]
    assert ticks(files(tmp_path)) == list(range(15))


def test_sealing_again_what_was_not_committed_replaces_the_same_name(tmp_path, journal):
    write_journal(journal, [batch(tick) for tick in range(5)])
    first = open_writer(tmp_path / "w", journal)
    again = open_writer(tmp_path / "w", journal)
    write_journal(journal, [batch(tick) for tick in range(5, 8)])
    first.read_on(must=True)
    before = files(tmp_path)
    again.read_on(must=True)                # as if the first had died before anybody knew of its file
    assert files(tmp_path) == before and ticks(before) == list(range(8))


def test_an_idle_journal_makes_no_files(tmp_path, journal):
    Journal(journal).close()
    writer = store(tmp_path / "w", journal)
    assert files(tmp_path) == [] and writer.committed == 0
    write_journal(journal, [Batch("n", 1, 1, T0, 1)])
    assert store(tmp_path / "w", journal).committed > 0 and files(tmp_path) == []


def test_schemas_are_found_again_after_a_restart_in_the_middle_of_a_segment(tmp_path, journal):
    table = Table("gpu", NODE, "GPUs.", (gauge("power", "W", "Drawn."),))
    write_journal(journal, [batch(1, table=table, rows=[(0, 0, [1])])])
    store(tmp_path / "w", journal)
    end = Journal(journal)
    end.append(NATIVE, wire.join(wire.pack(Batch("n", 1, 2, T0, 1, blocks=[pack_rows(table, [(0, 0, [2])])]))))
    end.close()
    store(tmp_path / "w", journal)
    assert [rows(path, "0", "gpu")["power"].tolist() for path in files(tmp_path)] == [[1], [2]]


@pytest.mark.root
def test_a_line_says_which_path_is_full_and_nothing_is_lost(tmp_path, journal, caplog, capsys):
    full = tmp_path / "full"
    full.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(full)], check=True)
    try:
        jobs = [str(number) for number in range(1, 60)]
        write_journal(journal, [batch(tick, jobs) for tick in range(3)])
        writer = open_writer(full / "c.hdf5", journal)
        for _ in range(3):
            writer.read_on(must=True)
        assert writer.unwritten and [path.name for path in full.iterdir()] == [".c.hdf5.lock"]
        said = caplog.messages
        assert len(said) == 1 and "c.hdf5: cannot be written: No space left on device; make room" in said[0]
        subprocess.run(["mount", "-o", "remount,size=4m", str(full)], check=True)
        write_journal(journal, [batch(3, jobs)])
        writer.read_on(must=True)
        assert not writer.unwritten and ticks([full / "c.hdf5"], "59") == [0, 1, 2, 3]
        assert "written again; nothing was lost" in capsys.readouterr().err
    finally:
        subprocess.run(["umount", str(full)], check=True)
