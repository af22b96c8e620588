"""Sets of files that stay open: which of them are read when, and what stands when they are gone."""
import os
from array import array
from contextlib import closing

import pytest

from colmet.common.schema import MISSING
from colmet.node import compiled
from colmet.node.cgroup import sets
from colmet.node.clock import SECOND
from colmet.node.numbers import Field
from loads import descriptors

FIELDS = [Field(0, "a"), Field(1, "b"), Field(1, "c"), Field(2, "d")]
AFTER = [-1, 0, 2]              # the first always, the second when that has changed, the third when itself had


class Clock:
    """A clock that a test sets."""
    now = SECOND

    def __call__(self):
        return self.now


@pytest.fixture(name="clock")
def _clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(sets, "boottime", clock)
    return clock


@pytest.fixture(name="made")
def _made(clock):
    with closing(sets.Sets(compiled.load("_files"), FIELDS, AFTER, 4, 30 * SECOND)) as made:
        yield made


def files(made, folder, picks=(0, 1, 2, 3)):
    """A function that writes into a file of a new set, by number; and the place of that set."""
    place = made.add()
    folder.mkdir(exist_ok=True)

    def write(number, text):
        (folder / str(number)).write_text(text)
    for number, text in enumerate(("a 1\n", "b 2\nc 3\n", "d 4\n")):
        write(number, text)
        made.put(place, number, os.open(str(folder / str(number)), os.O_RDONLY | os.O_CLOEXEC))
    made.pick(place, picks)
    return write, place


def row(made, place, everything=False):
    [found], faults = made.read(array("i", [place]), everything)
    assert not faults
    return found


def test_what_cannot_have_changed_is_not_read(made, clock, tmp_path):
    write, place = files(made, tmp_path)
    assert row(made, place) == [1, 2, 3, 4] and row(made, place) == [1, 2, 3, 4]
    write(1, "b 5\nc 6\n")
    write(2, "d 7\n")
    assert row(made, place) == [1, 2, 3, 4]
    write(0, "a 8\n")
    assert row(made, place) == [8, 5, 6, 4]
    clock.now += 30 * SECOND
    assert row(made, place) == [8, 5, 6, 7]
    write(2, "d 9\n")           # it has changed at the last reading
    assert row(made, place) == [8, 5, 6, 9]
    write(2, "d 9\n")
    assert row(made, place) == [8, 5, 6, 9]
    write(2, "d 10\n")
    assert row(made, place) == [8, 5, 6, 9]
    assert row(made, place, everything=True) == [8, 5, 6, 10]
    made.remove(place)


def test_a_file_that_comes_later_is_read_at_once(made, tmp_path):
    write, place = files(made, tmp_path)
    made.lose(place, 1)
    assert row(made, place) == row(made, place) == [1, MISSING, MISSING, 4]
    write(1, "b 5\n")
    made.put(place, 1, os.open(str(tmp_path / "1"), os.O_RDONLY | os.O_CLOEXEC))
    assert row(made, place) == [1, 5, MISSING, 4]
    made.remove(place)


def test_rows_are_made_of_what_was_picked(made, tmp_path):
    _, place = files(made, tmp_path, (3, 0, 4, 4))
    assert row(made, place) == [4, 1, MISSING, MISSING]
    made.remove(place)


def test_many_sets_come_and_go(made, tmp_path):
    before = descriptors()
    places = []
    for number in range(100):
        write, place = files(made, tmp_path / str(number))
        write(0, "a %d\n" % number)
        places.append(place)
    wanted = array("i", places[::-3])
    rows, faults = made.read(wanted)
    assert not faults and rows == [[number, 2, 3, 4] for number in range(99, -1, -3)]
    assert made.opened == 300 and len(set(places)) == 100
    for place in places:
        made.remove(place)
    assert made.opened == 0 and descriptors() == before
    assert row(made, made.add()) == [MISSING] * 4       # nothing of who had the place before


def test_a_file_that_cannot_be_read_leaves_its_numbers(made, tmp_path):
    write, place = files(made, tmp_path)
    other = files(made, tmp_path / "other")[1]
    assert row(made, place) == [1, 2, 3, 4]
    made.lose(place, 0)
    made.put(place, 0, os.open(str(tmp_path), os.O_RDONLY | os.O_CLOEXEC))      # EISDIR
    write(2, "d 7\n")
    rows, faults = made.read(array("i", [other, place]), True)
    assert rows == [[1, 2, 3, 4], [1, 2, 3, 7]] and faults == [(1, 0)]
    made.lose(place, 0)
    assert row(made, place) == [1, 2, 3, 7]
    made.remove(place)
    made.remove(other)


def test_none_give_none(made):
    assert made.read(array("i")) == ([], [])
