"""A writer in its own process: it is started, asked, started again when it dies, and its refusal is passed on."""
import os
import signal
import subprocess
import sys
from io import StringIO

import pytest

from colmet.collector.entries import Entries
from colmet.collector.stdout import Stdout, lines
from colmet.collector.upkeep import Upkeep
from colmet.collector.sequences import Sequences
from colmet.collector.writers import Child, Refused
from colmet.common import wire
from colmet.common.journal import LEGACY, NATIVE, SCHEMAS, Journal
from colmet.common.schema import JOB, Table, gauge
from e2e.peers import batch, record06
from e2e.programs import wait_for

WRITER = '''
import os, sys
def run(settings, journal, connection):
    with open("started", "a") as file:
        file.write("%s %s\\n" % (os.getpid(), settings))
    if settings == "bad":
        return connection.send(("refused", "no disk; buy one"))
    if settings == "dead":
        os._exit(3)
    position = 40
    connection.send(("ready", position))
    while True:
        command = connection.recv()[0]
        position += 1
        connection.send(("position", position))
        if command == "stop":
            return
'''


@pytest.fixture
def child(tmp_path, monkeypatch):
    (tmp_path / "made_up_writer.py").write_text(WRITER)
    monkeypatch.chdir(tmp_path)
    writers = []

    def make(settings="good"):
        writers.append(Child("made-up", "made_up_writer", settings, tmp_path / "j"))
        return writers[-1]
    yield make
    for writer in writers:
        writer.kill()


def starts(folder):
    """(pid, settings) of each start of the writer."""
    return [(int(line.split()[0]), line.split()[1]) for line in (folder / "started").read_text().splitlines()]


def test_it_says_where_it_is_commits_when_asked_and_ends(child, tmp_path):
    writer = child()
    writer.start()
    writer.wait()
    assert writer.position == 40 and writer.fileno() >= 0
    writer.seal()
    wait_for(lambda: writer.poll() or writer.position == 41, 60, "commit")
    assert writer.finish() and writer.position == 42 and writer.fileno() == -1
    assert len(starts(tmp_path)) == 1


@pytest.mark.parametrize("settings, text", [("bad", "no disk; buy one"),
                                            ("dead", "the made-up writer died when it started")])
def test_a_writer_that_cannot_work_says_why(child, settings, text):
    writer = child(settings)
    writer.start()
    with pytest.raises(Refused) as caught:
        writer.wait()
    assert str(caught.value) == text


def test_killed_it_starts_again_and_with_other_settings_at_once(child, tmp_path):
    writer = child()
    writer.start()
    writer.wait()
    os.kill(starts(tmp_path)[0][0], signal.SIGKILL)
    wait_for(lambda: writer.poll() or len(starts(tmp_path)) == 2, 60, "second start")
    writer.renew("other")
    wait_for(lambda: writer.poll() or len(starts(tmp_path)) == 3, 60, "third start")
    assert [settings for _, settings in starts(tmp_path)] == ["good", "good", "other"]
    assert writer.finish()


def alive(pid):
    """Whether process `pid` runs; one that only waits to be reaped does not."""
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


PARENT = '''
import time
from colmet.collector.writers import Child
writer = Child("made-up", "made_up_writer", "good", "j")
writer.start()
writer.wait()
print("ready", flush=True)
time.sleep(600)
'''


def test_it_dies_with_its_parent(child, tmp_path):
    process = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    process.kill()
    process.communicate()
    pid = starts(tmp_path)[0][0]
    wait_for(lambda: not alive(pid), 60, "end of the writer")


def journal_with(tmp_path, tables=1):
    """A journal of one description and a batch, and the position between them."""
    journal = Journal(tmp_path / "j")
    table = Table("new_default", JOB, "", (gauge("a", "by\x1btes", ""),), instance="port")
    after = journal.append(SCHEMAS, wire._json(wire.schemas([table])))
    journal.append(NATIVE, wire.join(wire.pack(batch(table=table))))
    journal.append(LEGACY, record06())
    return journal, after


def test_whoever_begins_in_the_middle_of_a_segment_learns_its_tables(tmp_path):
    journal, after = journal_with(tmp_path)
    stream = StringIO()
    writer = Stdout(journal.directory, after, stream)
    writer.start()
    writer.synced(journal.end)
    assert writer.finish() and writer.position == journal.end
    assert stream.getvalue().startswith("1700000000  Job(12)/ new_default[")
    assert "\ta : 5 (by?tes)\n}\n1700000000  Job(3)/ jobprocstats_default -> Host(node-6) -> {" in stream.getvalue()


def test_only_what_is_durable_is_printed(tmp_path):
    journal, after = journal_with(tmp_path)
    stream = StringIO()
    writer = Stdout(journal.directory, 0, stream)
    writer.start()
    writer.synced(after)
    assert writer.finish() and writer.position == after and stream.getvalue() == ""


class Printing:
    """A thread that prints one batch each time that it is waited for, `batches` in all, of `most` that there are."""

    def __init__(self, word, batches, most):
        self._word, self._batches, self._most = word, batches, most

    def join(self, _):
        self._word.stored = min(self._word.stored + 1, self._batches)

    def is_alive(self):
        return self._word.stored < self._most


@pytest.mark.parametrize("batches", [3, 2])
def test_at_the_end_it_is_waited_for_as_long_as_it_prints(tmp_path, batches):
    writer = Stdout(tmp_path, 0, StringIO())
    writer._thread = Printing(writer._word, batches, 3)
    assert writer.finish() == (batches == 3)


def test_missing_values_are_no_numbers():
    table = Table("t_default", JOB, "", (gauge("a", "s", ""), gauge("bcd", "", "", code="d")))
    each = batch(table=table)
    each.blocks[0].data = each.blocks[0].data[:16] + b"\0" * 7 + b"\x80" + b"\0" * 6 + b"\xf8\x7f"
    (text,) = lines(each)
    assert text == "1700000000  Job(12)/ t_default -> Host(node-1) -> {\n\t  a : -\n\tbcd : -\n}\n"


def test_faults_in_a_journal_of_another_kind_are_counted():
    entries = Entries()
    entry = next(iter([type("E", (), {"kind": 99, "payload": b""})]))
    assert entries.batches(entry) == [] and entries.faults == {"entry of an unknown kind": 1}
    for kind in (SCHEMAS, NATIVE, LEGACY):
        assert entries.batches(type("E", (), {"kind": kind, "payload": b"\xff\xff"})) == []
    assert sum(entries.faults.values()) == 4


class At:
    """A writer at a position."""

    def __init__(self, name, position):
        self.name, self.position, self.sealed = name, position, 0

    def seal(self):
        self.sealed += 1


def test_segments_are_freed_when_all_writers_and_the_checkpoint_have_passed_them(tmp_path):
    journal = Journal(tmp_path / "j", 100)
    for _ in range(20):
        journal.append(LEGACY, b"x" * 90)
    slow, fast = At("slow", 500), At("fast", journal.end)
    upkeep = Upkeep(journal, Sequences(), [slow, fast], 10 ** 9)
    upkeep.tick()
    assert journal.start == 0                   # no checkpoint yet: what is stored would be forgotten
    upkeep.synced(journal.end)
    upkeep.tick()
    assert 300 < journal.start <= 500 and upkeep.lost == {}
    slow.position = journal.end
    upkeep.tick()
    assert journal.start == journal.segment or journal.bytes <= 107


def test_above_the_limit_the_writer_furthest_behind_loses_the_oldest_once(tmp_path):
    journal = Journal(tmp_path / "j", 1000)
    slow, fast = At("slow", 0), At("fast", 0)
    upkeep = Upkeep(journal, Sequences(), [slow, fast], 5000)
    for number in range(200):
        fast.position = journal.append(LEGACY, b"x" * 83)
        if number % 10 == 9:
            upkeep.tick()
    assert journal.bytes <= 6000 and set(upkeep.lost) == {"slow"}
    assert upkeep.lost["slow"] == journal.start // 100 and slow.sealed == 1
