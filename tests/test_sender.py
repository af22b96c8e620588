"""The sender against a collector that answers as each test tells it, hostile ones included."""
import zmq

from colmet.common import wire
from colmet.common.metrics import TABLES
from colmet.node.sending import native as sender_native
from colmet.node.clock import SECOND
from e2e.programs import wait_for
from senders import PROCSTATS, SESSION

pytest_plugins = ("senders",)


def test_hello_first_then_batches_until_all_is_acknowledged(sender, native):
    side, peer = sender(), native()
    side.put(1, 100)
    peer.serve(lambda: not len(side.outbox))
    assert peer.sequences == list(range(1, 101))
    hello = peer.hellos[0]
    assert (hello["version"], hello["node"], hello["cluster"], hello["session"]) == (1, "node-1", "c", SESSION)
    assert set(hello["schemas"]) == {table.fingerprint for table in TABLES.values()}
    assert hello["oldest"] == 1 and len(peer.hellos) == 1
    assert {fields["session"] for fields, _ in peer.batches} == {SESSION}


def test_no_batch_before_the_hello_is_answered(sender, native):
    side, peer = sender(), native(hello=False)
    side.put(1, 3)
    peer.serve(lambda: peer.hellos)
    peer.idle(1)
    assert peer.batches == []
    peer.hello = True
    peer.greet(SESSION)
    peer.serve(lambda: len(peer.batches) == 3)


def test_the_window_holds_when_acknowledgements_are_withheld(sender, native):
    side, peer = sender(), native(acks=False)
    side.put(1, 100)
    peer.serve(lambda: len(peer.batches) == 64)
    peer.idle(1)
    assert peer.sequences == list(range(1, 65))
    peer.acknowledge(SESSION, {1, 2, 3, 60})
    peer.serve(lambda: len(peer.batches) == 68)
    assert peer.sequences[64:] == [65, 66, 67, 68]
    assert peer.batches[-1][0]["oldest"] == 4
    wait_for(lambda: len(side.outbox) == 96, 30, "acknowledged batches to go")


def test_an_acknowledgement_is_read_though_no_other_batch_comes(sender, native):
    side, peer = sender(), native()
    side.put(1, 1)
    peer.serve(lambda: side.outbox.counts.acknowledged == 1)


def test_a_flush_reads_the_acknowledgement_that_waited(sender, native):
    side, peer = sender(), native(acks=False)
    peer.serve(lambda: side.sender.native.answered)
    side.put(1, 1)
    peer.serve(lambda: peer.batches)
    side.sender.flush(-1)
    peer.acknowledge(SESSION, {1})
    side.sender.join(60)
    assert side.outbox.counts.acknowledged == 1


def test_a_collector_that_died_gets_exactly_what_it_did_not_acknowledge(sender, native):
    side, peer = sender(), native(acks=False)
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


def test_what_a_restarted_collector_has_is_not_sent_again(sender, native):
    side, peer = sender(), native(acks=False)
    side.put(1, 10)
    peer.serve(lambda: len(peer.batches) == 10)
    peer.close()
    other = native(epoch=2)
    other.received = {1, 2, 3, 4, 5, 9}
    other.serve(lambda: not len(side.outbox))
    assert other.sequences == [6, 7, 8, 10]


def test_an_acknowledgement_of_another_epoch_begins_a_new_connection(sender, native):
    side, peer = sender(), native(acks=False)
    side.put(1, 3)
    peer.serve(lambda: len(peer.batches) == 3)
    peer.epoch, peer.acks = 2, True
    peer.acknowledge(SESSION, set())
    peer.serve(lambda: not len(side.outbox))
    assert len(peer.hellos) == 2 and peer.sequences == [1, 2, 3, 1, 2, 3]


def test_without_acknowledgement_for_too_long_it_connects_again(sender, native):
    side, peer = sender(), native(acks=False)
    side.put(1, 3)
    peer.serve(lambda: len(peer.batches) == 3)
    side.sender.native.patience = SECOND // 2
    peer.serve(lambda: all(peer.sequences.count(sequence) > 1 for sequence in (1, 2, 3)))
    assert len(peer.hellos) >= 2 and peer.sequences[:4] == [1, 2, 3, 1]
    assert side.sender.native.patience > SECOND // 2       # it waits longer now: the collector may be slow by design


def test_schemas_that_the_collector_lacks_are_given_and_batches_sent_again(sender, native):
    side, peer = sender(), native(acks=False)
    side.put(1, 2)
    peer.serve(lambda: len(peer.batches) == 2)
    peer.acks = True
    peer.send(peer.peers[-1], wire.message("need", fingerprints=[PROCSTATS.fingerprint, "f" * 16]))
    peer.serve(lambda: not len(side.outbox))
    assert [list(schemas) for schemas in peer.schemas] == [[PROCSTATS.fingerprint]]
    assert peer.sequences == [1, 2, 1, 2] and len(peer.hellos) == 1


def test_a_refused_batch_is_dropped_and_the_others_go_on(sender, native, caplog):
    side, peer = sender(), native(acks=False)
    side.put(1, 3)
    peer.serve(lambda: len(peer.batches) == 3)
    peer.send(peer.peers[-1], wire.message("refuse", reason="odd\nname", sequence=2))
    wait_for(lambda: len(side.outbox) == 2, 30, "refused batch to go")
    assert side.outbox.counts.dropped_refused == 1
    wait_for(lambda: any("refuses a batch: odd name; dropped" in record.getMessage() for record in caplog.records), 30,
             "word of it")


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


def test_no_answer_breaks_the_sender(sender, native):
    side, peer = sender(), native(acks=False)
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


def test_the_flush_waits_for_acknowledgements_and_no_longer_than_asked(sender, native):
    side, peer = sender(), native(acks=False)
    side.put(1, 3)
    peer.serve(lambda: len(peer.batches) == 3)
    side.sender.flush(-1)
    peer.idle(1)
    assert side.sender.is_alive()
    peer.acknowledge(SESSION, {1, 2, 3})
    side.sender.join(30)
    assert not side.sender.is_alive() and not len(side.outbox)


def test_a_flush_to_nobody_ends(sender):
    side = sender()
    side.put(1, 3)
    side.sender.flush(200)
    side.sender.join(30)
    assert not side.sender.is_alive() and len(side.outbox) == 3


def test_a_peer_of_another_kind_at_the_native_address_is_left_and_tried_again(sender, native, tmp_path, monkeypatch):
    monkeypatch.setattr(sender_native, "SILENCE", SECOND)
    side = sender()
    side.put(1, 2)
    context = zmq.Context()
    wrong = context.socket(zmq.PUB)
    monitor = wrong.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    wrong.bind("ipc://%s/c.native" % tmp_path)
    assert monitor.poll(30000)          # they have met, and parted
    wrong.disable_monitor()
    context.destroy(linger=0)
    peer = native()
    peer.serve(lambda: not len(side.outbox))
    assert peer.sequences == [1, 2]
