"""The journal: append-only segments on disk that outlive any crash, written by one process, read by many.

A directory holds segments ``<20-digit start position>.journal``. A position is a byte offset that only grows,
over all segments. An entry, little-endian: u32 length of what follows the checksum, u32 CRC-32 of that, u8 kind,
u64 arrival (ns, wall clock), payload. `Journal` writes and holds the lock; `read` needs no lock.
"""
import errno
import fcntl
import os
import struct
import time
import zlib
from pathlib import Path
from typing import NamedTuple

SCHEMAS = 1                         # payload: JSON of `wire.schemas(tables)`
NATIVE = 2                          # payload: `wire.join` of a batch's frames
LEGACY = 3                          # payload: a message of Colmet 0.6
SEGMENT_BYTES = 64 * 2 ** 20
SUFFIX = ".journal"
LOCK = "lock"
_HEAD = struct.Struct("<IIBQ")      # length, crc, kind, arrival
_BODY = struct.Struct("<BQ")
_PREFIX = _HEAD.size - _BODY.size   # bytes that `length` does not count
_READ_AHEAD = 2 ** 20
_GLANCE = 0.05                      # s


class Locked(OSError):
    """Another process writes this journal."""


class Entry(NamedTuple):
    """One entry; `next` is the position after it, `arrival` the wall clock in ns when it was received."""
    position: int
    next: int
    kind: int
    arrival: int
    payload: bytes


class Journal:
    """The writing end. Raises OSError where the directory cannot be used, `Locked` where another process writes
    it. What a crash left unfinished at the very end is cut off at opening: `cut` is its length in bytes;
    `damaged` says that the last segment is broken further up, and is left as it is."""

    def __init__(self, directory, segment_bytes=SEGMENT_BYTES):
        self.directory = Path(directory)
        self.segment_bytes = segment_bytes
        self.cut, self.damaged = 0, False
        self.directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        self._lock = os.open(self.directory / LOCK, os.O_RDWR | os.O_CREAT, 0o640)
        self._file = -1
        try:
            _lock(self._lock, self.directory)
            self._open_last()
        except OSError:
            self.close()
            raise

    @property
    def start(self):
        """Position of the oldest entry kept."""
        return segments(self.directory)[0]

    @property
    def end(self):
        """Position after the last entry."""
        return self._segment + self._size

    @property
    def bytes(self):
        """Room that it takes on disk."""
        return sum(_size(self.directory, start) for start in segments(self.directory))

    @property
    def segment(self):
        """Start of the segment that the next entry goes to."""
        return self._segment if self._size < self.segment_bytes else self.end

    def append(self, kind, payload, arrival=None):
        """Write an entry, visible to readers at once and durable after `sync`; returns the position after it.
        Raises OSError (ENOSPC on a full disk) and then leaves the journal as it was."""
        if self._size >= self.segment_bytes:
            self._begin(self.end)
        arrival = time.time_ns() if arrival is None else arrival
        crc = zlib.crc32(payload, zlib.crc32(_BODY.pack(kind, arrival)))
        head = _HEAD.pack(_BODY.size + len(payload), crc, kind, arrival)
        try:
            self._size += _write(self._file, [head, payload], self._size)
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        return self.end

    def sync(self):
        """Make all that was appended durable (fdatasync). After an OSError nobody knows what is on the disk:
        the journal is to be closed and opened again."""
        os.fdatasync(self._file)

    def advance(self, position):
        """Go on at `position` at least: positions that a reader has passed are never used again."""
        if position > self.end:
            self._begin(position)

    def free(self, position):
        """Remove the segments that lie wholly below `position`, but never the one being written."""
        starts = segments(self.directory)
        for start, following in zip(starts, starts[1:]):
            if following <= position:
                _path(self.directory, start).unlink()

    def close(self):
        """Give up files and lock."""
        for descriptor in (self._file, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._lock = -1

    def _open_last(self):
        starts = segments(self.directory)
        if not starts:
            self._begin(0)
            return
        self._segment = starts[-1]
        self._file = os.open(_path(self.directory, self._segment), os.O_RDWR)
        size = os.fstat(self._file).st_size
        self._size = _sound_bytes(self.directory, self._segment)
        if self._size < size and _whole_entry(self._file, self._size, size):
            self.damaged = True
            self._begin(self._segment + size)
        elif self._size < size:
            self.cut = size - self._size
            os.ftruncate(self._file, self._size)
            os.fsync(self._file)

    def _begin(self, position):
        """Begin the segment at `position`; the one before it is made durable first, so that only the last
        segment of a journal can have an unfinished end."""
        if self._file >= 0:
            os.fsync(self._file)
        file = os.open(_path(self.directory, position), os.O_RDWR | os.O_CREAT, 0o640)
        if self._file >= 0:
            os.close(self._file)
        self._file, self._segment, self._size = file, position, 0
        _sync_directory(self.directory)


def read(directory, position=0, skipped=None):
    """Iterate over the entries from `position` on, which must be one that an `Entry` or `append` gave. Ends where
    the journal ends for now, or in the middle of an entry being written; call it again for more. Where `position`
    was freed it starts at the oldest entry. A segment that is broken before its end is left for the next one:
    `skipped(position, bytes)` is then called."""
    starts = segments(directory)
    ends = starts[1:] + [None]
    for start, end in zip(starts, ends):
        if end is not None and end <= position:
            continue
        place = max(position, start)
        try:
            for entry in _entries(_path(directory, start), start, place):
                yield entry
                place = entry.next
        except FileNotFoundError:       # freed since it was listed
            continue
        size = _size(directory, start)
        if end is not None and place < start + size and skipped:
            skipped(place, start + size - place)


def settle(directory):
    """Make durable all that was read so far, from the process of a reader: what a writer commits must not be taken
    back by a loss of power. Only the last segment can hold what is not (`Journal` syncs each that it leaves)."""
    for start in segments(directory)[-1:]:
        descriptor = os.open(_path(directory, start), os.O_RDONLY)
        try:
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)


def segments(directory):
    """Sorted start positions of the segments in `directory`, [] where there is no such directory."""
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    return sorted(int(name[:-len(SUFFIX)]) for name in names if name.endswith(SUFFIX) and name[:20].isdigit())


def _entries(path, start, position):
    with open(path, "rb") as file:
        file.seek(position - start)
        left = os.fstat(file.fileno()).st_size - (position - start)
        data, place = b"", 0                # what was read of the file, and where in it the next entry begins
        while left >= _HEAD.size:
            if len(data) - place < _HEAD.size:
                data, place = data[place:] + file.read(_READ_AHEAD), 0
                if len(data) < _HEAD.size:      # what was being written was taken back
                    return
            length, crc, kind, arrival = _HEAD.unpack_from(data, place)
            size = _PREFIX + length
            if length < _BODY.size or size > left:
                return
            if len(data) - place < size:
                data, place = data[place:] + file.read(max(size, _READ_AHEAD)), 0
            if zlib.crc32(memoryview(data)[place + _PREFIX:place + size]) != crc:
                return
            yield Entry(position, position + size, kind, arrival, data[place + _HEAD.size:place + size])
            position, place, left = position + size, place + size, left - size


def _sound_bytes(directory, start):
    end = start
    for entry in _entries(_path(directory, start), start, start):
        end = entry.next
    return end - start


def _whole_entry(file, place, size):
    """Whether an entry that is not the last begins at `place`: then it is damaged, not unfinished."""
    head = os.pread(file, _HEAD.size, place)
    if len(head) < _HEAD.size:
        return False
    length = _HEAD.unpack(head)[0]
    return length >= _BODY.size and place + _PREFIX + length < size


def _write(file, parts, place):
    """Write `parts` at `place`; returns their size."""
    written = os.pwritev(file, parts, place)
    size = sum(map(len, parts))
    left = size - written
    while left:                         # the disk took a part of it: the rest says why
        place += written
        parts = [b"".join(parts)[-left:]]
        written = os.pwritev(file, parts, place)
        left -= written
    return size


def in_use(directory):
    """Whether a process writes the journal in `directory`. Raises PermissionError."""
    try:
        with open(Path(directory) / LOCK, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        pass
    return False


def _lock(descriptor, directory):
    for last in (False, True):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if last:
                raise Locked(errno.EAGAIN, "in use by another collector", str(directory)) from None
            time.sleep(_GLANCE)         # it may be one who only looks, `in_use`


def _path(directory, start):
    return Path(directory) / ("%020d%s" % (start, SUFFIX))


def _size(directory, start):
    try:
        return os.stat(_path(directory, start)).st_size
    except FileNotFoundError:
        return 0


def _sync_directory(directory):
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
