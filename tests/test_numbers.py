"""Numbers by name: the parser on texts of the kernel, and files that stay open."""
import errno
import os
from contextlib import closing

import pytest

from colmet.common.schema import MISSING
from colmet.node import compiled
from colmet.node.numbers import Field, Firsts, Numbers, parse
from loads import descriptors

IO_STAT = b"8:0 rbytes=90112 wbytes=8192 rios=3\n253:1 rbytes=5 wbytes=9223372036854775807 rios=1\n"


def test_a_word_stands_before_its_numbers():
    text = b"MemTotal:       24682416 kB\nActive(anon): 7 kB\ncpu  1 2 3\ncpu0 4 5 6\nusage_usec 77\n"
    fields = [Field(0, "memtotal"), Field(0, "Active"), Field(0, "active(anon)"), Field(0, "cpu", 2),
              Field(0, "cpu", 3), Field(0, "usage_usec"), Field(0, "usec"), Field(0, "kB")]
    assert parse(text, fields) == [24682416, MISSING, 7, 3, MISSING, 77, MISSING, MISSING]


def test_a_word_that_comes_again_is_summed_up_to_the_greatest_number():
    assert parse(IO_STAT, [Field(0, "rbytes"), Field(0, "wbytes"), Field(0, "rios")]) == [90117, 2 ** 63 - 1, 4]


def test_a_line_is_told_by_its_first_word():
    text = b"some avg10=0.06 avg60=0.21 total=8537362\nfull avg10=0.00 total=41\n"
    fields = [Field(0, "total", line="some"), Field(0, "total", line="full"),
              Field(0, "avg10", decimals=2, line="some"), Field(0, "total"), Field(0, "total", line="none"),
                  Field(0, "total", decimals=3, line="full")]
    assert parse(text, fields) == [8537362, 41, 6, 8537403, MISSING, 41000]


def test_fractions_are_cut_or_taken_as_asked():
    fields = [Field(0, ""), Field(0, "", 1, 2), Field(0, "", 2, 2), Field(0, "", 3, 1)]
    assert parse(b"3675.92 0.3 0.219 5/347\n", fields) == [3675, 30, 21, 50]


@pytest.mark.parametrize("text", [b"", b"\n", b"a", b"a\n1", b"a: b 1", b"a -1", b"\0a 1", b"a\0 1", b"1 2\n"])
def test_what_is_not_there_is_not_known(text):
    assert parse(text, [Field(0, "a")]) == [MISSING]


def test_open_files_are_read_anew_in_one_call(tmp_path):
    (tmp_path / "one").write_text("a 1\n")
    (tmp_path / "two").write_text("a 2\n" + "b 0\n" * 10_000 + "c 3\n")
    before = descriptors()
    numbers = Numbers(compiled.load("_files"), tmp_path, ("one", "none", "two"),
                      [Field(0, "a"), Field(1, "a"), Field(2, "a"), Field(2, "c")])
    assert numbers.there == ["one", "two"] and numbers.read() == [1, MISSING, 2, 3]
    (tmp_path / "one").write_text("a 4\n")
    assert numbers.read() == [4, MISSING, 2, 3]
    numbers.close()
    assert descriptors() == before


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    (tmp_path / "folder").mkdir()
    numbers = Numbers(compiled.load("_files"), tmp_path, ("folder",), [Field(0, "a")])
    with pytest.raises(IsADirectoryError):
        numbers.read()
    numbers.close()


@pytest.fixture(name="first")
def _first(tmp_path):
    """first(text or bytes, ..., alone=False, states=None): what lib_files finds in files of these texts."""
    opened = []

    def open_(text):
        (tmp_path / str(len(opened))).write_bytes(text if isinstance(text, bytes) else text.encode())
        opened.append(os.open(tmp_path / str(len(opened)), os.O_RDONLY))
        return opened[-1]

    def first(*texts, alone=False, states=None):
        with closing(Firsts(compiled.load("_files"), alone)) as firsts:
            return firsts.read([open_(text) for text in texts], states and [open_(text) for text in states])
    yield first
    for fd in opened:
        os.close(fd)


@pytest.mark.parametrize("text, number, alone", [
    ("4: ACTIVE\n", 4, None), ("12 000", 12, None), ("0x20", 0, None), ("  7\n", 7, 7), ("-5\n", None, -5),
    ("-0", None, 0), ("0" * 30 + "17\n", 17, 17), (str(2 ** 62), 2 ** 62, 2 ** 62), (str(2 ** 64), None, None),
    ("-" + "9" * 30, None, None), ("", None, None), ("-", None, None), ("- 5", None, None), ("\n", None, None),
    ("+5", None, None), ("N/A", None, None), (b"\0", None, None), (b"5\0", 5, None), ("1_000", 1, None),
    ("3.5", 3, None), ("\t 6 \r\n\n", 6, 6), ("5\n6\n", 5, None)])
def test_the_number_with_which_a_file_begins_or_that_is_all_of_it(text, number, alone, first):
    assert first(text, "8\n") == [(number, 0), (8, 0)]
    assert first(text, "8\n", alone=True) == [(alone, 0), (8, 0)]


def test_files_of_a_device_that_sleeps_are_not_read(first):
    states = ["suspended\n", "active\n", "suspending\n", "suspende", "", "suspended"]
    assert first(*"123456", states=states) == [
        (None, errno.EAGAIN), (2, 0), (3, 0), (4, 0), (5, 0), (None, errno.EAGAIN)]


def test_what_cannot_be_read_says_why_and_costs_the_others_nothing(tmp_path):
    fds = [os.open(path, os.O_RDONLY) for path in (tmp_path, "/proc/self/mem", "/proc/self/oom_score_adj")]
    (tmp_path / "removed").write_text("7\n")
    fds += [os.open(tmp_path / "removed", os.O_RDONLY), -1]
    (tmp_path / "removed").unlink()
    with closing(Firsts(compiled.load("_files"), alone=True)) as firsts:
        found = firsts.read(fds)
        assert [code for _, code in found] == [errno.EISDIR, errno.EIO, 0, errno.ENODEV, 0]
        assert found[2][0] is not None and [found[place][0] for place in (0, 1, 3, 4)] == [None] * 4
        in_turn = firsts.read([fds[2]] * 5, [fds[3], fds[1], fds[2], fds[2], -1])     # what the states say
        assert [code for _, code in in_turn] == [errno.ENODEV, errno.EIO, 0, 0, 0]
    for fd in fds[:-1]:
        os.close(fd)
