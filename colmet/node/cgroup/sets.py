"""Many sets of the same files that stay open, read in one call of C: of each set what may have changed (lib_files)."""
import os

from colmet.common.schema import MISSING
from colmet.node import compiled
from colmet.node.clock import boottime
from colmet.node.numbers import in_c

_ROOM = 16                      # sets, at first


class Sets:
    """`fields` (`colmet.node.numbers.Field`) are wanted of each set, in the order of its files; `after` and `patience`
    (ns) tell when a file is read, `width` is that of a row: as lib_files/files.h says. `helper` is lib_files."""

    def __init__(self, helper, fields, after, width, patience):
        self._ffi, self._lib = helper.ffi, helper.lib
        opened = self._ffi.new("struct files **")
        compiled.check(self._lib.files_open(opened, b"/"))
        self._files = opened[0]
        wanted, self._words = in_c(self._ffi, fields)
        self._number, self._count, self._width = len(after), len(fields), width
        self._live = {"fields": wanted, "after": self._ffi.new("int32_t[]", after),
                      "scratch": self._ffi.new("int64_t[]", self._count)}       # what C points to must live as long
        self._sets = self._ffi.new("struct files_sets *", dict(
            self._live, number=self._number, count=self._count, width=width, patience=patience))
        self._free, self._room = [], 0          # places that nobody has; how many there are
        self.opened = 0                         # files

    def add(self):
        """The place of a new set, of which no file is open."""
        if not self._free:
            self._grow(2 * self._room or _ROOM)
        place = self._free.pop()
        for file in range(place * self._number, (place + 1) * self._number):
            self._sets.fds[file], self._sets.changed[file], self._sets.due[file] = -1, b"\1", 0
        first = place * (self._count + 1)
        self._sets.cells[first:first + self._count + 1] = [MISSING] * (self._count + 1)
        return place

    def put(self, place, file, fd):
        """The `file` of the set at `place` is open as `fd`."""
        self._sets.fds[place * self._number + file] = fd
        self.opened += 1

    def lose(self, place, file):
        """Close it, if it is open; the numbers that it gave last stay."""
        fd = self._sets.fds[place * self._number + file]
        if fd >= 0:
            self._sets.fds[place * self._number + file] = -1
            self.opened -= 1
            os.close(fd)

    def pick(self, place, picks):
        """Make its rows of the numbers at the places `picks` among the fields; one past the last is never known."""
        self._sets.picks[place * self._width:(place + 1) * self._width] = picks

    def remove(self, place):
        """Close what is open of it."""
        for file in range(self._number):
            self.lose(place, file)
        self._free.append(place)

    def read(self, places, everything=False):
        """(rows, faults) of the sets at `places`: lists of numbers, and [(place among `places`, file)] of files that
        could not be read. `everything`: whatever may have changed or not."""
        count = len(places)
        answers = self._ffi.new("int32_t[]", count * self._number or 1)
        cells = self._ffi.new("int64_t[]", count * self._width or 1)
        failed = compiled.check(self._lib.files_rows(
            self._files, self._sets, compiled.ids(self._ffi, places), count, boottime(), everything, answers, cells))
        found, width = self._ffi.unpack(cells, count * self._width) if count else [], self._width
        faults = enumerate(self._ffi.unpack(answers, count * self._number)) if failed else ()
        return ([found[first:first + width] for first in range(0, count * width, width)],
                [divmod(place, self._number) for place, answer in faults if answer < 0])

    def close(self):
        """Free the memory; the files are closed by `remove`."""
        self._lib.files_close(self._files)
        self._files = self._ffi.NULL

    def _grow(self, room):
        """Make room for so many sets."""
        for name, kind, size in (("fds", "int32_t", self._number), ("changed", "char", self._number),
                                 ("due", "int64_t", self._number), ("cells", "int64_t", self._count + 1),
                                 ("picks", "int32_t", self._width)):
            grown = self._ffi.new(kind + "[]", room * size)
            if self._room:
                self._ffi.memmove(grown, self._live[name], self._ffi.sizeof(self._live[name]))
            self._live[name] = grown
            setattr(self._sets, name, grown)
        self._free += range(room - 1, self._room - 1, -1)
        self._room = room
