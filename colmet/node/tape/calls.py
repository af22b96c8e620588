"""The seam: the functions by which a node reads the world, and how what they give is written down.

Each is replaced where it lives, so that whoever calls it by its module is on the tape without knowing. What only tells
the kernel something is not called in a replay.
"""
import fcntl
import os
import posixpath
import pwd
import resource
import socket
import sys
import time
from pathlib import Path

from colmet.node.tape import files, helpers, programs, threads

PATHS = "exists isdir isfile islink lexists ismount realpath getsize"
READS = "readlink access pidfd_open"
WRITES = "makedirs mkdir rmdir unlink remove rename"
HERE = "geteuid getuid cpu_count urandom getloadavg"
CLOCKS = ("time time_ns monotonic monotonic_ns clock_gettime clock_gettime_ns thread_time_ns process_time_ns "
          "perf_counter_ns")
OF_FILES = "read pread readv write pwrite set_blocking set_inheritable lseek"
PATH = "exists is_dir is_file is_symlink readlink"


class Plain:
    """How a value is written down: as it is."""
    @staticmethod
    def pack(value):
        """In types of JSON, and bytes."""
        return value

    unpack = pack


class Status(Plain):
    """os.stat_result, os.statvfs_result, pwd.struct_passwd."""
    def __init__(self, kind):
        self._kind = kind

    @staticmethod
    def pack(value):
        whole, rest = value.__reduce__()[1]
        return [list(whole), rest]

    def unpack(self, found):
        """The same again."""
        return self._kind(tuple(found[0]), found[1])


class Sequence(Plain):
    """A tuple, a set or what else iterates: made of a list by `kind`."""
    def __init__(self, kind, each=lambda value: value):
        self._kind, self._each = kind, each

    def pack(self, value):
        return [self._each(one) for one in value]

    def unpack(self, found):
        """The same again."""
        return self._kind(found)


def key(arguments):
    """What a call is for: its arguments, paths as text."""
    return [os.fspath(each) if isinstance(each, os.PathLike) else each for each in arguments
            if each is None or isinstance(each, (str, bytes, int, float, os.PathLike))]


def taped(tape, name, real, kind=Plain, keyed=key):
    """`real` with its answers on the tape, each as that of `name` for what `keyed` makes of its arguments."""
    def function(*arguments, **named):
        if not tape.listening(sys._getframe(1)):
            return real(*arguments, **named)
        answer = tape.ask(name, keyed(arguments), lambda: kind.pack(real(*arguments, **named)))
        return kind.unpack(answer)
    return function


def of_file(tape, name, real, kind=Plain):
    """The same of a function whose first argument is a descriptor: it is for what that is of."""
    def function(fd, *arguments, **named):
        if not tape.listening(sys._getframe(1)):
            return real(fd, *arguments, **named)
        answer = tape.ask(name, tape.names.get(fd, "?"), lambda: kind.pack(real(fd, *arguments, **named)))
        return kind.unpack(answer)
    return function


def _named(tape, fd):
    return tape.names.get(fd, fd) if isinstance(fd, int) else fd


def functions(tape):
    """Yield (module or class, name, what stands in its place)."""
    status, statvfs = Status(os.stat_result), Status(os.statvfs_result)
    for module, names in ((posixpath, PATHS), (os, READS), (os, WRITES), (os, HERE), (time, CLOCKS),
                          (socket, "gethostname"), (resource, "setrlimit")):
        for name in names.split():
            yield module, name, taped(tape, "%s.%s" % (module.__name__, name), getattr(module, name))
    for name in OF_FILES.split():
        yield os, name, of_file(tape, "os." + name, getattr(os, name))
    yield fcntl, "flock", of_file(tape, "fcntl.flock", fcntl.flock)
    yield os, "fstat", of_file(tape, "os.fstat", os.fstat, status)
    yield os, "stat", taped(tape, "os.stat", os.stat, status, lambda given: key(_named(tape, each) for each in given))
    yield os, "lstat", taped(tape, "os.lstat", os.lstat, status)
    yield os, "statvfs", taped(tape, "os.statvfs", os.statvfs, statvfs)
    yield os, "listdir", taped(tape, "os.listdir", os.listdir, Sequence(list))
    yield os, "sched_getaffinity", taped(tape, "os.sched_getaffinity", os.sched_getaffinity, Sequence(set))
    yield os, "walk", taped(tape, "os.walk", os.walk, Sequence(list, list))
    yield resource, "getrlimit", taped(tape, "resource.getrlimit", resource.getrlimit, Sequence(tuple))
    yield pwd, "getpwuid", taped(tape, "pwd.getpwuid", pwd.getpwuid, Status(pwd.struct_passwd))
    yield pwd, "getpwnam", taped(tape, "pwd.getpwnam", pwd.getpwnam, Status(pwd.struct_passwd))
    yield time, "sleep", taped(tape, "time.sleep", time.sleep)
    for name in PATH.split():
        yield Path, name, taped(tape, "Path." + name, getattr(Path, name))
    yield Path, "stat", taped(tape, "Path.stat", Path.stat, status)
    for name in ("iterdir", "glob", "rglob"):
        yield Path, name, taped(tape, "Path." + name, getattr(Path, name), Paths)
    yield Path, "resolve", taped(tape, "Path.resolve", Path.resolve, OnePath)
    yield from files.functions(tape)
    yield from threads.functions(tape)
    yield from programs.functions(tape)
    yield from helpers.functions(tape)


class Paths(Plain):
    """Paths, as a list in place of a generator."""
    @staticmethod
    def pack(value):
        return list(map(str, value))

    @staticmethod
    def unpack(found):
        """The same again."""
        return iter(list(map(Path, found)))


class OnePath(Plain):
    """A path."""
    pack = staticmethod(str)
    unpack = staticmethod(Path)


class Installed:
    """All of them, in the place of the real ones until `remove`."""

    def __init__(self, tape):
        self._real = []
        for owner, name, function in list(functions(tape)):
            self._real.append((owner, name, getattr(owner, name)))
            setattr(owner, name, function)

    def remove(self):
        """Put the real ones back."""
        while self._real:
            setattr(*self._real.pop())
