"""`colmet run` in its parts: its command line, its file, what it takes from wait4."""
import json
import os
import socket
import types

import pytest

from colmet.common import journal, wire
from colmet.common.batch import Batch, pack_rows
from colmet.common.metrics import jobproc, taskstats
from colmet.view import command, measure, run
from colmet.view.daemons import Failed, private_folder
from colmet.view.live import Live

MIB = 2 ** 20


@pytest.mark.parametrize("argv, ours, words", [
    (["--", "make", "-j4"], [], ["make", "-j4"]),
    (["make", "-s"], [], ["make", "-s"]),
    (["-s", "0.5", "make"], ["-s", "0.5"], ["make"]),
    (["--live", "-o", "x.hdf5", "--", "-odd"], ["--live", "-o", "x.hdf5"], ["-odd"]),
    (["-s0.5", "--output=x.hdf5", "a", "--", "b"], ["-s0.5", "--output=x.hdf5"], ["a", "--", "b"]),
    (["-s"], ["-s"], []),
    ([], [], []),
])
def test_ours_and_the_commands_words_are_told_apart(argv, ours, words):
    assert run.split(argv) == (ours, words)


def test_the_file_of_this_second_is_reserved(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, second = measure.Output(None), measure.Output(None)
    assert first.shown != second.shown and os.listdir(tmp_path) == []
    first.close()
    second.close()


def test_an_unusable_file_is_told_with_a_remedy(tmp_path):
    with pytest.raises(Failed, match="no directory .*none; make it, or give another path"):
        measure.Output(str(tmp_path / "none" / "x.hdf5"))


@pytest.mark.root
def test_under_sudo_the_file_goes_to_the_user(tmp_path):
    sudo = {"SUDO_UID": "1234", "SUDO_GID": "1235"}
    new = measure.Output(str(tmp_path / "new.hdf5"))
    new.path.write_bytes(b"x")
    new.hand_over(sudo)
    assert (new.path.stat().st_uid, new.path.stat().st_gid) == (1234, 1235)
    (tmp_path / "old.hdf5").write_bytes(b"x")
    os.chown(tmp_path / "old.hdf5", 7, 8)
    old = measure.Output(str(tmp_path / "old.hdf5"))
    old.path.unlink()
    old.path.write_bytes(b"y")                          # rewritten, as the collector does
    old.hand_over(sudo)
    assert (old.path.stat().st_uid, old.path.stat().st_gid) == (7, 8)


@pytest.mark.root
def test_only_a_file_of_ours_is_given_away(tmp_path):
    (tmp_path / "secret").write_bytes(b"x")
    link, hard = measure.Output(str(tmp_path / "link.hdf5")), measure.Output(str(tmp_path / "hard.hdf5"))
    link.path.symlink_to(tmp_path / "secret")
    link.hand_over({"SUDO_UID": "1234", "SUDO_GID": "1234"})
    os.link(tmp_path / "secret", hard.path)
    hard.hand_over({"SUDO_UID": "1234", "SUDO_GID": "1234"})
    assert (tmp_path / "secret").stat().st_uid == 0


def test_a_temporary_folder_too_deep_for_sockets_is_not_used(tmp_path, monkeypatch):
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    folder = private_folder()
    try:
        assert len(str(folder)) < 84 and folder.stat().st_mode & 0o777 == 0o700 and list(deep.iterdir()) == []
        with socket.socket(socket.AF_UNIX) as channel:
            channel.bind(str(folder / "c.native"))
    finally:
        (folder / "c.native").unlink()
        folder.rmdir()


def test_wait4_gives_facts_and_leaves_out_what_it_cannot_know():
    usage = types.SimpleNamespace(ru_utime=1.5, ru_stime=0.25, ru_maxrss=20 * 1024, ru_inblock=2, ru_oublock=4)
    assert measure.used(usage, 10 * MIB) == {"cpu": 1_750_000_000, "peak_memory": 20 * MIB, "read_bytes": 1024,
                                             "write_bytes": 2048}
    assert measure.used(usage, 30 * MIB)["peak_memory"] is None
    assert measure.used(usage, 10 * MIB, 250_000_000)["cpu"] == 1_500_000_000


def test_what_python_adds_to_the_environment_is_taken_out(tmp_path):
    (tmp_path / "environ").write_bytes(b"A=1\0LC_ALL=\0")
    environ = {"A": "1", "LC_CTYPE": "C.UTF-8"}
    assert command.original_environment(environ, tmp_path / "environ") == {"A": "1"}
    (tmp_path / "environ").write_bytes(b"A=1\0LC_CTYPE=C.UTF-8\0")
    assert command.original_environment(environ, tmp_path / "environ") == environ


def test_live_numbers_follow_the_journal(tmp_path):
    tables = (taskstats.TABLE, jobproc.TABLE)
    writer = journal.Journal(tmp_path / "journal")
    live = Live(tmp_path / "journal", "4217")
    live.update()
    assert live.line(10 ** 9) == "1.0 s"
    writer.append(journal.SCHEMAS, json_of(wire.schemas(tables)))
    for seconds in (1, 2):
        batch = Batch("here", 1, seconds, 5, 5, jobs=[{"job": "0"}, {"job": "9"}, {"job": "4217"}])
        for job, factor in ((1, 100), (2, 1)):
            tasks = [seconds * factor * 10 ** 9 if m.name == "cpu_run_virtual_total" else None
                     for m in taskstats.TABLE.metrics]
            batch.blocks.append(pack_rows(taskstats.TABLE, [(job, 0, tasks)]))
        batch.blocks.append(pack_rows(jobproc.TABLE, [(2, 0, [65536] * 10)]))
        writer.append(journal.NATIVE, wire.join(wire.pack(batch)))
        live.update()
    writer.close()
    line = live.line(3 * 10 ** 9)
    assert line.split() == "3.0 s CPU 2.0 s mem 64.0 MiB read 64.0 KiB written 64.0 KiB".split()
    assert len(line) < 80


def json_of(value):
    """As the receiver writes schemas into its journal."""
    return json.dumps(value).encode()
