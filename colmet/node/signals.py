"""The signals that a node obeys, told by a descriptor so that whoever waits for several things sees them at once."""
import os
import signal


class Signals:
    """SIGTERM and SIGINT ask for the end, SIGHUP for a look at the configuration; `wake`, a descriptor, is readable
    after each. Python sets them up in its main thread only."""

    def __init__(self):
        self.wake, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.stops, self._hup = 0, False
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_hup)

    def stopped(self):
        """Whether the node shall end."""
        return self.stops > 0

    def hup(self):
        """Whether the configuration shall be read again: true once for each time it was asked. Empties `wake` then."""
        if not self._hup:
            return False
        self._hup = False
        try:
            os.read(self.wake, 4096)
        except BlockingIOError:
            pass
        return True

    def _on_stop(self, number, frame):
        self.stops += 1

    def _on_hup(self, number, frame):
        self._hup = True
