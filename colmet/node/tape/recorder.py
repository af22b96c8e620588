"""Keeps each answer, in the order in which all threads got them, and writes them at the end of each tick."""
from colmet.node.log import log
from colmet.node.tape.recording import Writer
from colmet.node.tape.tape import FAULTS, Tape, pack_fault

LONGEST = 1                     # s that a thread may go on alone
END = "end"                     # kind of the last entry of a recording that was brought to its end


class Recorder(Tape):
    """Into the directory `folder`, at most `most` MiB; `argv` are the words that the node was started with."""

    def __init__(self, folder, most, argv):
        super().__init__()
        self._writer = Writer(folder, most, argv)
        self._entries, self._whole, self._most = [], True, most

    def ask(self, kind, key, work):
        self.rest()
        with self.inside():
            try:
                fault, answer = 0, work()
            except FAULTS as error:
                self.go_on((self.thread, kind, key, 1, pack_fault(error)))
                raise
        self.go_on((self.thread, kind, key, fault, answer))
        return answer

    def go_on(self, entry=None):
        """Go on when no other does, with `entry` kept as the next one. Who waits for something that is not on the tape
        is not waited for long."""
        with self._turn:
            while self._running not in (None, self.thread) and self._turn.wait(LONGEST):
                pass
            self._running = self.thread
            if self._whole and entry:
                self._entries.append(entry)

    def note(self, kind, key=""):
        """What has no answer, and must be in its place in the order."""
        self.ask(kind, key, lambda: None)

    def flush(self):
        """Write what came since the last call; where there is no room any more, nothing is recorded from now on."""
        with self._turn:
            entries, self._entries = self._entries, []
        if not self._whole or not entries:
            return
        with self.inside():
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
        self._whole = False
        self.rest()
        self.join(None)
        self._writer.close()
