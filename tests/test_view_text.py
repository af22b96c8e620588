"""Numbers as people read them."""
import io

import pytest

from colmet.view import text

MS = 10 ** 6


@pytest.mark.parametrize("nanoseconds, words", [
    (0, "0.00 s"), (3_140_000, "3.1 ms"), (420 * MS, "0.42 s"), (12_440 * MS, "12.4 s"), (59_960 * MS, "1 min 00.0 s"),
    (72_400 * MS, "1 min 12.4 s"), (7_800_000 * MS, "2 h 10 min"), (3_599_990 * MS, "1 h 00 min"),
    (3_700_000_000 * MS, "1 027 h 47 min"),
])
def test_durations(nanoseconds, words):
    assert text.duration(nanoseconds) == words


@pytest.mark.parametrize("number, words", [
    (0, "0 B"), (1023, "1023 B"), (3482, "3.4 KiB"), (64 * 2 ** 20, "64.0 MiB"), (1204 * 2 ** 20, "1 204 MiB"),
    (12 * 2 ** 30, "12.0 GiB"),
])
def test_sizes(number, words):
    assert text.size(number) == words


def test_a_rule_is_80_columns_wide_whatever_the_title():
    for title in ("make -j4", "x" * 200, ""):
        assert len(text.rule("colmet", title, io.StringIO())) == 80


def test_a_rule_for_a_plain_terminal_is_plain():
    plain = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert text.rule("colmet", "make", plain).isascii()
    utf8 = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    assert text.rule("colmet", "make", utf8).startswith("── colmet ")


def test_a_command_line_cannot_steer_the_terminal():
    assert "\x1b" not in text.rule("colmet", "\x1b[2J\nrm", io.StringIO())


def test_notes_are_folded_below_their_label():
    lines = text.note("word " * 40).splitlines()
    assert lines[0].startswith("note       word") and all(line.startswith(" " * 11) for line in lines[1:])
    assert max(map(len, lines)) <= 80
