"""The file of a recording: a line, a head, then blocks of entries, one for each tick, each whole or not there.

    colmet recording 1\\n
    length (u32), CRC-32 of what follows (u32), the head: JSON, deflated
    length, CRC-32, a block: JSON list of entries, deflated; and so on

An entry is [thread, kind, key, fault, answer]: `thread` a number, 0 the one that ticks; `kind` the function that was
asked, `key` what for; `fault` whether `answer` is what it raised. Bytes are {"b": text of Latin-1}.
"""
import json
import os
import struct
import time
import zlib
from pathlib import Path

from colmet import __version__
from colmet.common.quantities import MIB
from colmet.node.taping import Unreadable

VERSION = 1
SUFFIX = ".colmet"
_TITLE, _FRAME = b"colmet recording ", struct.Struct("<II")
_LONGEST = 1 << 30              # bytes of a block: no machine has so much to tell at a tick


def _plain(value):
    if isinstance(value, (bytes, bytearray)):
        return {"b": value.decode("latin-1")}
    raise TypeError("%r cannot be recorded" % type(value))


def _bytes(found):
    return found["b"].encode("latin-1") if found.keys() == {"b"} else found


def _packed(value):
    data = zlib.compress(json.dumps(value, default=_plain, separators=(",", ":")).encode(), 1)
    return _FRAME.pack(len(data), zlib.crc32(data)) + data


class Writer:
    """A new recording in the directory `folder` (text), of a node that was started with `argv`. All recordings there
    take at most `most` MiB together. Raises OSError."""

    def __init__(self, folder, most, argv):
        os.makedirs(folder, 0o700, exist_ok=True)
        self._left = most * MIB - sum(path.stat().st_size for path in Path(folder).glob("*" + SUFFIX))
        self.path = os.path.join(folder, time.strftime("%Y%m%dT%H%M%S", time.gmtime()) + "-%d" % os.getpid() + SUFFIX)
        self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        head = {"argv": list(argv), "colmet": __version__, "time": time.time(), "kernel": os.uname().release}
        self._write(_TITLE + b"%d\n" % VERSION + _packed(head))

    def write(self, entries):
        """Append a block; False where there is no room for it."""
        return self._write(_packed(entries))

    def close(self):
        """Free the descriptor."""
        os.close(self._fd)

    def _write(self, data):
        if len(data) > self._left:
            return False
        self._left -= len(data)
        while data:
            data = data[os.write(self._fd, data):]
        return True


class Reader:
    """The recording at `path`, or the only one in that directory. `head` is a dict; `cut` becomes true where it ends
    within a block. Raises Unreadable, OSError."""

    def __init__(self, path):
        self.path, self.cut = _only(path), False
        self._file = open(self.path, "rb")
        try:
            title = self._file.readline(100)
            if not title.startswith(_TITLE) or not title.endswith(b"\n"):
                raise Unreadable("--replay %s: no recording of colmet-node; name one that --record made" % self.path)
            if title[len(_TITLE):-1] != b"%d" % VERSION:
                raise Unreadable("--replay %s: of version %s, this colmet-node reads version %d; replay it with the "
                                 "release that made it" % (self.path, title[len(_TITLE):-1].decode("latin-1"),
                                                               VERSION))
            self.head = self.block()
            if not isinstance(self.head, dict) or not isinstance(self.head.get("argv"), list):
                raise Unreadable("--replay %s: ends within its head; name another" % self.path)
        except Unreadable:
            self.close()
            raise

    def block(self):
        """The next one; None at the end, and where the rest is not whole."""
        frame = self._file.read(_FRAME.size)
        if not frame:
            return None
        length, crc = _FRAME.unpack(frame) if len(frame) == _FRAME.size else (0, 0)
        data = self._file.read(min(length, _LONGEST))
        try:
            if not data or len(data) != length or zlib.crc32(data) != crc:
                raise ValueError
            inflate = zlib.decompressobj()
            return json.loads(inflate.decompress(data, _LONGEST), object_hook=_bytes)
        except (ValueError, zlib.error):
            self.cut = True
            return None

    def close(self):
        """Free the descriptor."""
        self._file.close()


def _only(path):
    path = Path(path)
    if not path.is_dir():
        return path
    found = sorted(path.glob("*" + SUFFIX))
    if len(found) != 1:
        raise Unreadable("--replay %s: has %s; name the file" % (path, "%d recordings: %s" % (
            len(found), ", ".join(each.name for each in found)) if found else "no recording"))
    return found[0]
