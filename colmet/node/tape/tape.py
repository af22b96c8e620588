"""What recorder and player share: which threads are on the tape, what descriptors are called, what can be raised."""
import subprocess
import threading
from contextlib import contextmanager
from itertools import count

from colmet.node.jobs import watch
from colmet.node.backends import Unavailable
from colmet.node.taping import Stopped

VIRTUAL = 1 << 20               # descriptors of a replay begin here: no file is open
OTHERS = ("logging", "linecache", "tokenize", "traceback", "threading")     # modules that ask for themselves
FAULTS = (OSError, LookupError, AttributeError, ValueError, OverflowError, Unavailable, subprocess.SubprocessError,
          watch.pyinotify.WatchManagerError)


class Diverged(Stopped):
    """The code asks for what the recording does not have."""


class Ended(Stopped):
    """The recording is at its end."""


class Tape:
    """`replays` tells whether answers come from it. Of the threads on it one at a time goes on from an answer to its
    next question, when it is recorded and when it is replayed: so what they share is the same."""
    replays = False

    def __init__(self):
        self._local, self._numbers = threading.local(), count(1)
        self._virtual = count(VIRTUAL)
        self._turn = threading.Condition(threading.Lock())
        self._running = None            # the thread that goes on, alone, from one answer to its next question
        self.names = {}                 # {descriptor: path}, of those opened on the tape
        self.ticks = 0                  # so far

    def join(self, number):
        """This thread is on the tape from now on, under that `number`; None: not any more."""
        self._local.number, self._local.inside, self._local.source = number, False, "the start"

    @property
    def thread(self):
        """The number of this thread, None where it is not on the tape."""
        return getattr(self._local, "number", None)

    @property
    def source(self):
        """Name of the source that this thread reads now."""
        return self._local.source

    @source.setter
    def source(self, name):
        self._local.source = name

    @property
    def rolling(self):
        """Whether what this thread asks is on the tape now."""
        return self.thread is not None and not self._local.inside

    def listening(self, caller):
        """The same, of what is asked by the frame `caller`."""
        return self.rolling and caller.f_globals.get("__name__", "").partition(".")[0] not in OTHERS

    @contextmanager
    def apart(self):
        """While this lasts, what this thread does is not on the tape, and what it starts is not either."""
        rolling = self.rolling
        if rolling:
            self.rest()
        with self.inside():
            yield
        if rolling:
            self.go_on()

    @contextmanager
    def inside(self):
        """While this lasts, what this thread does is part of an answer."""
        before, self._local.inside = getattr(self._local, "inside", False), True
        try:
            yield
        finally:
            self._local.inside = before

    def rest(self):
        """Let another thread go on."""
        with self._turn:
            if self._running == self.thread:
                self._running = None
                self._turn.notify_all()

    def go_on(self):
        """Go on when no other does."""
        raise NotImplementedError

    def number(self):
        """For one more thread."""
        return next(self._numbers)

    def opened(self, path, fd):
        """The descriptor `fd` of `path`; in a replay there is none, and a number stands for it."""
        fd = next(self._virtual) if self.replays else fd
        self.names[fd] = path
        return fd

    def ask(self, kind, key, work):
        """The answer of `work()`, of JSON's types and bytes, or what it raises."""
        raise NotImplementedError


def pack_fault(error):
    """One of FAULTS as [name, its arguments]."""
    if isinstance(error, OSError) and error.errno is not None:
        return ["OSError", error.errno, error.strerror, None if error.filename is None else str(error.filename)]
    if isinstance(error, subprocess.TimeoutExpired):
        return ["TimeoutExpired", str(error.cmd), error.timeout]
    if isinstance(error, subprocess.CalledProcessError):
        return ["CalledProcessError", error.returncode, str(error.cmd)]
    if isinstance(error, UnicodeError):
        return ["UnicodeError", error.__class__.__name__, getattr(error, "encoding", ""), getattr(error, "reason", "")]
    return [error.__class__.__name__, error.args[0] if error.args else str(error)]


_OTHERS = {
    "OSError": OSError,
    "TimeoutExpired": subprocess.TimeoutExpired,
    "CalledProcessError": subprocess.CalledProcessError,
    "Unavailable": Unavailable,
    "WatchManagerError": lambda text: watch.pyinotify.WatchManagerError(text, {}),
    "KeyError": KeyError, "IndexError": IndexError, "LookupError": LookupError, "OverflowError": OverflowError,
    "AttributeError": AttributeError,
}


def unpack_fault(found):
    """The exception of which `pack_fault` made `found`."""
    name, *arguments = found
    if name == "UnicodeError":
        kind, encoding, reason = arguments
        return UnicodeDecodeError(encoding, b"", 0, 1, reason) if kind == "UnicodeDecodeError" \
            else UnicodeEncodeError(encoding, "", 0, 1, reason)
    return _OTHERS.get(name, ValueError)(*arguments)
