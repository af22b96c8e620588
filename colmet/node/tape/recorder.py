"""Keeps each answer, in the order in which all threads got them, and writes them at the end of each tick."""
import threading

from colmet.node.log import log
from colmet.node.tape.recording import Writer
from colmet.node.tape.tape import FAULTS, Tape, pack_fault

END = "end"                     # kind of the last entry of a recording that was brought to its end


class Recorder(Tape):
    """Into the directory `folder`, at most `most` MiB; `argv` are the words that the node was started with."""

    def __init__(self, folder, most, argv):
        super().__init__()
        self._writer = Writer(folder, most, argv)
        self._lock = threading.Lock()
        self._entries, self._whole, self._most = [], True, most

    def ask(self, kind, key, work):
        with self.apart():
            try:
                fault, answer = 0, work()
            except FAULTS as error:
                self._keep(kind, key, 1, pack_fault(error))
                raise
            self._keep(kind, key, fault, answer)
            return answer

    def note(self, kind, key=""):
        """What has no answer, and must be in its place in the order."""
        self.ask(kind, key, lambda: None)

    def leave(self):
        """This thread is at its end."""

    def flush(self):
        """Write what came since the last call; where there is no room any more, nothing is recorded from now on."""
        with self._lock:
            entries, self._entries = self._entries, []
        if not self._whole or not entries:
            return
        with self.apart():
            try:
                self._whole = self._writer.write(entries)
                fault = "--record-size %d (MiB) is reached" % self._most
            except OSError as error:
                self._whole, fault = False, error.strerror.lower()
            if not self._whole:
                log.error("%s: %s: what comes now is not recorded", self._writer.path, fault)

    def close(self):
        """The end of the recording."""
        self.note(END)
        self.flush()
        self.join(None)
        self._writer.close()

    def _keep(self, kind, key, fault, answer):
        with self._lock:
            if self._whole:
                self._entries.append((self.thread, kind, key, fault, answer))
