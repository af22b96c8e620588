"""Keeping the journal small: checkpoints, freeing what all writers have, and the limit of --journal-size."""
import time

from colmet.collector.log import log
from colmet.common.journal import LEGACY, NATIVE, read, segments

CHECKPOINT_EVERY = 60.0             # s, where anything came
CHECKPOINT_BYTES = 256 * 2 ** 20    # of the journal, after which it comes sooner
SEAL_AT = 0.75                      # of the limit: writers are asked to commit
SEAL_EVERY = 60.0                   # s between such requests


class Upkeep:
    """`writers` have a name and a position; `limit` is in bytes and may be replaced. `lost` counts messages that a
    writer never stored, by its name."""

    def __init__(self, journal, sequences, writers, limit):
        self.journal, self.sequences, self.writers, self.limit = journal, sequences, writers, limit
        self.lost = {}
        self.used = journal.bytes   # room that the journal takes on disk
        self._saved = (0.0, -1)     # when, and the position, of the last checkpoint
        self._sealed = 0.0
        self._floor = 0             # what lies below was freed

    def synced(self, position):
        """The journal was synced up to `position`, its end: a good time for a checkpoint."""
        when, saved = self._saved
        if time.monotonic() - when >= CHECKPOINT_EVERY or position - saved >= CHECKPOINT_BYTES:
            self.checkpoint()

    def checkpoint(self):
        """Save which batches are stored. The journal must have been synced."""
        positions = {writer.name: writer.position for writer in self.writers}
        position = self.journal.end
        try:
            self.sequences.save(self.journal.directory, position, positions)
            self._saved = (time.monotonic(), position)
        except OSError as error:
            log.error("%s: no checkpoint: %s", self.journal.directory, error.strerror)
            self._saved = (time.monotonic(), self._saved[1])

    def tick(self):
        """Free what all writers have stored; above the limit free more than that."""
        stored = min(writer.position for writer in self.writers)
        self._free(min(stored, self._saved[1]))
        self.used = used = self.journal.bytes
        now = time.monotonic()
        if used > SEAL_AT * self.limit and now - self._sealed > SEAL_EVERY:
            self._sealed = now
            for writer in self.writers:
                writer.seal()
        if used > self.limit:
            self._cut(used - self.limit)

    def _cut(self, surplus):
        """Free the oldest segments, at least `surplus` bytes of them, whoever still wants them."""
        starts = segments(self.journal.directory)
        below = next((start for start in starts[1:] if start - starts[0] >= surplus), starts[-1])
        self.journal.sync()
        self.checkpoint()
        if self._saved[1] < below:          # what was stored of each session would be forgotten
            return
        for writer in self.writers:
            lost = self._messages(max(writer.position, self._floor), below)
            if lost:
                self.lost[writer.name] = self.lost.get(writer.name, 0) + lost
                log.error("the journal is above --journal-size (%d bytes): the %s writer lost %d messages, %d in all",
                          self.limit, writer.name, lost, self.lost[writer.name])
        self._free(below)

    def _messages(self, position, end):
        count = 0
        for entry in read(self.journal.directory, position) if position < end else ():
            if entry.position >= end:
                break
            count += entry.kind in (NATIVE, LEGACY)
        return count

    def _free(self, position):
        if position > self._floor:
            self.journal.free(position)
            self._floor = position
