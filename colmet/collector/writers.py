"""Writers: each reads the journal on its own and has its own committed position.

One in a process of its own (hdf5) is started through `colmet.collector.child`, which calls its module's

    run(settings, journal, connection)

`settings` are the collector's parsed options (`colmet.collector.settings`), `journal` the journal's directory,
`connection` a multiprocessing Connection on which both sides send tuples:

    collector → writer   ("seal",)           commit now all that the journal holds, answer ("position", N)
                         ("stop",)           the same, then return from run: the process ends with 0
    writer → collector   ("ready", N)        first: it can work, and has committed all entries below position N
                         ("refused", text)   in place of ready: it cannot work; the text is one line, what and why
                         ("position", N)     all entries below N are durable in their final place

The end of `connection` (EOFError) means that the collector died: the writer leaves at once. A writer finds new
entries by reading the journal again, at its own pace. Its messages go to stderr, one line each. A writer that dies
is started again, and goes on from what it committed. How it fares it leaves beside the journal, as a `Word` of
`colmet.collector.status`.
"""
import os
import subprocess
import sys
import time
from multiprocessing import Pipe

from colmet.collector.log import log

START_LIMIT = 120.0         # s that a writer may take to be ready: it may have to tidy up after a crash
END_LIMIT = 600.0           # s that it may take to finish at the end
BACK_OFF = (1.0, 60.0)      # s before a writer that died is started again: at first, and at most


class Refused(Exception):
    """A writer cannot work; the text is one line, what and why."""


class Child:
    """The writer of `module` in a process of its own; `position` is what it has committed."""

    def __init__(self, name, module, settings, journal):
        self.name, self.settings = name, settings
        self.position = 0
        self._module, self._journal = module, journal
        self._process = self._connection = None
        self._code = 0              # exit code of the process before
        self._pause, self._again = BACK_OFF[0], 0.0
        self._stopping = False      # its end is planned
        self._refusal = ""

    def start(self):
        """Start the process, without waiting for it."""
        self._connection, theirs = Pipe()
        command = [sys.executable, "-m", "colmet.collector.child", self._module, str(theirs.fileno()), str(os.getpid())]
        self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        theirs.close()
        self._stopping = False
        self._send((self.settings, str(self._journal)))

    def wait(self):
        """Wait until it is ready. Raises Refused."""
        self._listen(START_LIMIT, tell=False)       # who waits tells of a refusal
        if self._refusal or not self._process:
            raise Refused(self._refusal or "the %s writer died when it started" % self.name)

    @property
    def running(self):
        """Whether its process is there, for all that is known."""
        return self._process is not None

    def fileno(self):
        """What becomes readable when it has something to say; -1 while it does not run."""
        return self._connection.fileno() if self._process else -1

    def poll(self):
        """Take what it says; start it again where it died and the time has come."""
        self._listen(0)
        if not self._process and time.monotonic() >= self._again:
            self.start()

    def seal(self):
        """Have it commit now what the journal holds."""
        self._send(("seal",))

    def renew(self, settings):
        """Have it end, and start again with other `settings`."""
        self.settings, self._stopping = settings, True
        self._send(("stop",))

    def finish(self):
        """Have it commit all and end; returns whether it did."""
        self._stopping = True
        self._send(("stop",))
        end = time.monotonic() + END_LIMIT
        while self._process and time.monotonic() < end:
            self._listen(1)
        self.kill()
        return self._code == 0

    def kill(self):
        """End it at once if it still runs."""
        if self._process:
            self._process.kill()
            self._end()

    def _listen(self, seconds, tell=True):
        """Take what it says; where nothing is waiting, wait for the first word for `seconds`."""
        try:
            while self._process and self._connection.poll(seconds):
                kind, value = self._connection.recv()
                seconds = 0
                if kind == "refused":
                    self._refusal = value
                    if tell:
                        log.error("%s", value)
                else:
                    self.position, self._pause = value, BACK_OFF[0]
        except (EOFError, ConnectionResetError):
            self._end()
            self._again = time.monotonic() + (0 if self._stopping else self._pause)
            if not self._stopping and not self._refusal:
                log.error("the %s writer ended (%s); it starts again in %d s and goes on where it was", self.name,
                          "signal %d" % -self._code if self._code < 0 else "exit %d" % self._code, self._pause)
            self._pause = min(2 * self._pause, BACK_OFF[1])

    def _send(self, message):
        if self._process:
            try:
                self._connection.send(message)
            except (BrokenPipeError, ConnectionResetError):
                pass                # its end is seen when it is next listened to

    def _end(self):
        self._code = self._process.wait()
        self._connection.close()
        self._process = None
