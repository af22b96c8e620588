"""Numbers by name: the parser on texts of the kernel, and files that stay open."""
import pytest

from colmet.common.schema import MISSING
from colmet.node import compiled
from colmet.node.numbers import Field, Numbers, parse
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
