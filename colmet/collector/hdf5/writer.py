"""The HDF5 writer, a process of its own: reads the journal, and seals what it read into files.

`run` is what `colmet.collector.child` calls; the words it exchanges with the collector are in
`colmet.collector.writers`. What cannot be written (a full disk) stays in the journal, and is tried again.
"""
import os
import sys
import time
from dataclasses import dataclass

from colmet.collector.hdf5 import target as names
from colmet.collector.entries import Entries
from colmet.collector.hdf5.rows import Window
from colmet.collector.hdf5.store import Fixed, Windows
from colmet.collector.hdf5.target import Refused
from colmet.collector.log import log, tell
from colmet.collector.status import Word
from colmet.common.journal import SCHEMAS, read, segments, settle
from colmet.common.log import show

BACK_OFF = (5.0, 300.0)         # s before what failed is tried again: at first, and at most
LOCK_LIMIT = 10.0               # s in which a writer that was killed is gone


@dataclass
class Span:
    """The part of the journal that a window holds: positions, and when its first entry arrived (ns)."""
    start: int
    end: int
    arrival: int


def run(settings, journal, connection):
    """Write what the journal holds until told to stop. Exits with 1 where the last could not be written."""
    show(log, settings.verbose)
    try:
        locked, store = open_store(settings)
    except Refused as refusal:
        connection.send(("refused", str(refusal)))
        return
    writer = Writer(store, journal)
    writer.word.leave()
    connection.send(("ready", store.position))
    said, stopped = store.position, False
    while not stopped:
        command = connection.recv()[0] if connection.poll(store.look_every) else ""
        stopped = command == "stop"
        writer.read_on(must=bool(command))
        writer.word.leave()
        if command or store.position != said:
            said = writer.committed
            connection.send(("position", said))
    writer.word.leave(last=True)
    names.unlock(settings.hdf5_filepath, locked)
    if writer.unwritten:
        sys.exit(1)


def open_store(settings):
    """(descriptor of the lock, `Windows` or `Fixed`) for the path that `settings` name. Raises Refused."""
    path = settings.hdf5_filepath
    names.check_target(path)
    end = time.monotonic() + LOCK_LIMIT
    while True:
        try:
            locked = names.lock(path)
            break
        except Refused:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
        except OSError as error:
            raise Refused("--hdf5-filepath %s: %s; give another path" % (path, error.strerror)) from None
    try:
        names.remove_unfinished(os.path.realpath(path) if names.is_fixed(path) else path)
        return locked, Fixed(settings) if names.is_fixed(path) else Windows(settings)
    except (OSError, Refused) as error:
        os.close(locked)
        raise Refused(str(error)) from None


class Writer:
    """Reads the journal on from what is stored, and seals windows into `store`."""

    def __init__(self, store, journal):
        self.store, self._journal = store, journal
        self._entries, self._window = Entries(), Window()
        self._span = None               # of what the window holds; None: nothing
        self._position = store.position
        self._pause, self._again = BACK_OFF[0], 0.0
        self.word = Word(journal, "hdf5")
        self._learn()

    @property
    def unwritten(self):
        """Whether it holds rows that are not stored."""
        return self._window.rows > 0

    @property
    def committed(self):
        """Position below which all is stored, or holds nothing to store."""
        return self.store.position if self.unwritten else max(self.store.position, self._position)

    def read_on(self, must=False):
        """Read what is new in the journal, and seal what is due; all that there is with `must`."""
        if self.word.error and not must and time.monotonic() < self._again:
            return
        if self.word.error and not self.seal():
            return
        for entry in read(self._journal, self._position, self._skipped):
            if self.unwritten and self.store.full(self._window, self._span, entry.arrival) and not self.seal():
                return
            self._take(entry)
        if self.unwritten and (must or self.store.due(self._window, self._span)):
            self.seal()

    def seal(self):
        """Write the window; returns whether that went well. What failed is said once."""
        try:
            settle(self._journal)
            self.store.write(self._window, self._span)
        except OSError as error:
            text = "%s: cannot be written: %s" % (self.store.path, error.strerror or " ".join(str(error).split()))
            if text != self.word.error:
                log.error("%s; make room or give the right; until then the journal keeps what comes", text)
            self.word.failed(text)
            self._again = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, BACK_OFF[1])
            return False
        if self.word.error:
            tell("%s: written again; nothing was lost" % self.store.path)
        self.word.error, self._pause = "", BACK_OFF[0]
        self.word.stored += self._window.rows
        self.word.rejected += sum(self._entries.faults.values())
        self._entries.faults.clear()
        self._window, self._span = Window(), None
        return True

    def _take(self, entry):
        for batch in self._entries.batches(entry):
            if batch.blocks:
                self._window.add(batch)
        if self._span is None and self.unwritten:
            self._span = Span(entry.position, entry.next, entry.arrival)
        elif self._span:
            self._span.end = entry.next
        self._position = entry.next

    def _learn(self):
        """Take the schemas that stand before the first entry to read, in its segment."""
        start = max((start for start in segments(self._journal) if start <= self._position), default=0)
        for entry in read(self._journal, start):
            if entry.position >= self._position:
                break
            if entry.kind == SCHEMAS:
                self._entries.batches(entry)

    def _skipped(self, position, size):
        log.error("%s: %d bytes from position %d on are damaged and are left out", self._journal, size, position)
