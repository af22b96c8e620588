"""What the receiver takes, refuses and answers: each message is checked, stored once, and acknowledged when durable."""
import errno
import time
from types import SimpleNamespace

import pytest

from colmet.collector import intake as intake_module
from colmet.collector import receiver as receiver_module
from colmet.collector.entries import Entries
from colmet.collector.intake import UNNAMED, Intake, replay
from colmet.collector.log import Faults
from colmet.collector.receiver import Receiver
from colmet.collector.sequences import Sequences
from colmet.common import wire
from colmet.common.batch import Batch, Block
from colmet.common.journal import LEGACY, NATIVE, SCHEMAS, Journal, read, segments
from colmet.common.schema import JOB, Table, gauge
from e2e.peers import JOBPROC, batch, record06

PEER = b"\0peer"


@pytest.fixture
def intake(tmp_path):
    journal = Journal(tmp_path / "j", 4000)
    yield Intake(journal, Sequences(), Faults(), 99)
    journal.close()


def give(intake, each, oldest=1, peer=PEER, **fields):
    """Hand over a batch as a node does; returns the immediate answer's fields."""
    fields = dict({"session": each.session, "sequence": each.sequence, "oldest": oldest}, **fields)
    answer = intake.native(peer, wire.message("batch", wire.pack(each), **fields), 5)
    return wire.parse(answer)[0] if answer else None


def stored(intake, kind=NATIVE):
    return [entry for entry in read(intake.journal.directory) if entry.kind == kind]


def answers(intake):
    return [(identity, wire.parse(frames)[0]) for identity, frames in intake.answers()]


def test_a_batch_is_stored_with_its_schemas_before_it_and_answered_once_a_group(intake):
    for number in (1, 2, 3):
        assert give(intake, batch(sequence=number)) is None
    kinds = [entry.kind for entry in read(intake.journal.directory)]
    assert kinds == [SCHEMAS, NATIVE, NATIVE, NATIVE] and intake.waiting
    ack = {"type": "ack", "epoch": 99, "session": 7, "upto": 3, "ranges": []}
    assert answers(intake) == [(PEER, ack)]
    assert answers(intake) == [] and not intake.waiting


def test_every_segment_describes_its_tables(intake):
    for number in range(1, 40):
        give(intake, batch(sequence=number, rows=9))
    starts = segments(intake.journal.directory)
    assert len(starts) > 5
    for start in starts:
        first, second = [entry for entry, _ in zip(read(intake.journal.directory, start), range(2))]
        assert (first.kind, second.kind) == (SCHEMAS, NATIVE)
        entries = Entries()
        entries.tables = {}
        assert entries.batches(first) == [] and entries.batches(second)[0].blocks[0].rows == 9


def test_a_batch_that_comes_twice_is_acknowledged_and_stored_once(intake):
    for peer in (b"a", b"b"):
        give(intake, batch(), peer=peer)
    assert len(stored(intake)) == 1 and intake.counts.doubled == 1
    assert (intake.counts.received, intake.counts.stored) == (2, 1)
    assert [(identity, ack["upto"]) for identity, ack in answers(intake)] == [(b"a", 1), (b"b", 1)]
    give(intake, batch(node="other"))
    give(intake, batch(session=8))
    assert len(stored(intake)) == 3


def test_what_nodes_give_up_is_counted_and_told_when_it_doubles(intake, monkeypatch):
    told = []
    monkeypatch.setattr(intake_module.log, "error", lambda text, *values: told.append(text % values))
    give(intake, batch(sequence=1))
    for oldest in range(2, 20):
        give(intake, batch(sequence=oldest * 2), oldest=oldest * 2)
    assert intake.counts.lost == 19
    assert told == ["node-1 gave up %d batches before they came" % count for count in (2, 4, 8, 16)]


def test_a_new_session_begins_where_the_node_says(intake):
    give(intake, batch(sequence=50), oldest=40)
    assert answers(intake)[0][1]["upto"] == 39 and intake.counts.lost == 0


def test_an_unknown_table_is_asked_for_and_stored_when_described(intake):
    table = Table("new_default", JOB, "", (gauge("a", "", ""),))
    each = batch(table=table)
    assert give(intake, each) == {"type": "need", "fingerprints": [table.fingerprint]}
    assert stored(intake) == [] and not intake.waiting
    intake.native(PEER, wire.message("schemas", schemas=wire.schemas([table])), 5)
    assert give(intake, each) is None and len(stored(intake)) == 1


def test_a_bad_block_costs_itself_only(intake):
    each = batch()
    each.blocks.append(Block(JOBPROC, b"\xff" * len(each.blocks[0].data)))
    assert give(intake, each) is None
    entries = Entries()
    found = [found for entry in read(intake.journal.directory) for found in entries.batches(entry)]
    assert [len(each.blocks) for each in found] == [1] and entries.faults == {}
    assert intake.faults.counts == {("node-1", "row of no job or string"): 1}


def test_an_empty_batch_is_acknowledged_too(intake):
    assert give(intake, Batch("node-1", 7, 1, 1, 1)) is None
    assert answers(intake)[0][1]["upto"] == 1


NEVER = {
    "another sequence": dict(sequence=5),
    "another session": dict(session=8),
    "no oldest": dict(oldest=None),
    "an oldest that is text": dict(oldest="1"),
    "older than the oldest": dict(oldest=2),
}


@pytest.mark.parametrize("name", NEVER)
def test_what_can_never_be_stored_is_refused_by_its_sequence(intake, name):
    answer = give(intake, batch(), **NEVER[name])
    assert answer["type"] == "refuse" and answer["sequence"] == NEVER[name].get("sequence", 1) and answer["reason"]
    assert stored(intake) == [] and not intake.waiting and sum(intake.faults.counts.values()) == 1


HOSTILE = {
    "nothing": [],
    "one frame": [b"CLM1"],
    "another magic": [b"CLM9", b"{}"],
    "no JSON": [b"CLM1", b"\xff"],
    "deep JSON": [b"CLM1", b"[" * 100000],
    "a list": [b"CLM1", b"[1]"],
    "no type": [b"CLM1", b"{}"],
    "a type that is a list": [b"CLM1", b'{"type":[]}'],
    "an unknown type": [b"CLM1", b'{"type":"ack"}'],
    "a batch without numbers": [b"CLM1", b'{"type":"batch"}'],
    "a negative sequence": wire.message("batch", wire.pack(batch()), session=7, sequence=-1, oldest=0),
    "sequence true": wire.message("batch", wire.pack(batch()), session=7, sequence=True, oldest=0),
    "too many frames": [b"CLM1", b'{"type":"hello"}'] + [b""] * 300,
    "hello without a node": wire.message("hello", version=1, session=1, oldest=1),
    "hello of half a surrogate": [b"CLM1", b'{"type":"hello","version":1,"session":1,"oldest":"x","node":"\\ud800"}'],
    "hello of a long name": wire.message("hello", version=1, session=1, oldest=1, node="x" * 256),
    "hello without a session": wire.message("hello", version=1, node="n", oldest=1),
    "hello of a huge session": wire.message("hello", version=1, node="n", oldest=1, session=2 ** 63),
    "schemas that are a list": wire.message("schemas", schemas=[1]),
    "a schema of another fingerprint": wire.message("schemas", schemas={"0" * 16: JOBPROC.describe()}),
    "a schema that is text": wire.message("schemas", schemas={"0" * 16: "x"}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_messages_are_counted_and_change_nothing(intake, name):
    intake.native(PEER, HOSTILE[name], 5)
    assert sum(intake.faults.counts.values()) == 1 and {peer for peer, _ in intake.faults.counts} == {UNNAMED}
    assert stored(intake) == [] and not intake.waiting and len(intake.sequences) == 0
    give(intake, batch())
    assert len(stored(intake)) == 1


def test_descriptions_of_tables_take_bounded_room_and_the_first_known_goes(intake, monkeypatch):
    monkeypatch.setattr(intake_module, "MAX_FOREIGN", 5000)
    tables = [Table("t%d" % number, JOB, "x" * 500, (gauge("a", "", ""),)) for number in range(50)]
    for table in tables:
        intake.native(PEER, wire.message("schemas", schemas=wire.schemas([table])), 5)
    assert give(intake, batch(table=tables[0]))["type"] == "need"
    assert give(intake, batch(table=tables[-1])) is None
    assert JOBPROC.fingerprint in intake.tables


def test_faults_are_told_apart_for_so_many_peers_only(monkeypatch):
    monkeypatch.setattr("colmet.collector.log.MAX_FAULTS", 10)
    faults = Faults()
    for number in range(100):
        faults.add("peer%d" % number, "kind")
    assert len(faults.counts) == 11 and sum(faults.counts.values()) == 100


def test_a_message_of_0_6_is_stored_up_to_its_last_good_record(intake):
    intake.legacy(record06() + b"junk" * 1000, 5)
    intake.legacy(b"nothing usable", 5)
    (entry,) = stored(intake, LEGACY)
    assert entry.payload == record06() and intake.counts.stored == 1


def test_replay_knows_what_the_checkpoint_does_not(intake):
    for number in (1, 2, 4):
        give(intake, batch(sequence=number))
    again = Sequences()
    replay(intake.journal.directory, again, 0)
    replay(intake.journal.directory, again, 0)
    state = again.get("node-1", 7)
    assert (state.upto, state.ranges) == (2, [[4, 4]])


def test_what_came_before_the_oldest_is_not_taken_for_stored_after_a_replay(intake):
    give(intake, batch(sequence=9), oldest=8)
    again = Sequences()
    replay(intake.journal.directory, again, 0)
    assert 8 not in again.get("node-1", 7) and again.get("node-1", 7).give_up(8) == 0


class Full:
    """A journal that takes nothing until `room`."""

    def __init__(self, journal):
        self._journal, self.room = journal, False

    def append(self, *entry):
        if not self.room:
            raise OSError(errno.ENOSPC, "full")
        return self._journal.append(*entry)

    def __getattr__(self, name):
        return getattr(self._journal, name)


def test_a_batch_that_did_not_fit_is_not_taken_for_stored(intake):
    intake.journal = Full(intake.journal)
    with pytest.raises(OSError):
        give(intake, batch())
    assert not intake.waiting and 1 not in intake.sequences.get("node-1", 7)
    intake.journal.room = True
    give(intake, batch())
    assert len(stored(intake)) == 1 and stored(intake, SCHEMAS)


@pytest.mark.parametrize("waiting, held, period, sync", [
    (True, 0, 5.0, "soon"),         # a node waits for its acknowledgement
    (False, 1, 5.0, "period"),      # of 0.6: nobody waits
    (False, 100, 5.0, "soon"),      # --buffer-size is reached
    (False, 1, 0.01, "period"),
    (True, 0, 0.01, "period"),
])
def test_when_the_journal_is_synced(waiting, held, period, sync):
    journal = SimpleNamespace(end=0, sync=lambda: None)
    intake = SimpleNamespace(waiting=waiting, held=held, journal=journal)
    options = SimpleNamespace(sample_period=period, buffer_size=100)
    receiver = Receiver(intake, None, None, options, lambda position: None)
    now = time.monotonic()
    receiver._dirty_since, receiver._last_sync = now, now
    assert receiver._due(now) == pytest.approx(now + (receiver_module.SYNC_EVERY if sync == "soon" else period))


def test_nothing_is_synced_while_nothing_came():
    intake = SimpleNamespace(waiting=False, held=0)
    receiver = Receiver(intake, None, None, SimpleNamespace(sample_period=1, buffer_size=1), None)
    assert receiver._due(time.monotonic()) == float("inf")
