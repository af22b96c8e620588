"""The C helpers on the tape: what their functions return, and the buffers that they fill.

lib_files reads texts and makes numbers of them. There the texts are on the tape, and it makes the numbers in a replay
too, so that what is wrong with them shows.
"""
import errno
import os
from importlib import import_module
from threading import local
from types import SimpleNamespace

import _cffi_backend
import cffi

from colmet.node import compiled
from colmet.node.tape.files import read
from colmet.node.tape.tape import Diverged, Ended

FILES = "_files"                # the helper of which texts are kept


def functions(tape):
    """As `colmet.node.tape.calls.functions`."""
    yield compiled, "load", loader(tape, compiled.load)
    yield cffi.FFI, "dlopen", opener(tape, cffi.FFI.dlopen)


def opener(tape, real):
    """FFI.dlopen: a library of others, which a replay does without."""
    def dlopen(ffi, name, flags=0):
        if not tape.rolling:
            return real(ffi, name, flags)
        found = []
        tape.ask("dlopen", name, lambda: found.append(real(ffi, name, flags)))
        return Library(tape, ffi, found[0] if found else None, str(name))
    return dlopen


def loader(tape, real):
    """compiled.load."""
    loaded = {}

    def load(name, *needs):
        if not tape.rolling:
            return real(name, *needs)
        tape.ask("helper", name, lambda: bool(real(name, *needs)))
        if name not in loaded:
            try:
                module = import_module("colmet.node." + name)
            except ImportError as error:
                tape.stop("the recording is of a machine with the C helper %s, which does not load here: %s"
                          % (name, error))
            kind = Files if name == FILES else Library
            loaded[name] = SimpleNamespace(ffi=module.ffi, lib=kind(tape, module.ffi, module.lib, name))
        return loaded[name]
    return load


class Library:
    """`lib` of a cffi module or a library that was opened, None where that is not here, with its functions on the tape.

    A function that gives a pointer to memory of its own (``struct x **``) returns how many there are."""

    def __init__(self, tape, ffi, lib, name):
        self._tape, self._ffi, self._lib, self._name = tape, ffi, lib, name
        self._kept = {}                 # {function: memory that it gave in a replay}

    def __getattr__(self, name):
        if not self._tape.rolling:
            return getattr(self._lib, name)
        number = self._tape.ask("function", "%s.%s" % (self._name, name), lambda: self._number(name))
        found = self._taped(name) if number is None else number
        setattr(self, name, found)
        return found

    def _number(self, name):
        found = getattr(self._lib, name)
        return None if callable(found) else found

    def _taped(self, name):
        tape, key = self._tape, "%s.%s" % (self._name, name)
        real = getattr(self._lib, name, None)

        def function(*arguments):
            if not tape.rolling:
                return None if tape.replays else real(*arguments)
            given = []
            returned, filled = tape.ask("C", key, lambda: self._called(real, arguments, given))
            if not tape.replays:
                return given[0]
            for place, data in filled:
                self._fill(name, arguments[place], data, returned)
            return self._returned(key, returned)
        return function

    def _returned(self, key, returned):
        """What a call returned, in a replay: a text, a pointer to what nobody looks at, or a number."""
        if isinstance(returned, bytes):
            self._kept[key] = self._ffi.new("char[]", returned)
            return self._kept[key]
        return self._ffi.cast(*returned) if isinstance(returned, list) else returned

    def _called(self, real, arguments, given):
        """What `real` returns, and [its place, what it holds] of each argument that the call changed."""
        rooms = [(place, room) for place, room in enumerate(map(self._room, arguments)) if room is not None]
        before = [bytes(room) for _, room in rooms]
        given.append(real(*arguments))
        returned = given[0]
        if isinstance(returned, self._ffi.CData):
            kind = self._ffi.typeof(returned)
            returned = self._ffi.string(returned) if returned and kind.item.cname == "char" else \
                [kind.cname, int(self._ffi.cast("intptr_t", returned))]
        return [returned, [[place, self._told(arguments[place], room, returned)] for (place, room), old
                           in zip(rooms, before) if bytes(room) != old]]

    def _room(self, argument):
        """The memory of an argument as a buffer; None where it has none that is known."""
        if not isinstance(argument, self._ffi.CData):
            return None
        kind = self._ffi.typeof(argument)
        if kind.kind == "array":
            return self._ffi.buffer(argument) if self._ffi.sizeof(argument) else None
        if kind.kind != "pointer" or not argument or _opaque(self._ffi, kind.item):
            return None
        return self._ffi.buffer(argument)

    def _told(self, argument, room, returned):
        """What is in it: [the bytes that a pointer in it points to] where that is memory of the helper's."""
        kind = self._ffi.typeof(argument).item
        if kind.kind == "pointer" and not _opaque(self._ffi, kind.item) and isinstance(returned, int):
            size = max(returned, 0) * self._ffi.sizeof(kind.item)
            return [bytes(self._ffi.buffer(argument[0], size)) if size else b""]
        return bytes(room)

    def _fill(self, name, argument, data, returned):
        if isinstance(data, bytes):
            self._ffi.buffer(argument)[:] = data
            return
        kind = self._ffi.typeof(argument).item
        memory = self._ffi.new("char[]", data[0] or 1)
        self._kept[name] = memory
        argument[0] = self._ffi.cast(kind, memory)


def _opaque(ffi, kind):
    """Whether the size of what is of this kind is not known."""
    try:
        return kind.kind in ("void", "function") or not ffi.sizeof(kind)
    except (_cffi_backend.FFI.error, cffi.FFIError, TypeError, ValueError):
        return True


class Files:
    """`lib` of lib_files, which reads through the tape."""

    def __init__(self, tape, ffi, lib, name):
        self._tape, self._ffi, self._lib, self._name = tape, ffi, lib, name
        self._here = local()            # of each thread: `text`, what was read; `stop`, what ended the replay
        self._below = {}                # {handle: its directory}
        ffi.def_extern("files_taped")(self._read)

    def __getattr__(self, name):
        real = getattr(self._lib, name)
        if not callable(real):
            return real

        def function(*arguments):
            self._here.stop = None
            returned = real(*arguments)
            if self._here.stop:
                raise self._here.stop
            return returned
        setattr(self, name, function)
        return function

    def files_open(self, opened, directory):
        """The real one; in a replay of any directory."""
        if not self._tape.rolling:
            return self._lib.files_open(opened, directory)
        code = self._tape.ask("C", self._name + ".files_open", lambda: self._lib.files_open(opened, directory))
        if code == 0:
            if self._tape.replays:
                self._lib.files_open(opened, b"/")
            handle = self._ffi.new_handle(os.fsdecode(directory))
            self._below[opened[0]] = handle
            self._lib.files_tape(opened[0], self._lib.files_taped, handle)
        return code

    def files_close(self, opened):
        """The real one."""
        self._lib.files_close(opened)
        self._below.pop(opened, None)

    def _read(self, context, path, fd, text, size):
        if text != self._ffi.NULL:
            self._ffi.memmove(text, self._here.text, size)
            return size
        below = None if path == self._ffi.NULL else "%s/%s" % (self._ffi.from_handle(context),
                                                              self._ffi.string(path).decode())
        try:
            self._here.text = self._tape.ask("text", self._tape.names.get(fd, "?") if below is None else below,
                                             lambda: _text(below, fd)) if self._tape.rolling else _text(below, fd)
        except OSError as error:
            return -error.errno
        except (Ended, Diverged) as stop:
            self._here.stop = stop
            return -errno.EIO
        return len(self._here.text)


def _text(path, fd):
    if path is None:
        if os.fstat(fd).st_nlink == 0:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        os.lseek(fd, 0, os.SEEK_SET)
        return read(fd)
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return read(fd)
    finally:
        os.close(fd)
