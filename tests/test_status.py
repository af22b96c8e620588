"""What the collector tells of itself: its figures, the words of its writers, and ``colmet-collector status``."""
import json
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from colmet import __version__
from colmet.collector import overview
from colmet.collector.elasticsearch.state import State
from colmet.collector.main import main
from colmet.collector.prometheus import Metrics
from colmet.collector.sequences import Sequences, Session
from colmet.collector.status import FILE, WRITTEN_EVERY, Status, Word, load, write
from colmet.collector.upkeep import Upkeep
from colmet.common.journal import LEGACY, Journal, in_use

parser = pytest.importorskip("prometheus_client.parser", reason="needs prometheus-client: pip install it")


@pytest.fixture(name="journal")
def _journal(tmp_path):
    journal = Journal(tmp_path / "journal")
    yield journal
    journal.close()


def status(journal, position=0, running=True, faults=(), name="hdf5"):
    """A `Status` over `journal` with one writer at `position`."""
    writer = SimpleNamespace(name=name, position=position, running=running)
    intake = SimpleNamespace(counts=SimpleNamespace(received=9, stored=7, doubled=2, lost=1), sequences=Sequences(),
                             faults=SimpleNamespace(counts=dict(faults)))
    receiver = SimpleNamespace(full=False, syncs=3, sync_seconds=0.25)
    return Status(Upkeep(journal, intake.sequences, [writer], 2 ** 20), intake, receiver)


def stored(journal, **changes):
    """Leave figures in which all is well beside `journal`, but for `changes` of its writer; a Word too."""
    figures = dict(status(journal).figures)
    writer = dict(figures["writers"]["hdf5"], **{"heard": time.time(), **changes})
    assert write(journal.directory / FILE, dict(figures, writers={"hdf5": writer}))


def run(capsys, *arguments):
    """(exit code, stdout, stderr) of ``colmet-collector status``."""
    code = main(["status"] + [str(argument) for argument in arguments])
    return (code,) + tuple(capsys.readouterr())


def test_figures_say_how_far_a_writer_is_and_how_long_it_is_behind(journal):
    middle = journal.append(LEGACY, b"a" * 100, arrival=int((time.time() - 500) * 10 ** 9))
    journal.append(LEGACY, b"b" * 50, arrival=int((time.time() - 100) * 10 ** 9))
    writer = status(journal).figures["writers"]["hdf5"]
    assert (writer["position_bytes"], writer["lag_bytes"]) == (0, journal.end) and 500 <= writer["behind_seconds"] < 590
    writer = status(journal, middle).figures["writers"]["hdf5"]
    assert writer["lag_bytes"] == journal.end - middle and 100 <= writer["behind_seconds"] < 190
    writer = status(journal, journal.end).figures["writers"]["hdf5"]
    assert (writer["lag_bytes"], writer["behind_seconds"]) == (0, 0)


def test_what_a_writer_leaves_is_found_again_and_goes_on(journal):
    word = Word(journal.directory, "hdf5")
    word.stored, word.rejected = 40, 2
    word.failed("disk full")
    word.leave()
    figures = status(journal).figures["writers"]["hdf5"]
    assert (figures["stored_records"], figures["rejected_records"], figures["failing"]) == (40, 2, 1)
    assert figures["error"] == "disk full" and time.time() - figures["heard"] < 60
    again = Word(journal.directory, "hdf5")
    again.stored += 1
    again.leave()
    figures = status(journal).figures["writers"]["hdf5"]
    assert (figures["stored_records"], figures["error"], figures["last_error"]) == (41, "", "disk full")


def test_a_writer_leaves_word_now_and_then_and_at_once_when_something_is_wrong(journal):
    word = Word(journal.directory, "x")
    word.leave()
    word.stored = 5
    word.leave()
    assert load(word.path)["stored"] == 0
    word.failed("no")
    word.leave()
    assert load(word.path)["stored"] == 5
    word.stored = 6
    word.leave(last=True)
    assert load(word.path)["stored"] == 6 and WRITTEN_EVERY < overview.SILENT


@pytest.mark.parametrize("text", ["", "{", "[]", '{"stored": "many", "error": 7, "written": null}', "\0"])
def test_a_word_that_is_none_does_no_harm(journal, text):
    (journal.directory / "hdf5.json").write_text(text)
    figures = status(journal).figures["writers"]["hdf5"]
    assert figures["stored_records"] == figures["heard"] == 0
    assert Word(journal.directory, "hdf5").stored == 0


def test_nodes_are_peers_while_they_send():
    now = [1000.0]
    sequences = Sequences(lambda: now[0])
    sequences.keep("old", 1, Session())
    now[0] += 400
    for node, session in (("a", 1), ("b", 1), ("a", 2)):
        sequences.keep(node, session, Session())
    assert sequences.heard(300) == 2 and sequences.heard(500) == 3 and len(sequences) == 4


def test_all_figures_are_read_by_the_parser_of_prometheus(journal):
    options = SimpleNamespace(prometheus_jobs=True, prometheus_series=10)
    metrics = Metrics(options, SimpleNamespace(start=lambda make: None))
    metrics.start(status(journal, faults={("n1", "record cut short"): 2, ("n2", "record cut short"): 3}))
    found = {sample.name: (sample.labels, sample.value) for family in
             parser.text_string_to_metric_families(metrics.page().decode()) for sample in family.samples}
    assert found["colmet_collector_received_records_total"] == ({}, 9)
    assert found["colmet_collector_sync_seconds_total"] == ({}, 0.25)
    assert found["colmet_collector_refused_total"] == ({"kind": "record cut short"}, 5)
    assert found["colmet_collector_writer_lag_bytes"] == ({"writer": "hdf5"}, 0)
    assert found["colmet_prometheus_dropped_values_total"] == ({}, 0)


def test_no_collector_has_run_there(tmp_path, capsys):
    code, out, err = run(capsys, "--journal-dir", tmp_path)
    assert (code, out) == (1, "") and err.startswith("colmet-collector: %s: no collector runs there; " % tmp_path)


def test_a_wrong_command_line_is_2(capsys):
    code, _, err = run(capsys, "--journal-dri", "x")
    assert code == 2 and "--journal-dri" in err and err.count("\n") == 1


def test_all_is_well(journal, capsys):
    stored(journal)
    code, out, err = run(capsys, "--journal-dir", journal.directory)
    assert (code, err) == (0, "") and out.splitlines()[-1].split()[0] == "hdf5"
    assert all(len(line) <= 80 for line in out.splitlines() if not line.startswith("journal"))
    code, out, _ = run(capsys, "--journal-dir", journal.directory, "--json")
    values = json.loads(out)
    assert code == 0 and values["running"] is True and values["faults"] == []
    assert values["writers"]["hdf5"]["lag_bytes"] == 0 and values["pid"] == os.getpid()


@pytest.mark.parametrize("changes, told", [
    ({"error": "no \x1b[2J room", "failing": 1}, "! hdf5: no ?[2J room"),
    ({"running": 0}, "! hdf5: the writer does not run"),
    ({"lag_bytes": 5, "behind_seconds": 2000.0, "heard": 1.0}, "! hdf5: no sign of life for"),
])
def test_a_stuck_writer_is_1_and_said(journal, capsys, changes, told):
    stored(journal, **changes)
    code, out, _ = run(capsys, "--journal-dir", journal.directory)
    assert code == 1 and told in out.splitlines()[-1]


def test_a_writer_that_is_behind_but_alive_is_not_stuck(journal, capsys):
    stored(journal, lag_bytes=10 ** 9, behind_seconds=5000.0)
    assert run(capsys, "--journal-dir", journal.directory)[0] == 0


def test_nobody_need_read_it_to_the_end(journal):
    stored(journal)
    reads, writes = os.pipe()
    os.close(reads)
    command = [sys.executable, "-m", "colmet.collector.main", "status", "--journal-dir", str(journal.directory)]
    done = subprocess.run(command, stdout=writes, stderr=subprocess.PIPE, timeout=60)
    os.close(writes)
    assert (done.returncode, done.stderr) == (141, b"")


def test_losses_and_the_last_error_are_told_though_all_is_well_now(journal, capsys):
    stored(journal, lost_messages=1234, last_error="503", last_error_time=time.time() - 600)
    code, out, _ = run(capsys, "--journal-dir", journal.directory)
    assert code == 0 and "lost 1 234 messages" in out and "last error, 10 min 00" in out and ": 503" in out


def test_a_collector_that_ended_or_hangs_is_1(journal, capsys):
    figures = dict(status(journal).figures, time=time.time() - 1000)
    write(journal.directory / FILE, figures)
    code, out, _ = run(capsys, "--journal-dir", journal.directory)
    assert code == 1 and "! the collector runs, but left nothing for 16 min" in out
    journal.close()
    code, out, _ = run(capsys, "--journal-dir", journal.directory)
    assert code == 1 and "not running" in out and "! no collector runs there" in out


def test_figures_of_another_release_are_not_guessed_at(journal, capsys):
    write(journal.directory / FILE, {"version": "9.9", "writers": {}})
    code, _, err = run(capsys, "--journal-dir", journal.directory)
    assert code == 1 and "release 9.9, this one is %s" % __version__ in err


def test_looking_whether_a_journal_is_in_use_keeps_nobody_from_using_it(tmp_path):
    assert not in_use(tmp_path / "j")
    for _ in range(3):
        journal = Journal(tmp_path / "j")
        assert in_use(tmp_path / "j")
        journal.close()
        assert not in_use(tmp_path / "j")


def test_the_place_follows_the_options_of_the_daemon(journal, capsys, tmp_path):
    stored(journal)
    config = tmp_path / "c.ini"
    config.write_text("[colmet-collector]\njournal-dir = %s\nenable-stdout-backend = yes\n" % journal.directory)
    assert run(capsys, "--config", config)[0] == 0
    assert run(capsys, "--hdf5-filepath", tmp_path / "other")[0] == 1


def test_the_word_of_the_elasticsearch_writer_is_read_the_same_way(journal):
    state = State(stored=5, rejected=1)
    state.failed("503")
    state.save(journal.directory)
    writer = status(journal, name="elasticsearch").figures["writers"]["elasticsearch"]
    assert (writer["stored_records"], writer["rejected_records"], writer["error"]) == (5, 1, "503")
    assert writer["heard"] == state.written and writer["last_error_time"] == state.last_error_time
