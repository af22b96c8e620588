"""Which wire the sender takes: the native one, that of 0.6 where only this one answers, or the one asked for."""
from e2e.collectors import Old
from e2e.programs import wait_for

pytest_plugins = ("senders",)


def test_a_mute_native_wire_falls_back_to_0_6_and_comes_back(sender, native, tmp_path, caplog):
    side = sender(wire_timeout=0.5)
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
        peer.serve(lambda: side.sender.native.answered and not side.sender.legacy.sending)
        side.put(5, 6)
        peer.serve(lambda: not len(side.outbox))
        assert peer.sequences == [5, 6]


def test_a_mute_native_wire_keeps_what_nobody_takes(sender):
    side = sender(wire_timeout=0)
    side.put(1, 3)
    side.sender.join(1)
    assert len(side.outbox) == 3 and side.outbox.counts.sent == 0


def test_the_0_6_wire_keeps_what_is_not_taken_and_sends_it_later(sender, tmp_path):
    side = sender(wire="0.6")
    side.put(1, 5)
    side.sender.join(0.5)
    assert len(side.outbox) == 5
    with Old("ipc://%s/c" % tmp_path) as old:
        old.serve(lambda: len(old.messages) == 5)
        assert [record.time for record in old.records()] == [1, 2, 3, 4, 5]
    wait_for(lambda: not len(side.outbox), 30, "batches to be handed over")
    assert side.outbox.counts.sent == 5
