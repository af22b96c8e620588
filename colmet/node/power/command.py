"""Power by a program, as Colmet 0.6 took it: --ipmipower-cmd, by default FreeIPMI's ipmi-oem for Dell's BMCs."""
import os
import re
import select
import shutil
import signal
import subprocess
import threading
import time

from colmet.node.backends import Unavailable
from colmet.node.clock import boottime
from colmet.node.power.reading import Reading, Silent, plausible

OLD_DEFAULT = ("/usr/sbin/ipmi-oem", "dell", "power-monitoring-over-interval", "5", "systempower")      # takes 5 s
DEADLINE = 30               # s
PIECE, MOST = 4096, 65536   # bytes
_WATTS = re.compile(r".*: (\d+) ")      # as 0.6: in the first line that has one, the last


class Command:
    """That of the list `words`, run without a shell. Raises Unavailable where there is no such program."""

    name = "ipmipower-cmd"
    whole = (name,)

    def __init__(self, words):
        self._words, self._lock, self._process, self._stopped = list(words), threading.Lock(), None, False
        if not shutil.which(words[0]):
            raise Unavailable("--ipmipower-cmd %s: no such program, or it may not be run; give its whole path"
                              % words[0])

    def read(self):
        """{its name: `Reading`}. Raises Silent and OSError."""
        watts = parse(self._output().decode("utf-8", "replace"))
        if watts is None:
            raise Silent("--ipmipower-cmd %s: it printed no power, as in \": 231 W\"" % self._words[0])
        return {self.name: Reading(watts, None, None, boottime())}

    def stop(self):
        """End a program that runs, and let none begin."""
        with self._lock:
            self._stopped = True
            self._kill()

    def close(self):
        """Nothing is held."""

    def _output(self):
        """What it prints, until it ends or has printed MOST bytes; nothing of it is left when this returns."""
        end = time.monotonic() + DEADLINE
        with self._lock:
            if self._stopped:
                return b""
            self._process = subprocess.Popen(self._words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                             stderr=subprocess.DEVNULL, start_new_session=True)
        process = self._process
        try:
            with process.stdout:
                text = _read(process.stdout.fileno(), end)
            while not _ended(process) and time.monotonic() < end and len(text) < MOST:
                time.sleep(0.01)
            ended = _ended(process)
        finally:
            with self._lock:
                self._kill()
                process.wait()
                self._process = None
        if len(text) >= MOST:
            raise Silent("--ipmipower-cmd %s: it printed more than %d KiB" % (self._words[0], MOST >> 10))
        if not ended:
            raise Silent("--ipmipower-cmd %s: it did not end within %d s" % (self._words[0], DEADLINE))
        if process.returncode:
            raise Silent("--ipmipower-cmd %s: it ended with %d" % (self._words[0], process.returncode))
        return text

    def _kill(self):
        if self._process:           # not waited for yet: nothing else has its number
            os.killpg(self._process.pid, signal.SIGKILL)


def _read(fd, end):
    """What comes from `fd` until its end, until `end` or until it is MOST bytes."""
    text, watch = b"", select.poll()
    watch.register(fd, select.POLLIN)
    while len(text) < MOST and watch.poll(max(0, end - time.monotonic()) * 1000):
        piece = os.read(fd, PIECE)
        if not piece:
            break
        text += piece
    return text


def _ended(process):
    """Whether it ended; it keeps its number until it is waited for."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def parse(text):
    """Watts from what it printed, None where that holds none."""
    match = _WATTS.search(text)
    return plausible(float(match.group(1)[:20])) if match else None
