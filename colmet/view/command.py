"""Running a command as time(1) does: on the same terminal, in the same process group, but held until it may go.

Signals are blocked and taken one by one (sigtimedwait(2)), so that each tells who sent it: what the terminal
sends, the command gets by itself; what a process sends to Colmet is passed on to the command.
"""
import errno
import os
import resource
import shutil
import signal
import struct

PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
FROM_KERNEL = 0x80          # si_code of what the terminal sends (sigaction(2), SI_KERNEL)
NOT_RUNNABLE, NOT_FOUND = 126, 127          # exit codes of env(1)
INEXACT = 2 ** 20           # bytes by which the kernel's counts of a process's pages may be off
_BEFORE = struct.Struct("=qq")              # what the held process tells: its peak memory in KiB, its CPU time in ns
_FAULT = struct.Struct("=i")                # and where it cannot become the command: an errno


class NotStarted(Exception):
    """The command cannot be run; `code` is the exit code for it."""

    def __init__(self, text, code):
        super().__init__(text)
        self.code = code


class Signals:
    """Blocks the signals that matter; `before` is the mask that the command gets back. `typed` says that one came
    from the keyboard, so that the cursor stands behind a ^C."""

    def __init__(self):
        self.typed = False
        self._child = signal.signal(signal.SIGCHLD, signal.SIG_DFL)     # ignored, it would leave nothing to wait for
        self.before = signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON + (signal.SIGCHLD,))

    def next(self, seconds):
        """The next signal's siginfo, or None when `seconds` have passed."""
        info = signal.sigtimedwait(PASSED_ON + (signal.SIGCHLD,), max(0, seconds))
        if info and info.si_code == FROM_KERNEL and info.si_signo in (signal.SIGINT, signal.SIGQUIT):
            self.typed = True
        return info

    def restore(self):
        """In the child, just before the command starts: everything as whoever started Colmet had it."""
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(ignored_by_python, signal.SIG_DFL)
        if self._child is not None:
            signal.signal(signal.SIGCHLD, self._child)
        signal.pthread_sigmask(signal.SIG_SETMASK, self.before)

    def close(self):
        """Unblock them again; for callers that go on living."""
        signal.signal(signal.SIGCHLD, self._child or signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, self.before)


def find(word):
    """Raise NotStarted where there is no such command, with env(1)'s exit code."""
    if shutil.which(word) is None:
        there = os.path.exists(word) if "/" in word else _in_path(word)
        if there:
            raise NotStarted("%s: not executable" % word, NOT_RUNNABLE)
        raise NotStarted("%s: no such command" % word, NOT_FOUND)


def _in_path(word):
    return any(os.path.isfile(os.path.join(folder, word)) for folder in os.get_exec_path())


class Command:
    """A process that waits to become the command `words`; `pid` is known from the start. After `release` its
    `floor` is the memory, in bytes, below which wait4(2) cannot tell its peak: what it held before."""

    def __init__(self, words, signals):
        self.words = words
        self.floor = 0
        self.before = 0             # ns of CPU time that it took while it was held, part of `usage`
        self.status = None          # as from wait4(2), and then
        self.usage = None           # a struct rusage
        go, self._go = os.pipe()
        self._tell, tell = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._go)
            _become(words, go, tell, signals)
        os.close(go)
        os.close(tell)

    def release(self):
        """Let it start; raises NotStarted where the system refuses, or where it was killed before."""
        try:
            os.write(self._go, b"g")
        except BrokenPipeError:
            pass                    # killed while it was held: its status says so
        with open(self._tell, "rb", buffering=0, closefd=False) as pipe:
            told = pipe.readall()           # to its end, which is there when the command starts
        self._close()
        if len(told) >= _BEFORE.size:
            peak, self.before = _BEFORE.unpack_from(told)
            self.floor = peak * 1024 + INEXACT
        if len(told) % _BEFORE.size:
            self.wait()
            fault = _FAULT.unpack(told[-_FAULT.size:])[0]
            code = NOT_FOUND if fault in (errno.ENOENT, errno.ENOTDIR) else NOT_RUNNABLE
            raise NotStarted("%s: %s" % (self.words[0], os.strerror(fault).lower()), code)

    def poll(self):
        """Whether it has ended; then `status` and `usage` are known."""
        if self.status is None:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self.status, self.usage = status, usage
        return self.status is not None

    def wait(self):
        """Wait for its end."""
        if self.status is None:
            _, self.status, self.usage = os.wait4(self.pid, 0)

    @property
    def code(self):
        """Its exit code as a shell gives it: 128 + signal where one killed it."""
        return exit_code(self.status)

    def pass_on(self, info):
        """Give it the signal described by siginfo `info`, unless it has it from the terminal or sent it itself. Of a
        terminal that goes away only the leader of its session is told, which may be Colmet."""
        had = info.si_code == FROM_KERNEL and info.si_signo != signal.SIGHUP
        if had or info.si_pid == self.pid or self.status is not None:
            return
        try:
            os.kill(self.pid, info.si_signo)
        except PermissionError:
            pass                    # it became another user's, as sudo does

    def cancel(self):
        """End it if it is still held; one that was let go is waited for, never killed."""
        if self.status is None and self._go >= 0:
            os.kill(self.pid, signal.SIGKILL)
        self.wait()
        self._close()

    def _close(self):
        for name in ("_go", "_tell"):
            if getattr(self, name) >= 0:
                os.close(getattr(self, name))
                setattr(self, name, -1)


def exit_code(status):
    """The shell's exit code for a status of wait4(2)."""
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _become(words, go, tell, signals):
    """In the forked process: wait for a byte on `go`, then be the command. Never returns."""
    try:
        path, environ = shutil.which(words[0]) or words[0], original_environment()
        if os.read(go, 1):
            signals.restore()
            used = resource.getrusage(resource.RUSAGE_SELF)
            os.write(tell, _BEFORE.pack(used.ru_maxrss, round((used.ru_utime + used.ru_stime) * 10 ** 9)))
            _execute(path, words, environ)
    except OSError as error:
        os.write(tell, _FAULT.pack(error.errno))
    finally:
        os._exit(NOT_RUNNABLE)


def _execute(path, words, environ):
    try:
        os.execve(path, words, environ)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        os.execve("/bin/sh", ["sh", path] + words[1:], environ)     # no first line: a shell's, as in execvp(3)


def original_environment(environ=os.environ, path="/proc/self/environ"):
    """The environment as Colmet got it: Python adds LC_CTYPE where the locale is C (PEP 538)."""
    with open(path, "rb") as file:
        given = {entry.partition(b"=")[0] for entry in file.read().split(b"\0")}
    return {name: value for name, value in environ.items() if name != "LC_CTYPE" or b"LC_CTYPE" in given}
