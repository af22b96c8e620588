"""Totals of a port: what its own counters do, and what they become."""
import pytest

from colmet.node.network.traffic import Traffic


def after(*samples):
    """(totals, resets) after these samples of the port's counters."""
    traffic = Traffic(len(samples[0]))
    for now, raw in enumerate(samples, 1):
        totals = traffic.take(list(raw), now)
    assert traffic.since == 1
    return totals, traffic.resets


def test_what_was_before_the_first_sample_is_not_counted():
    assert after((10, 20), (13, 24)) == ([3, 4], 0)


@pytest.mark.parametrize("span", [2 ** 32, 2 ** 56])
def test_one_that_begins_anew_at_its_end_while_others_grow(span):
    assert after((span - 10, 500), (5, 510)) == ([15, 10], 0)
    assert after((span - 10, 500), (span - 1, 510), (0, 520), (7, 530)) == ([17, 30], 0)
    assert after((span - 10, span - 20, 3), (5, 6, 4)) == ([15, 26, 1], 0)


def test_a_reset_takes_all_and_what_each_tells_then_is_new():
    assert after((2 ** 32 + 7, 500, 50), (3, 7, 0)) == ([3, 7, 0], 1)
    assert after((900, 500), (3, 300), (4, 301)) == ([4, 301], 1)          # the second was read as fast as ever
    assert after((900, 0), (3, 7)) == ([3, 7], 1)


@pytest.mark.parametrize("last, now", [(2 ** 32 - 10, 5), (2 ** 31, 7), (2 ** 40, 9), (2 ** 62, 1)])
def test_one_alone_that_falls_was_reset_and_nothing_is_made_up(last, now):
    """With nothing beside it to tell a wrap, less is counted, never more."""
    assert after((last,), (now,)) == ([now], 1)
    assert after((last, None, 8), (now, 4, 8)) == ([now, 0, 0], 1)


def test_one_that_steps_back_counts_on_from_where_it_was():
    assert after((10 ** 12, 7), (10 ** 12 - 100, 8), (10 ** 12 + 50, 9)) == ([50, 2], 0)
    assert after((10,), (9,), (8,), (10,), (12,)) == ([2], 0)


def test_a_gap_is_bridged():
    assert after((10, 1), (None, 2), (None, 3), (25, 4)) == ([15, 3], 0)
    totals, _ = after((10, 1), (None, 2))
    assert totals == [None, 1]


def test_totals_never_fall_whatever_is_told():
    """All that three samples of two counters can say."""
    told = (None, 0, 1, 7, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 56 - 1, 2 ** 63 - 1)
    samples = [(one, other) for one in told for other in told]
    for first in samples[::3]:
        for second in samples:
            traffic, before = Traffic(2), [0, 0]
            for raw in (first, second, first, second):
                found = traffic.take(list(raw), 1)
                assert [each is None for each in found] == [each is None for each in raw]
                for place, total in enumerate(found):
                    if total is not None:
                        assert total >= before[place]
                        before[place] = total
