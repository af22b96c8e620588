"""Files, directories, descriptors that are waited for, inotify and ioctl, on the tape."""
import builtins
import fcntl
import io
import os
import select
import sys
from pathlib import Path

from colmet.node.jobs import watch
from colmet.node.tape.tape import VIRTUAL

_PIECE = 1 << 16
_LONGEST = 1 << 24              # bytes that are taken of a file: none of the kernel's is as long


def functions(tape):
    """As `colmet.node.tape.calls.functions`, of what is more than a function with an answer."""
    yield os, "open", opening(tape, os.open)
    yield os, "close", closing(tape, os.close)
    yield os, "scandir", scanning(tape, os.scandir)
    opened = files(tape, builtins.open)
    yield builtins, "open", opened
    yield Path, "open", lambda self, *arguments, **named: opened(self, *arguments, **named)
    yield Path, "read_text", lambda self, encoding=None, errors=None, **_: _whole(opened, self, "r", encoding=encoding,
                                                                                errors=errors)
    yield Path, "read_bytes", lambda self: _whole(opened, self, "rb")
    yield select, "poll", either(tape, select.poll, lambda real: Poll(tape, real))
    yield watch.pyinotify, "WatchManager", either(tape, watch.pyinotify.WatchManager, lambda real: Manager(tape, real))
    yield fcntl, "ioctl", control(tape, fcntl.ioctl)


def _whole(opened, path, mode, **named):
    with opened(path, mode, **named) as file:
        return file.read()


def either(tape, real, made):
    """`made(real)` for who is on the tape, `real()` for others."""
    def function(*arguments, **named):
        return made(real) if tape.listening(sys._getframe(1)) else real(*arguments, **named)
    return function


def opening(tape, real):
    """os.open."""
    def function(path, flags, mode=0o777, *, dir_fd=None):
        if not tape.listening(sys._getframe(1)):
            return real(path, flags, mode, dir_fd=dir_fd)
        name = os.fspath(path)
        if dir_fd is not None and isinstance(name, str):
            name = "%s/%s" % (tape.names.get(dir_fd, dir_fd), name)
        found = []
        tape.ask("os.open", name, lambda: found.append(real(path, flags, mode, dir_fd=dir_fd)))
        return tape.opened(name, found[0] if found else None)
    return function


def closing(tape, real):
    """os.close; that has no answer, and in a replay there is nothing to close."""
    def function(fd):
        tape.names.pop(fd, None)
        if not tape.replays or fd < VIRTUAL and not tape.rolling:
            real(fd)
    return function


class Entry:
    """As os.DirEntry."""

    def __init__(self, path, found):
        self.name, self._inode, self._link, self._kinds = found
        self.path = os.path.join(path, self.name)

    def is_dir(self, *, follow_symlinks=True):
        """As os.DirEntry's."""
        return self._kinds[0] if follow_symlinks else self._kinds[0] and not self._link

    def is_file(self, *, follow_symlinks=True):
        """As os.DirEntry's."""
        return self._kinds[1] if follow_symlinks else self._kinds[1] and not self._link

    def is_symlink(self):
        """As os.DirEntry's."""
        return self._link

    def inode(self):
        """As os.DirEntry's."""
        return self._inode

    def stat(self, *, follow_symlinks=True):
        """As os.DirEntry's."""
        return (os.stat if follow_symlinks else os.lstat)(self.path)

    def __fspath__(self):
        return self.path


class Entries(list):
    """What os.scandir gives."""

    def __enter__(self):
        return iter(self)

    def __exit__(self, *_):
        pass


def _kinds(entry):
    try:
        return [entry.is_dir(), entry.is_file()]
    except OSError:
        return [False, False]


def scanning(tape, real):
    """os.scandir."""
    def listed(path):
        with real(path) as entries:
            return [[entry.name, entry.inode(), entry.is_symlink(), _kinds(entry)] for entry in entries]

    def function(path="."):
        if not tape.listening(sys._getframe(1)):
            return real(path)
        path = os.fspath(path)
        return Entries(Entry(path, found) for found in tape.ask("os.scandir", path, lambda: listed(path)))
    return function


class Raw(io.RawIOBase):
    """The file at the descriptor `fd`, read as a whole by the first who wants something of it."""

    def __init__(self, tape, fd, name):
        super().__init__()
        self._tape, self._fd, self.name, self._text = tape, fd, name, None

    def readable(self):
        return True

    def fileno(self):
        return self._fd

    def readinto(self, room):
        if self._text is None:
            self._text = io.BytesIO(self._tape.ask("read", str(self.name), lambda: read(self._fd)))
        return self._text.readinto(room)

    def close(self):
        if not self.closed:
            super().close()
            os.close(self._fd)


def read(fd):
    """All of it, at most _LONGEST bytes."""
    text = piece = os.read(fd, _PIECE)
    while piece and len(text) < _LONGEST:
        piece = os.read(fd, _PIECE)
        text += piece
    return text


def files(tape, real):
    """open(); what is written to is no input: in a replay it goes nowhere."""
    def function(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None):
        if not tape.listening(sys._getframe(1)):
            return real(file, mode, buffering, encoding, errors, newline, closefd, opener)
        if mode.strip("bt") != "r":
            if tape.replays:
                return io.BytesIO() if "b" in mode else io.StringIO()
            return real(file, mode, buffering, encoding, errors, newline, closefd, opener)
        raw = Raw(tape, os.open(file, os.O_RDONLY | os.O_CLOEXEC), os.fspath(file))
        buffered = io.BufferedReader(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding or "utf-8", errors, newline)
    return function


class Poll:
    """As select.poll(): answers are the places of descriptors in the order in which they were registered."""

    def __init__(self, tape, real):
        self._tape, self._fds, self._real = tape, {}, None if tape.replays else real()

    def register(self, fd, mask):
        """As select.poll's."""
        self._fds[fd] = mask
        if self._real:
            self._real.register(fd, mask)

    def unregister(self, fd):
        """As select.poll's."""
        del self._fds[fd]
        if self._real:
            self._real.unregister(fd)

    def poll(self, timeout=None):
        """As select.poll's."""
        fds = list(self._fds)
        found = self._tape.ask("poll", "", lambda: [[fds.index(fd), event] for fd, event in self._real.poll(timeout)])
        return [(fds[place], event) for place, event in found]


class Manager:
    """As pyinotify.WatchManager, of which `colmet.node.jobs.watch` uses this."""

    def __init__(self, tape, real):
        self._tape, found = tape, []
        tape.ask("inotify", "", lambda: found.append(real()))
        self._real = found[0] if found else None
        self._fd = tape.opened("inotify", self._real and self._real.get_fd())

    def get_fd(self):
        """The descriptor of the events."""
        return self._fd

    def add_watch(self, path, mask, quiet=True):
        """{path: number of the watch}. Raises WatchManagerError."""
        return self._tape.ask("inotify.add_watch", path, lambda: self._real.add_watch(path, mask, quiet=quiet))

    def rm_watch(self, number):
        """It is watched no more; that has no answer."""
        if self._real:
            with self._tape.apart():
                self._real.rm_watch(number)

    def close(self):
        """Free the descriptor."""
        self._tape.names.pop(self._fd, None)
        if self._real:
            self._real.close()


def control(tape, real):
    """fcntl.ioctl: what it gives, and what it wrote into the buffer that it was given."""
    def function(fd, request, argument=0, mutate=True):
        if not tape.listening(sys._getframe(1)):
            return real(fd, request, argument, mutate)
        writable = mutate and isinstance(argument, (bytearray, memoryview)) or hasattr(argument, "typecode")

        def asked():
            given = real(fd, request, argument, mutate)
            return [given, bytes(argument) if writable else b""]
        given, filled = tape.ask("ioctl", [tape.names.get(fd, "?"), request], asked)
        if writable and tape.replays:
            memoryview(argument).cast("B")[:] = filled
        return given
    return function
