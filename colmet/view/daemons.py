"""A colmet-collector and a colmet-node of one's own: child processes that speak over ipc:// in a private folder.

They run in a session of their own, so that Ctrl-C does not reach them, end with this process (prctl(2),
PR_SET_PDEATHSIG), tell by sd_notify(3) when they are ready, and write what they say to files in the folder.
"""
import glob
import os
import shutil
import signal
import site
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import colmet
from colmet.common.parent import end_with
from colmet.view.hold import hold

IPC_BYTES = 107             # of a path in sockaddr_un (unix(7))
READY = 60.0                # seconds to be ready
LINGER = 15000              # ms that the node waits at its end for acknowledgements
NODE_END = 30.0             # seconds for that and the last readings
COLLECTOR_END = 60.0        # seconds to seal the file
RESTARTS = 3                # of a collector that died; its journal keeps what it had
REMOVAL = 5.0
PAUSE = 0.02


class Failed(Exception):
    """Colmet cannot measure; the text is one line for the user."""


class Daemon:
    """One of the two. `name` is that of the program, `arguments` its command line; the descriptor `held` is kept open
    in it."""

    def __init__(self, name, arguments, folder, mask, held):
        self.name = name
        self.log = folder / (name + ".log")
        self._arguments, self._folder, self._mask, self._held = arguments, folder, mask, held
        self._channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._channel.bind(str(folder / (name[7] + ".ready")))
        self.start()

    def start(self):
        """Start it; `ready` turns true when it has said so."""
        module = "colmet.%s.main" % self.name.split("-")[1]
        parent = os.getpid()

        def prepare():
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
            if not end_with(parent, signal.SIGTERM):
                os._exit(1)

        self.ready = False
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module] + self._arguments, cwd=self._folder, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True, preexec_fn=prepare, pass_fds=[self._held],
                env=environment(self._channel.getsockname()))

    def poll(self):
        """Whether it ended."""
        return self._process.poll() is not None

    def heard(self):
        """Take what it told so far; whether it is ready."""
        try:
            while True:
                self.ready = b"READY=1" in self._channel.recv(4096) or self.ready
        except BlockingIOError:
            return self.ready

    def signal(self, number):
        """Send it a signal, unless it ended."""
        if not self.poll():
            self._process.send_signal(number)

    @property
    def end(self):
        """How it ended, in words; "" while it runs or where it ended as it should."""
        code = self._process.poll()
        if code is None or code == 0:
            return ""
        return "killed by signal %d" % -code if code < 0 else "exit %d" % code

    def last_line(self):
        """The last line that it wrote, without its own name."""
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        return lines[-1] if lines else ""

    def close(self):
        """Kill it where it still runs."""
        if not self.poll():
            self._process.kill()
            self._process.wait()
        self._channel.close()


def environment(notify_socket):
    """What the daemons get: whoever started us hears nothing of them."""
    return found_first(dict(os.environ, NOTIFY_SOCKET=notify_socket))


def found_first(environ):
    """`environ` for a program that shall find this Colmet before any other."""
    home = str(Path(colmet.__file__).resolve().parent.parent)
    if home in site.getsitepackages() + [site.getusersitepackages()]:
        return dict(environ)
    return dict(environ, PYTHONPATH=os.pathsep.join(filter(None, [home, environ.get("PYTHONPATH")])))


def private_folder():
    """A new folder that only this user can enter, with a name short enough for sockets; raises Failed. What a
    killed `colmet run` of this user left beside it goes."""
    for parent in (tempfile.gettempdir(), "/tmp"):
        try:
            _clear(parent)
            folder = tempfile.mkdtemp(prefix="colmet-", dir=parent)
        except OSError as error:
            fault = "%s: %s; set TMPDIR" % (parent, error.strerror)
            continue
        if len(folder) + 24 <= IPC_BYTES:
            return Path(folder)
        os.rmdir(folder)
        fault = "%s: too long a path for a socket; set TMPDIR" % parent
    raise Failed(fault)


def _clear(parent):
    for folder in glob.glob(os.path.join(glob.escape(parent), "colmet-????????", "roots", "")):
        folder = os.path.dirname(os.path.dirname(folder))
        try:
            if os.lstat(folder).st_uid == os.geteuid():
                os.close(hold(folder))
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue        # its Colmet, or what that started, is still at work


class Daemons:
    """Both, writing to the HDF5 file `output`; the node reads every `period` seconds what `targets` (options of
    colmet-node) name. `ended(seconds)` is called in every wait, lasts so long at most, and ends it by being true."""

    def __init__(self, output, period, targets, mask, ended):
        self.folder = private_folder()
        self._held = hold(self.folder)
        self.facts = self.folder / "facts.json"
        self.journal = self.folder / "journal"
        self.restarted = 0
        self.node = self.collector = None
        self._output, self._period, self._targets, self._mask, self._ended = output, period, targets, mask, ended

    def start(self):
        """Start both and wait until they are ready; False where `ended` says to stop. Raises Failed."""
        uri = "ipc://%s/c" % self.folder
        (self.folder / "roots").mkdir()         # an empty one, so that no other job of this machine is measured
        self.collector = Daemon("colmet-collector", [
            "--zeromq-bind-uri", uri, "--native-bind-uri", uri + ".native", "--no-legacy", "-s", "1",
            "--hdf5-filepath", str(self._output), "--journal-dir", str(self.journal)],
            self.folder, self._mask, self._held)
        self.node = Daemon("colmet-node", [
            "--zeromq-uri", uri, "--native-uri", uri + ".native", "--wire", "native",
            "--zeromq-linger", str(LINGER), "-s", "%g" % self._period,
            "--enable-jobproc", "--account-pins", "", "--cpuset_rootpath", str(self.folder / "roots"),
            "--exit-facts", str(self.facts)] + self._targets, self.folder, self._mask, self._held)
        return self._wait_ready()

    def _wait_ready(self):
        limit = time.monotonic() + READY
        both = (self.collector, self.node)
        while not all([daemon.heard() for daemon in both]):
            for daemon in both:
                if daemon.poll():
                    raise Failed(daemon.last_line() or "%s ended (%s)" % (daemon.name, daemon.end))
            if time.monotonic() > limit:
                raise Failed("%s was not ready within %d s" % ([d.name for d in both if not d.ready][0], READY))
            if self._ended(PAUSE):
                return False
        return True

    def tend(self):
        """Start a collector that died again: it goes on with its journal, and the node sends what it lacks."""
        if self.collector.poll() and self.restarted < RESTARTS:
            self.restarted += 1
            try:
                self.collector.start()
            except OSError:         # no memory or process left for it now; the command is not to suffer
                pass

    def finish(self):
        """Stop the node, which makes the last readings, then the collector, which seals the file. Returns what
        went wrong as texts for the account."""
        faults = []
        if self.node.poll():
            faults.append("colmet-node ended before the job (%s): %s"
                          % (self.node.end or "exit 0", self.node.last_line() or "it said nothing"))
        self.tend()
        if self.restarted and not self._until(self.collector.heard, READY):
            faults.append("colmet-collector, started again, was not ready")
        faults += self._stop(self.node, NODE_END)
        self.tend()
        return faults + self._stop(self.collector, COLLECTOR_END)

    def _stop(self, daemon, seconds):
        if daemon.poll():
            return ["%s ended early (%s): %s" % (daemon.name, daemon.end, daemon.last_line())] \
                if daemon is self.collector else []
        daemon.signal(signal.SIGTERM)
        if not self._until(daemon.poll, seconds):
            return ["%s was stopped before it had finished" % daemon.name]
        return ["%s: %s" % (daemon.name, daemon.last_line() or daemon.end)] if daemon.end else []

    def _until(self, condition, seconds):
        limit = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > limit or self._ended(PAUSE):
                return False
        return True

    def close(self):
        """End what still runs and remove the folder."""
        for daemon in (self.node, self.collector):
            if daemon is not None:
                daemon.close()
        limit = time.monotonic() + REMOVAL
        while self.folder.exists() and time.monotonic() < limit:
            shutil.rmtree(self.folder, ignore_errors=True)      # the collector's writer may be on its way out
        os.close(self._held)
