"""What was stored of each session: against a plain set, across a restart, and within its bounds."""
import random

import pytest

from colmet.collector import sequences
from colmet.collector.sequences import Sequences, Session


def test_in_order_it_is_one_number():
    session = Session()
    for number in range(1, 101):
        assert number not in session
        session.add(number)
    assert (session.upto, session.ranges) == (100, [])


@pytest.mark.parametrize("seed", range(20))
def test_it_equals_a_set_of_numbers(seed):
    dice = random.Random(seed)
    session, stored, first = Session(4, lost=0), set(), 5
    numbers = list(range(5, 200))
    dice.shuffle(numbers)
    for number in numbers:
        if dice.random() < 0.05 and number > first:
            missing = [n for n in range(first, number) if n not in stored]
            alone = [n for n in missing if n > session.upto]
            assert session.give_up(number) == len(alone)
            stored |= set(missing)
        if number not in session:
            session.add(number)
            stored.add(number)
        assert all((n in session) == (n in stored or n < first) for n in range(0, 201))
        assert session.ranges == sorted(session.ranges)
        assert all(last + 1 < begin for (_, last), (begin, _) in zip(session.ranges, session.ranges[1:]))
        assert not session.ranges or session.ranges[0][0] > session.upto + 1
    assert (session.upto, session.ranges) == (199, [])


def test_what_a_node_gave_up_is_counted_once():
    session = Session(lost=0)
    for number in (1, 4, 5, 9):
        session.add(number)
    assert session.give_up(3) == 1
    assert session.give_up(3) == 0
    assert session.give_up(8) == 3
    assert (session.upto, session.ranges, session.lost) == (7, [[9, 9]], 4)
    assert session.give_up(10 ** 18) == 10 ** 18 - 9


def test_what_lies_before_the_first_word_of_a_node_is_not_counted():
    session = Session()
    session.add(12)                 # from the journal: it does not say which were the oldest then
    assert session.give_up(8) == 0
    assert (session.upto, session.ranges, session.lost) == (7, [[12, 12]], 0)
    assert session.give_up(10) == 2


def test_the_number_of_gaps_is_bounded_and_the_lowest_can_always_be_closed():
    session = Session()
    for number in range(sequences.MAX_RANGES):
        assert session.accepts(2 * number + 2)
        session.add(2 * number + 2)
    assert not session.accepts(10 ** 6) and session.accepts(1)
    session.add(1)
    assert session.upto == 2 and session.accepts(10 ** 6)


def test_a_checkpoint_brings_everything_back(tmp_path):
    known = Sequences(clock=lambda: 1000.0)
    state = known.get("n", 7)
    state.give_up(3)
    for number in (3, 4, 8):
        state.add(number)
    known.keep("n", 7, state)
    known.save(tmp_path, 123, {"stdout": 45})
    again = Sequences(clock=lambda: 1000.0)
    assert again.load(tmp_path) == (123, {"stdout": 45})
    found = again.get("n", 7)
    assert (found.upto, found.ranges, found.lost, len(again)) == (4, [[8, 8]], 0, 1)
    assert 2 ** 62 not in again.get("n", 8)


def test_without_a_checkpoint_it_starts_empty_and_a_broken_one_is_told(tmp_path):
    assert Sequences().load(tmp_path) == (0, {})
    for text in ("", "{", "[]", "{}", '{"position": 1, "extra": {}, "sessions": [1]}'):
        (tmp_path / sequences.FILE).write_text(text)
        with pytest.raises(ValueError):
            Sequences().load(tmp_path)


def test_sessions_without_traffic_for_a_week_are_forgotten(tmp_path):
    now = [0.0]
    known = Sequences(clock=lambda: now[0])
    known.keep("old", 1, known.get("old", 1))
    now[0] = 3 * 86400.0
    known.keep("new", 1, known.get("new", 1))
    now[0] = 8 * 86400.0
    known.save(tmp_path, 0, {})
    assert len(known) == 1 and "new" in (tmp_path / sequences.FILE).read_text()


def test_the_number_of_sessions_is_bounded_and_the_longest_unused_goes(monkeypatch):
    monkeypatch.setattr(sequences, "MAX_SESSIONS", 3)
    known = Sequences()
    for number in (1, 2, 3, 1, 4):
        state = known.get("n", number)
        if 5 not in state:
            state.add(5)
        known.keep("n", number, state)
    assert len(known) == 3 and known.forgotten == 1
    assert 5 in known.get("n", 1) and 5 not in known.get("n", 2)
