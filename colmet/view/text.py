"""What people read on a terminal: numbers, lines and notes of one width."""
import shutil
import sys
import textwrap

from colmet.common.quantities import NS_PER_S, count, duration, size     # noqa: F401  for who writes with this module

WIDTH = 80
LABEL = 11                          # columns before the first number


def rule(left, right, stream=sys.stderr):
    """A line across with two titles in it: what stands in `right` gives way where it is too long."""
    dash = "─" if can_write("─", stream) else "-"
    right = printable(right)
    room = WIDTH - len(left) - 14
    if len(right) > room:
        right = right[:room - 3] + "..."
    start = dash * 2 + " " + left + " "
    end = " " + right + " " + dash * 2
    return start + dash * (WIDTH - len(start) - len(end)) + end


def row(label, *cells):
    """A line of the account: a label and cells that start in fixed columns."""
    columns = "".join("%-19s" % cell for cell in cells[:-1]) + cells[-1]
    return ("%-*s%s" % (LABEL, label, columns)).rstrip()


def note(text, label="note"):
    """`text` under `label` in as many lines as it takes."""
    return textwrap.fill(text, WIDTH, initial_indent="%-*s" % (LABEL, label), subsequent_indent=" " * LABEL,
                         break_long_words=False, break_on_hyphens=False)


def printable(text):
    """`text` without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def can_write(text, stream):
    """Whether the encoding of `stream` has the letters of `text`."""
    try:
        text.encode(getattr(stream, "encoding", None) or "ascii")
        return True
    except UnicodeEncodeError:
        return False


def terminal_width():
    """Columns of the terminal, 80 at most."""
    return min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns)
