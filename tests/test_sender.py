"""The sender against a collector that answers as each test tells it, hostile ones included."""
from types import SimpleNamespace

import pytest
import zmq

from colmet.common import wire
from colmet.common.batch import Batch, pack_rows
from colmet.common.metrics import TABLES
from colmet.node.clock import SECOND, boottime
from colmet.node.outbox import Outbox
from colmet.node.sender import Sender
from e2e.collectors import Native, Old
from e2e.programs import wait_for

PROCSTATS = TABLES["procstats_default"]
SESSION = 7


class Side:
    """The node's side: an outbox, a sender, and batches without content."""

    def __init__(self, folder, **options):
        self.uri = "ipc://%s/c" % folder
        settings = SimpleNamespace(**dict({"wire": "auto", "zeromq_uri": self.uri, "native_uri": self.uri + ".native",
                                           "zeromq_hwm": 1000, "zeromq_linger": 0, "wire_timeout": 30,
                                           "sample_period": 5}, **options))
        self.outbox = Outbox(settings.zeromq_hwm)
        hello = {"node": "node-1", "cluster": "c", "session": SESSION}
        self.sender = Sender(settings, self.outbox, hello, list(TABLES.values()))
        self.sender.open()
        self.sender.start()

    def put(self, first, last):
        """Batches with these sequences."""
        for sequence in range(first, last + 1):
            block = pack_rows(PROCSTATS, [(0, 0, [sequence] * len(PROCSTATS.metrics))])
            batch = Batch("node-1", SESSION, sequence, sequence * SECOND, boottime(), blocks=[block])
            self.outbox.put(sequence, wire.pack(batch), boottime())

    def close(self):
        if self.sender.is_alive():
            self.sender.flush(0)
            self.sender.join(30)
        assert not self.sender.is_alive()
        self.outbox.close()


@pytest.fixture
def start(tmp_path):
    """Starts `Side`s with these options; they are closed after the test."""
    sides = []

    def side(**options):
        sides.append(Side(tmp_path, **options))
        return sides[-1]
    yield side
    for each in sides:
        each.close()


@pytest.fixture
def native(tmp_path):
    """Starts collectors on the native address; they are closed after the test."""
    peers = []

    def collector(**options):
        peers.append(Native("ipc://%s/c.native" % tmp_path, **options))
        return peers[-1]
    yield collector
    for each in peers:
        each.close()


def test_hello_first_then_batches_until_all_is_acknowledged(start, native):
    side, peer = start(), native()
    side.put(1, 100)
    peer.serve(lambda: not len(side.outbox))
    assert peer.sequences == list(range(1, 101))
    hello = peer.hellos[0]
    assert (hello["version"], hello["node"], hello["cluster"], hello["session"]) == (1, "node-1", "c", SESSION)
    assert set(hello["schemas"]) == {table.fingerprint for table in TABLES.values()}
    assert hello["oldest"] == 1 and len(peer.hellos) == 1
    assert {fields["session"] for fields, _ in peer.batches} == {SESSION}


def test_no_batch_before_the_hello_is_answered(start, native):
    side, peer = start(), native(hello=False)
    side.put(1, 3)
    peer.serve(lambda: peer.hellos)
    peer.idle(1)
    assert peer.batches == []
    peer.hello = True
    peer.greet(SESSION)
    peer.serve(lambda: len(peer.batches) == 3)


def test_the_window_holds_when_acknowledgements_are_withheld(start, native):
    side, peer = start(), native(acks=False)
    side.put(1, 100)
    peer.serve(lambda: len(peer.batches) == 64)
    peer.idle(1)
    assert peer.sequences == list(range(1, 65))
    peer.acknowledge(SESSION, {1, 2, 3, 60})
    peer.serve(lambda: len(peer.batches) == 68)
    assert peer.sequences[64:] == [65, 66, 67, 68]
    assert peer.batches[-1][0]["oldest"] == 4
    wait_for(lambda: len(side.outbox) == 96, 30, "acknowledged batches to go")


def test_an_acknowledgement_is_read_though_no_other_batch_comes(start, native):
    side, peer = start(), native()
    side.put(1, 1)
    peer.serve(lambda: side.outbox.counts.acknowledged == 1)


def test_a_flush_reads_the_acknowledgement_that_waited(start, native):
    side, peer = start(), native(acks=False)
    peer.serve(lambda: side.sender.native.answered)
    side.put(1, 1)
    peer.serve(lambda: peer.batches)
    side.sender.flush(-1)
    peer.acknowledge(SESSION, {1})
    side.sender.join(60)
    assert side.outbox.counts.acknowledged == 1


def test_a_collector_that_died_gets_exactly_what_it_did_not_acknowledge(start, native):
    side, peer = start(), native(acks=False)
    side.put(1, 10)
    peer.serve(lambda: len(peer.batches) == 10)
    peer.acknowledge(SESSION, {1, 2, 3, 7})
    wait_for(lambda: len(side.outbox) == 6, 30, "acknowledged batches to go")
    peer.close()
    side.put(11, 12)
    other = native(epoch=2)
    other.serve(lambda: not len(side.outbox))
    assert sorted(other.sequences) == [4, 5, 6, 8, 9, 10, 11, 12]
    assert other.hellos[0]["oldest"] == 4
    counts = side.outbox.counts
    assert counts.acknowledged == 12 and counts.sent == 12 + counts.resent
    assert counts.resent in (6, 7, 8)       # 11 and 12 may have gone into the old connection, whose end is told later


def test_what_a_restarted_collector_has_is_not_sent_again(start, native):
    side, peer = start(), native(acks=False)
    side.put(1, 10)
    peer.serve(lambda: len(peer.batches) == 10)
    peer.close()
    other = native(epoch=2)
    other.received = {1, 2, 3, 4, 5, 9}
    other.serve(lambda: not len(side.outbox))
    assert other.sequences == [6, 7, 8, 10]


def test_an_acknowledgement_of_another_epoch_begins_a_new_connection(start, native):
    side, peer = start(), native(acks=False)
    side.put(1, 3)
    peer.serve(lambda: len(peer.batches) == 3)
    peer.epoch, peer.acks = 2, True
    peer.acknowledge(SESSION, set())
    peer.serve(lambda: not len(side.outbox))
    assert len(peer.hellos) == 2 and peer.sequences == [1, 2, 3, 1, 2, 3]


def test_without_acknowledgement_for_too_long_it_connects_again(start, native):
    side, peer = start(), native(acks=False)
    side.sender.native.patience = SECOND // 2
    side.put(1, 3)
    peer.serve(lambda: len(peer.hellos) >= 2 and len(peer.batches) >= 6)
    assert peer.sequences[:6] == [1, 2, 3, 1, 2, 3]
    assert side.sender.native.patience > SECOND // 2       # it waits longer now: the collector may be slow by design


def test_schemas_that_the_collector_lacks_are_given_and_batches_sent_again(start, native):
    side, peer = start(), native(acks=False)
    side.put(1, 2)
    peer.serve(lambda: len(peer.batches) == 2)
    peer.acks = True
    peer.send(peer.peers[-1], wire.message("need", fingerprints=[PROCSTATS.fingerprint, "f" * 16]))
    peer.serve(lambda: not len(side.outbox))
    assert [list(schemas) for schemas in peer.schemas] == [[PROCSTATS.fingerprint]]
    assert peer.sequences == [1, 2, 1, 2] and len(peer.hellos) == 1


def test_a_refused_batch_is_dropped_and_the_others_go_on(start, native, caplog):
    side, peer = start(), native(acks=False)
    side.put(1, 3)
    peer.serve(lambda: len(peer.batches) == 3)
    peer.send(peer.peers[-1], wire.message("refuse", reason="odd\nname", sequence=2))
    wait_for(lambda: len(side.outbox) == 2, 30, "refused batch to go")
    assert side.outbox.counts.dropped_refused == 1
    assert any("refuses a batch: odd name; dropped" in record.getMessage() for record in caplog.records)


HOSTILE = [
    [b""], [b"x"], [b"CLM1"], [b"CLM1", b""], [b"CLM1", b"[]"], [b"CLM1", b"{"], [b"CLM1", b"\xff\xfe"],
    [b"CLM1", b"[" * 100000], [b"CLM1"] + [b"{}"] * 300, [b"CLM1", b'{"type":7}'], [b"CLM1", b'{"type":"nonsense"}'],
    wire.message("ack"), wire.message("ack", epoch=1, session=SESSION, upto="9", ranges=[]),
    wire.message("ack", epoch=1, session=SESSION, upto=-1, ranges=[]),
    wire.message("ack", epoch=1, session=SESSION, upto=True, ranges=[]),
    wire.message("ack", epoch=1, session=SESSION, upto=2 ** 70, ranges=[]),
    wire.message("ack", epoch=1, session=SESSION, upto=0, ranges={"a": 1}),
    wire.message("ack", epoch=1, session=SESSION, upto=0, ranges=[[1]]),
    wire.message("ack", epoch=1, session=SESSION, upto=0, ranges=[[1, None]]),
    wire.message("ack", epoch=1, session=SESSION, upto=0, ranges=[[2, 1], [100, 2 ** 62]]),
    wire.message("ack", epoch=1, session=SESSION, upto=0, ranges=[[100, 200]] * 5000),
    wire.message("ack", epoch=None, session=SESSION, upto=0, ranges=[]),
    wire.message("ack", epoch=1, session=8, upto=100, ranges=[]),
    wire.message("hello"), wire.message("hello", version=99, epoch=1, session=SESSION, upto=0, ranges=[]),
    wire.message("hello", version=1, epoch=[1], session=SESSION, upto=0, ranges=[]),
    wire.message("need"), wire.message("need", fingerprints=7), wire.message("need", fingerprints=[7, {}]),
    wire.message("need", fingerprints=["nothing"]),
    wire.message("refuse"), wire.message("refuse", reason=["x"], sequence=[]),
    wire.message("refuse", reason="x" * 10000, sequence=2 ** 80), wire.message("refuse", reason="\x1b[2J", sequence=77),
]


def test_no_answer_breaks_the_sender(start, native):
    side, peer = start(), native(acks=False)
    side.put(1, 2)
    peer.serve(lambda: len(peer.batches) == 2)
    for frames in HOSTILE:
        peer.send(peer.peers[-1], frames)
    side.put(3, 3)
    peer.serve(lambda: 3 in peer.sequences)
    assert len(side.outbox) == 3 and side.outbox.counts.dropped_refused == 0
    peer.acknowledge(SESSION, {1, 2, 3})
    wait_for(lambda: not len(side.outbox), 30, "acknowledgement after all that")
    assert len(peer.hellos) == 1 and side.sender.is_alive()
    assert sum(side.sender.faults.counts.values()) >= 20


def test_the_flush_waits_for_acknowledgements_and_no_longer_than_asked(start, native):
    side, peer = start(), native(acks=False)
    side.put(1, 3)
    peer.serve(lambda: len(peer.batches) == 3)
    side.sender.flush(-1)
    peer.idle(1)
    assert side.sender.is_alive()
    peer.acknowledge(SESSION, {1, 2, 3})
    side.sender.join(30)
    assert not side.sender.is_alive() and not len(side.outbox)


def test_a_flush_to_nobody_ends(start):
    side = start()
    side.put(1, 3)
    side.sender.flush(200)
    side.sender.join(30)
    assert not side.sender.is_alive() and len(side.outbox) == 3


def test_a_mute_native_wire_falls_back_to_0_6_and_comes_back(start, native, tmp_path, caplog):
    side = start(wire_timeout=0.5)
    side.put(1, 3)
    with Old("ipc://%s/c" % tmp_path) as old:
        old.serve(lambda: len(old.messages) == 3)
        side.put(4, 4)
        old.serve(lambda: len(old.messages) == 4)
        assert [record.time for record in old.records()] == [1, 2, 3, 4]
        wait_for(lambda: not len(side.outbox), 30, "batches to be handed over")
        told = [text for text in caplog.messages if "a 0.6 collector, or a firewall" in text]
        assert len(told) == 1
        peer = native()
        peer.serve(lambda: side.sender.native.answered)
        side.put(5, 6)
        peer.serve(lambda: not len(side.outbox))
        assert peer.sequences == [5, 6]


def test_a_mute_native_wire_keeps_what_nobody_takes(start):
    side = start(wire_timeout=0)
    side.put(1, 3)
    side.sender.join(1)
    assert len(side.outbox) == 3 and side.outbox.counts.sent == 0


def test_a_peer_of_another_kind_at_the_native_address_is_left_and_tried_again(start, native, tmp_path):
    side = start()
    side.put(1, 2)
    context = zmq.Context()
    wrong = context.socket(zmq.PUB)
    wrong.bind("ipc://%s/c.native" % tmp_path)
    side.sender.join(1)
    context.destroy(linger=0)
    peer = native()
    peer.serve(lambda: not len(side.outbox))
    assert peer.sequences == [1, 2]


def test_the_0_6_wire_keeps_what_is_not_taken_and_sends_it_later(start, tmp_path):
    side = start(wire="0.6")
    side.put(1, 5)
    side.sender.join(0.5)
    assert len(side.outbox) == 5
    with Old("ipc://%s/c" % tmp_path) as old:
        old.serve(lambda: len(old.messages) == 5)
        assert [record.time for record in old.records()] == [1, 2, 3, 4, 5]
    wait_for(lambda: not len(side.outbox), 30, "batches to be handed over")
    assert side.outbox.counts.sent == 5
