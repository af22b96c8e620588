"""Numbers by name from files of the kernel that stay open, all read in one call of C (lib_files).

For texts in which a word stands before its numbers, as /proc/meminfo, or memory.stat and io.stat of a cgroup.
"""
import os
from typing import NamedTuple

from colmet.common.schema import MISSING
from colmet.node import compiled


class Field(NamedTuple):
    """The number at `place`, 0 being the first, after the word `name` of the `file`: its place among those that are
    read together. "" is the start of the text; with `decimals` the number is in tenths, hundredths, ...; `line` is the
    word with which its line begins, "" where that makes no difference."""
    file: int
    name: str
    place: int = 0
    decimals: int = 0
    line: str = ""


class Numbers:
    """The `fields`, which lie in the order of their files, of the files named `names` (texts) in the folder `root` (a
    Path). `there` are those that could be opened. `helper` is lib_files.
    Raises OSError without `root`."""

    def __init__(self, helper, root, names, fields):
        self._ffi, self._lib = helper.ffi, helper.lib
        opened = self._ffi.new("struct files **")
        compiled.check(self._lib.files_open(opened, os.fsencode(root)))
        self._files = opened[0]
        self._fields, self._names = in_c(self._ffi, fields)
        self._fds = self._ffi.new("int32_t[]", [_open(root / name) for name in names])
        self._answers = self._ffi.new("int32_t[]", len(names))
        self._cells = self._ffi.new("int64_t[]", len(fields))
        self.there = [name for name, fd in zip(names, self._fds) if fd >= 0]

    def read(self):
        """List of the fields' values now: `schema.MISSING` where a file does not have one. Raises OSError where one
        of the files cannot be read."""
        failed = compiled.check(self._lib.files_numbers(self._files, self._fds, self._answers, len(self._fds),
                                                        self._fields, len(self._cells), self._cells))
        for answer in self._answers if failed else ():
            compiled.check(answer)
        return self._ffi.unpack(self._cells, len(self._cells))

    def close(self):
        """Closes the files."""
        for fd in filter(lambda fd: fd >= 0, self._fds):
            os.close(fd)
        self._fds = ()
        self._lib.files_close(self._files)
        self._files = self._ffi.NULL


def _open(path):
    """A descriptor; -1 where there is no such file, or not for this user."""
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):
        return -1


def in_c(ffi, fields):
    """The fields as the helper takes them, and what must live as long: their words."""
    words = [[ffi.new("char[]", word.encode()) for word in (field.name, field.line)] for field in fields]
    return ffi.new("struct files_field[]", [(field.file, field.place, field.decimals, *pair)
                                            for field, pair in zip(fields, words)]), words


def parse(text, fields):
    """The values of `fields`, all of one file, in its `text` (bytes)."""
    helper = compiled.load("_files")
    wanted, _names = in_c(helper.ffi, fields)
    cells = helper.ffi.new("int64_t[]", len(fields))
    helper.lib.files_numbers_parse(text, len(text), wanted, len(fields), cells)
    return list(cells)


class Firsts:
    """The number with which each of many open files begins, or with `alone` that which is all of it and may be below 0:
    read in one call of C. `helper` is lib_files."""

    def __init__(self, helper, alone=False):
        self._ffi, self._lib, self._alone = helper.ffi, helper.lib, alone
        opened = self._ffi.new("struct files **")
        compiled.check(self._lib.files_open(opened, b"/"))
        self._files = opened[0]

    def read(self, fds, states=None):
        """[(number, errno)] of the open files `fds` (list of int; -1: None, 0): None where it begins with no number,
        or one too great. `states` are as many open files of the states of their devices, -1 where there is none: while
        one sleeps, its files are not read, and say EAGAIN. Of one that was removed the errno is ENODEV."""
        count, room = len(fds), self._ffi.new
        answers, cells = room("int32_t[]", count), room("int64_t[]", count)
        compiled.check(self._lib.files_firsts(
            self._files, room("int32_t[]", fds), self._ffi.NULL if states is None else room("int32_t[]", states), count,
            self._alone, answers, cells))
        return [(None if cell == MISSING else cell, -answer)
                for cell, answer in zip(self._ffi.unpack(cells, count), self._ffi.unpack(answers, count))]

    def close(self):
        """Frees the memory; the files are their owner's."""
        self._lib.files_close(self._files)
        self._files = self._ffi.NULL
