"""The outbox: what goes when, what is kept, what is counted."""
import select
import threading

import pytest

from colmet.node.sending.outbox import BATCH_OVERHEAD, FRAME_OVERHEAD, WINDOW_BATCHES, Outbox


@pytest.fixture
def make():
    """Outboxes that are closed after the test."""
    made = []

    def outbox(*arguments, **options):
        made.append(Outbox(*arguments, **options))
        return made[-1]
    yield outbox
    for each in made:
        each.close()


def fill(outbox, first, last, frames=(b"x",)):
    return [outbox.put(sequence, list(frames), 1000) for sequence in range(first, last + 1)]


def take(outbox, now=2000):
    """Send all that may go, as over the native wire; the sequences."""
    sent = []
    while True:
        batch = outbox.next(now)
        if batch is None:
            return sent
        outbox.flying(batch, now)
        sent.append(batch.sequence)


def test_batches_go_in_order_and_stay_until_they_are_acknowledged(make):
    outbox = make()
    fill(outbox, 1, 3)
    assert take(outbox) == [1, 2, 3] and take(outbox) == []
    assert len(outbox) == 3 and outbox.oldest == 1
    assert outbox.acknowledge(1, [(3, 3)]) == 2
    assert len(outbox) == 1 and outbox.oldest == 2
    assert outbox.acknowledge(3, []) == 1
    assert len(outbox) == 0 and outbox.oldest == 4 and outbox.size == 0
    assert (outbox.counts.sent, outbox.counts.resent, outbox.counts.acknowledged) == (3, 0, 3)


def test_no_more_is_in_flight_than_the_window(make):
    outbox = make()
    fill(outbox, 1, 100)
    assert take(outbox) == list(range(1, WINDOW_BATCHES + 1))
    outbox.acknowledge(10, [])
    assert take(outbox) == list(range(WINDOW_BATCHES + 1, WINDOW_BATCHES + 11))


def test_the_window_is_no_larger_than_the_high_water_mark(make):
    outbox = make(5)
    fill(outbox, 1, 5)
    outbox.acknowledge(0, [])
    assert outbox.window == 5 and take(outbox) == [1, 2, 3, 4, 5]


def test_the_window_is_bounded_in_bytes_but_one_batch_always_fits(make):
    outbox = make(memory=100 * 2 ** 20)
    fill(outbox, 1, 3, [bytes(9 * 2 ** 20)])
    assert take(outbox) == [1]
    outbox.acknowledge(1, [])
    outbox.put(4, [bytes(20 * 2 ** 20)], 1000)
    assert take(outbox) == [2]


def test_full_drops_the_oldest_and_counts_them(make):
    outbox = make(3)
    assert fill(outbox, 1, 5) == [0, 0, 0, 1, 1]
    assert outbox.oldest == 3 and len(outbox) == 3
    assert outbox.counts.dropped_full == 2
    assert take(outbox) == [3, 4, 5]


def test_full_of_bytes_drops_the_oldest(make):
    size = BATCH_OVERHEAD + FRAME_OVERHEAD + 1
    outbox = make(0, memory=10 * size)
    fill(outbox, 1, 12)
    assert outbox.oldest == 3 and outbox.size == 10 * size
    outbox.put(13, [bytes(20 * size)], 1000)
    assert outbox.oldest == 13 and len(outbox) == 1    # greater than all the memory: kept, alone


def test_what_was_dropped_in_flight_is_neither_acknowledged_nor_resent(make):
    outbox = make(2)
    fill(outbox, 1, 2)
    take(outbox)
    outbox.put(3, [b"x"], 1000)
    assert outbox.acknowledge(1, []) == 0
    outbox.restart()
    assert take(outbox) == [2, 3]
    assert outbox.counts.resent == 1


def test_after_a_loss_fresh_batches_go_before_the_backlog(make):
    outbox = make()
    fill(outbox, 1, 3)
    take(outbox)
    outbox.restart()
    outbox.put(4, [b"x"], 1000)
    assert take(outbox) == [4, 1, 2, 3]
    assert outbox.counts.resent == 3


def test_what_is_in_flight_can_be_sent_again(make):
    outbox = make()
    fill(outbox, 1, 3)
    take(outbox)
    outbox.acknowledge(1, [])
    outbox.resend()
    assert take(outbox) == [2, 3]


def test_a_fresh_batch_is_held_back_until_the_node_s_own_moment(make):
    outbox = make(delay=500)
    outbox.put(1, [b"x"], 1000)
    assert outbox.next(1499) is None and outbox.next_ready(1499) == 1500
    assert outbox.next(1500).sequence == 1 and outbox.next_ready(1500) is None
    outbox.hurry()
    outbox.put(2, [b"x"], 1000)
    assert take(outbox, 1000) == [1, 2]


def test_what_was_never_sent_cannot_be_acknowledged_or_refused(make):
    outbox = make()
    fill(outbox, 1, 2)
    assert outbox.acknowledge(2 ** 63, [(0, 2 ** 63), (5, 1)]) == 0
    assert not outbox.refuse(1) and len(outbox) == 2


def test_a_refused_batch_goes_and_is_counted(make):
    outbox = make()
    fill(outbox, 1, 2)
    take(outbox)
    assert outbox.refuse(1) and not outbox.refuse(1) and not outbox.refuse(77)
    assert outbox.counts.dropped_refused == 1 and outbox.oldest == 2


def test_delivered_without_acknowledgement_is_kept_no_longer(make):
    outbox = make()
    fill(outbox, 1, 2)
    outbox.delivered(outbox.next(2000), 2000)
    assert outbox.oldest == 2 and outbox.counts.acknowledged == 0 and outbox.counts.sent == 1


def test_unanswered_since_is_the_oldest_in_flight(make):
    outbox = make()
    fill(outbox, 1, 2)
    assert outbox.unanswered_since() is None
    outbox.flying(outbox.next(2000), 2000)
    outbox.flying(outbox.next(3000), 3000)
    assert outbox.unanswered_since() == 2000
    outbox.acknowledge(1, [])
    assert outbox.unanswered_since() == 3000


def test_a_put_wakes_whoever_waits(make):
    outbox = make()
    assert select.select([outbox], [], [], 0)[0] == []
    fill(outbox, 1, 3)
    assert select.select([outbox], [], [], 0)[0] == [outbox]
    outbox.calm()
    assert select.select([outbox], [], [], 0)[0] == []


@pytest.mark.parametrize("most, sent, left, easy", [
    (0, 1, 0, True), (0, 31, 0, True), (0, 32, 0, False),   # half of the window
    (0, 1, 1, False),                                       # one more waits to be sent
    (1, 1, 0, False), (2, 1, 0, False), (3, 1, 0, True),    # the next one could push one out that has arrived
])
def test_acknowledgements_may_wait_while_there_is_room(make, most, sent, left, easy):
    outbox = make(most)
    fill(outbox, 1, sent)
    take(outbox)
    fill(outbox, sent + 1, sent + left)
    assert (outbox.eased_since() is not None) == easy
    outbox.hurry()
    assert outbox.eased_since() is None


def test_two_threads_lose_and_double_nothing(make):
    outbox = make()
    total, taken = 3000, []

    def sender():
        while len(taken) < total:
            select.select([outbox], [], [], 30)
            outbox.calm()
            for sequence in take(outbox):
                taken.append(sequence)
                outbox.acknowledge(0, [(sequence, sequence)])
            if len(outbox):
                outbox.wake()
    thread = threading.Thread(target=sender)
    thread.start()
    fill(outbox, 1, total)
    thread.join(60)
    assert sorted(taken) == list(range(1, total + 1)) and len(outbox) == 0 and outbox.size == 0
