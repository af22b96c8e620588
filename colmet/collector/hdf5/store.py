"""Windows, and the fixed file: when what was read is to be written, where to, and up to where the journal is stored.

Both commit by one rename: the file that appears carries, as attributes of its root, the position in the journal up
to which all is stored. After a crash the journal is read again from the highest position that a file tells.
"""
import contextlib
import os
import shutil
import time
from pathlib import Path

import numpy
from h5py import h5a, h5g

from colmet import __version__
from colmet.collector.hdf5 import target as names
from colmet.collector.hdf5.append import POSITION, START, Appending, is_ours
from colmet.collector.hdf5.file import open_read, system_errors
from colmet.collector.hdf5.target import Refused
from colmet.collector.log import log, tell

WINDOW_BYTES = 2 ** 30          # of the journal, that a file covers at most
HELD_BYTES = 512 * 2 ** 20      # of cells in memory, at which it is written before
NEWEST = 64                     # files whose positions are read at the start
LOOK_EVERY = 5.0                # s between looks at the journal, at most: it is read at less cost in long pieces
SMALL = 4 * 2 ** 20             # bytes; a fixed file below is written anew every few seconds
FEW_SECONDS = 5.0
SHARE = 0.1                     # of the time, at most, that writing a small file anew may take
GROWTH = 0.05                   # new data, as a part of the file, for which a larger one is written anew
PACKED = 4                      # cells take so many times the space that they take in a file, about


def opener(settings):
    """What makes the file to write from (temporary path, older file or None, about its size in bytes): by h5py, or
    for another compressor than zlib by PyTables, which is slow and said so. Raises Refused."""
    if settings.hdf5_complib == "zlib" or not settings.hdf5_complevel:
        return lambda path, old, size: Appending(path, settings.hdf5_complevel, old, size)
    from colmet.collector.hdf5 import pytables as hdf5_pytables  # slow to load, and needed for other compressors only
    return hdf5_pytables.opener(settings)


class Windows:
    """Files ``PATH.<unix time>.hdf5``, each made once, named for the second in which its first entry arrived."""

    def __init__(self, settings):
        self.path = settings.hdf5_filepath
        self._seconds = settings.hdf5_window
        self.look_every = min(LOOK_EVERY, self._seconds / 4)
        self._open = opener(settings)
        self.position = _newest_position(self.path)

    def due(self, window, span):
        """Whether `window` is to be written, whose entries are the `span` of the journal, up to now."""
        age = time.time_ns() - span.arrival
        return self.full(window, span) or not 0 <= age < self._seconds * 10 ** 9

    def full(self, window, span, arrival=None):
        """Whether an entry of time `arrival` belongs to another window than `window`."""
        late = arrival is not None and arrival - span.arrival >= self._seconds * 10 ** 9
        return late or window.bytes >= HELD_BYTES or span.end - span.start >= WINDOW_BYTES

    def write(self, window, span):
        """Store `window`. Raises OSError."""
        seconds = span.arrival // 10 ** 9
        while True:
            final = names.timed_name(self.path, seconds)
            if not final.exists() or _attribute(final, START) == span.start:
                break
            seconds += 1
        _write(self._open, final, None, window, {START: span.start, POSITION: span.end})
        self.position = span.end


class Fixed:
    """One file, written anew with what came; above its largest size it is set aside and a new one begins."""

    look_every = FEW_SECONDS / 5    # s between looks at the journal

    def __init__(self, settings):
        self.path = Path(os.path.realpath(settings.hdf5_filepath))
        self._largest = settings.hdf5_max_size
        self._open = opener(settings)
        self._last, self._took = time.monotonic(), 0.0
        if self.path.exists():
            _check_old(self.path, self._largest)
        own = _attribute(self.path, POSITION) if self.path.exists() else None
        self.position = max(own or 0, _newest_position(self.path))

    def due(self, window, span):
        """Whether `window` is to be written now."""
        size = self._size()
        if self.full(window, span) or window.bytes / PACKED >= max(size, SMALL) * GROWTH:
            return True
        return size < SMALL and time.monotonic() - self._last >= max(FEW_SECONDS, self._took / SHARE)

    def full(self, window, span, arrival=None):
        """Whether `window` can take no more."""
        return window.bytes >= HELD_BYTES or span.end - span.start >= WINDOW_BYTES

    def write(self, window, span):
        """Store `window`. Raises OSError."""
        began = time.monotonic()
        old = self.path if self.path.exists() else None
        if old and self._size() > self._largest:
            aside = names.set_aside(old)
            tell("%s is above --hdf5-max-size; it is now %s, and a new file begins" % (self.path, aside.name))
            old = None
        _write(self._open, self.path, old, window, {POSITION: span.end})
        self.position = span.end
        self._last = time.monotonic()
        self._took = self._last - began

    def _size(self):
        return self.path.stat().st_size if self.path.exists() else 0


def _write(open_file, final, old, window, attributes):
    """Write `window` beside `final`, after what the file `old` holds, and rename it when it is on disk."""
    temporary = names.hidden(final)
    size = window.bytes // PACKED + (old.stat().st_size if old else 0)
    try:
        with system_errors():
            _fill(open_file(temporary, old, size), window, dict(attributes, colmet_version=__version__), old)
        if old:
            _same_owner(temporary, old)
        names.put(temporary, final)
    except OSError:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise


def _fill(file, window, attributes, old):
    try:
        if old:
            file.adopt()
        sink = None
        for piece in window.pieces():
            if piece.start == 0:
                if sink:
                    sink.finish()
                sink = file.sink(piece.job, piece.layout, piece.total)
            sink.add(piece.rows)
        if sink:
            sink.finish()
        file.describe(window.mappings)
        file.set(attributes)
        file.close()
    except (OSError, RuntimeError):
        file.abandon()
        raise


def _same_owner(path, old):
    shutil.copymode(old, path)
    facts, mine = os.stat(old), os.stat(path)
    if (facts.st_uid, facts.st_gid) != (mine.st_uid, mine.st_gid):
        with contextlib.suppress(PermissionError):      # only root may give files away
            os.chown(path, facts.st_uid, facts.st_gid)


def _check_old(path, largest):
    """Raise Refused where the fixed file `path` cannot be gone on with. One of 0.6 that is above the largest size
    is set aside."""
    try:
        source = open_read(path)
    except OSError as error:
        if "already open for write" in str(error):
            raise Refused("%s is open for writing in another program; close it there, or if that program died run "
                          "h5clear -s %s" % (path, path)) from None
        raise Refused("%s is damaged: HDF5 cannot open it; move it away, or give another path; nothing was changed"
                      % path) from None
    ours = is_ours(source)
    source.close()
    if ours:
        return
    names.check_not_held(path)
    if path.stat().st_size > largest:
        aside = names.set_aside(path)
        if path.exists():
            path.unlink()
        tell("%s of Colmet 0.6 is above --hdf5-max-size: it is now %s, and a new file begins" % (path, aside.name))
    else:
        tell("%s of Colmet 0.6 is continued; columns that it lacks are added when it is first written" % path)


def _newest_position(path):
    newest = sorted(names.timed(path), key=lambda file: file.stat().st_mtime_ns)[-NEWEST:]
    return max((_attribute(file, POSITION) or 0 for file in newest), default=0)


def _attribute(path, name):
    """An int attribute of the root of the HDF5 file `path`; None where it has none, or cannot be read."""
    try:
        file = open_read(path)
    except OSError as error:
        log.error("%s: cannot be read (%s); what it holds may be stored again", path, " ".join(str(error).split()))
        return None
    try:
        root = h5g.open(file, b"/")
        if not h5a.exists(root, name.encode()):
            return None
        value = numpy.zeros((), "<i8")
        h5a.open(root, name.encode()).read(value)
        return int(value)
    finally:
        file.close()
