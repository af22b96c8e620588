"""The Elasticsearch writer, a process of its own: reads the journal, and has a cluster store what it read.

`run` is what `colmet.collector.child` calls; the words it exchanges with the collector are in
`colmet.collector.writers`. What cannot be stored stays in the journal, and is tried again; how far it is stands in
``elasticsearch.json`` beside it (`colmet.collector.elasticsearch.state`).
"""
import os
import random
import sys
import time

from colmet.collector.elasticsearch import state as states
from colmet.collector.elasticsearch.bulk import Sender, chunks
from colmet.collector.elasticsearch.client import Client, Trouble
from colmet.collector.elasticsearch.documents import Documents
from colmet.collector.elasticsearch.index import Indices
from colmet.collector.elasticsearch.target import check_files
from colmet.collector.entries import Entries
from colmet.collector.log import log, tell
from colmet.collector.writers import Refused
from colmet.common.journal import SUFFIX, read, segments, settle
from colmet.common.log import show

LOOK_EVERY = (0.05, 1.0)        # s between looks at the journal, at least and at most
RETRY = (0.5, 60.0)             # s before what failed is tried again: at first, and at most
MOST_TOLD = 20                  # lines about what is wrong, until it is right again
LAST_TRY, LAST_TRIES = 30.0, 3  # s that it may take to store the rest at the end, and tries that may fail


def run(settings, journal, connection):
    """Store what the journal holds until told to stop. Exits with 1 where not all was stored."""
    show(log, settings.verbose)
    try:
        check_files(settings)
    except Refused as refusal:
        connection.send(("refused", str(refusal)))
        return
    writer = Writer(settings, journal)
    connection.send(("ready", writer.position))
    said, stopped = writer.position, False
    while not stopped:
        command = connection.recv()[0] if connection.poll(writer.pause()) else ""
        stopped = command == "stop"
        if stopped:
            writer.finish()
        else:
            writer.work(must=bool(command))
        if command or writer.position != said:
            said = writer.position
            connection.send(("position", said))
    done = writer.behind() == 0
    writer.close()
    if not done:
        sys.exit(1)


class _Bulk:
    """Documents on their way: `start` and `end` are the positions in the journal below which all is stored before
    and after it, `mark` up to where it may reach into an entry; `arrival` is that of its first entry (ns)."""

    def __init__(self, start):
        self.start = self.end = self.mark = start
        self.parts, self.size = [], 0
        self.arrival = 0
        self.doubtful = False           # an answer about some of it may have been missed

    def add(self, part, position, mark, arrival):
        """Take over `part` of the entry from `position` to `mark`."""
        self.arrival = self.arrival or arrival
        self.end, self.mark = position, mark
        self.parts.append(part)
        self.size += len(part.data)


class Writer:
    """Reads the journal in the directory `journal` on from what is stored, and sends it in bulks."""

    def __init__(self, settings, journal, client=None):
        self._journal = journal
        self.state = states.load(journal)
        self._client = client or Client(settings)
        self._indices = Indices(self._client, settings)
        self._sender = Sender(self._client, self._indices, settings.elastic_bulk_size)
        self._limit, self._period = settings.elastic_bulk_size, settings.sample_period
        entries = Entries()
        entries.catch_up(journal, self.state.position)
        self._documents = Documents(settings.elastic_index_prefix, entries)
        self._bulk = _Bulk(self.state.position)
        self._doubt = self.state.sending    # what lies below may have been stored before this start
        self._stream = None
        self._tries, self._again = 0, 0.0   # without success, and when the next is due (monotonic s)
        self._told = set()                  # what is wrong, as it was said
        self._reading = self.state.position

    @property
    def position(self):
        """Position below which all is stored or rejected."""
        return self.state.position

    def behind(self):
        """Bytes of the journal that are not stored."""
        return max(0, _end(self._journal) - self.state.position)

    def pause(self):
        """How long to wait before `work` has something to do, s."""
        if self._tries:
            return max(0.0, self._again - time.monotonic())
        return min(max(LOOK_EVERY[0], self._period / 4), LOOK_EVERY[1])

    def work(self, must=False, until=None):
        """Read what is new in the journal, and send what is due; all that there is with `must`. Ends at `until`
        (monotonic s)."""
        if self._tries and not must and time.monotonic() < self._again:
            return
        if self._tries and not self._send():
            return
        if self._stream is None:
            self._stream = self._parts()
        for part, position, mark, arrival in self._stream:
            if part is None:
                self._bulk.end = self._bulk.mark = position
                continue
            self._bulk.add(part, position, mark, arrival)
            self._bulk.doubtful = self._bulk.doubtful or position < self._doubt
            if self._bulk.size >= self._limit and not self._send():
                return
            if until and time.monotonic() > until:
                return
        self._stream = None
        age = (time.time_ns() - self._bulk.arrival) / 1e9
        if self._bulk.parts and (must or not 0 <= age < self._period):
            self._send()
        elif not self._bulk.parts and self._bulk.end != self.state.position:
            self._commit()

    def finish(self):
        """Store what there is, as far as that is possible soon."""
        until = time.monotonic() + LAST_TRY
        self._tries = min(self._tries, 1)       # with short pauses, however long it has been away
        for more in reversed(range(LAST_TRIES)):
            self.work(must=True, until=until)
            if not self._tries or not more or time.monotonic() + self.pause() > until:
                return
            time.sleep(self.pause())

    def close(self):
        """Let go of the connections."""
        self._client.close()

    def _parts(self):
        """(part, position, mark, arrival) for each part of each entry that is there now; at the end of each entry
        None in place of the part, and the position after it."""
        for entry in read(self._journal, self._reading, self._skipped):
            for part in self._documents.of(entry):
                yield part, entry.position, entry.next, entry.arrival
            self._reading = entry.next
            yield None, entry.next, entry.next, entry.arrival

    def _send(self):
        """Try to have the bulk stored; returns whether all of it is done. What fails is said once."""
        bulk, state, busy = self._bulk, self.state, False
        try:
            settle(self._journal)
            if state.sending < bulk.mark:
                state.sending = bulk.mark
                state.save(self._journal)
            why, busy = self._try(bulk)
        except OSError as error:
            why = "%s: %s" % (self._journal, error.strerror or error)
        if not why:
            self._succeeded()
            try:
                self._commit()
                return True
            except OSError as error:
                why = "%s: %s" % (self._journal, error.strerror or error)
        self._failed(why, busy)
        return False

    def _try(self, bulk):
        """Send what is left of `bulk`; returns "" or why some of it waits, and whether the server is just busy."""
        waiting, why, busy = [], "", True
        requests = list(chunks(bulk.parts, self._sender.limit))
        for place, parts in enumerate(requests):
            try:
                outcome = self._sender.send(parts, bulk.doubtful)
            except Trouble as trouble:
                bulk.doubtful = bulk.doubtful or trouble.unread
                self._indices.forget()
                bulk.parts = waiting + [part for each in requests[place:] for part in each]
                return str(trouble), trouble.busy
            self._count(outcome)
            waiting += outcome.left
            bulk.parts = waiting + [part for each in requests[place + 1:] for part in each]
            bulk.doubtful = bulk.doubtful or outcome.unread
            why, busy = why or outcome.why, busy and outcome.busy
        return why, busy

    def _count(self, outcome):
        state = self.state
        if outcome.rejections:
            file = states.reject(self._journal, outcome.rejections)
            first = outcome.rejections[0]
            if not state.rejected:
                log.error("%s: a document was rejected for good (%d: %s); it is in %s, as others will be, untold",
                          first.index, first.status, first.reason, file)
        state.stored += outcome.stored
        state.retried += len(outcome.left)
        state.rejected += len(outcome.rejections)

    def _commit(self):
        """All of the bulk is done: the next begins."""
        state, bulk = self.state, self._bulk
        state.position, state.sending = bulk.end, max(bulk.mark, min(self._doubt, _end(self._journal)))
        state.save(self._journal)
        self._bulk = _Bulk(bulk.end)
        self._bulk.mark = bulk.mark

    def _succeeded(self):
        if self._told:
            tell("%s: stores again; nothing was lost" % self._client.host)
        self._tries, self._told, self.state.error = 0, set(), ""

    def _failed(self, why, busy):
        if busy:
            log.warning("%s; sending it again", why)
        elif why not in self._told and len(self._told) < MOST_TOLD:
            log.error("%s; until then the journal keeps what comes", why)
            self._told.add(why)
        self.state.failed(why)
        self._tries += 1
        most = min(RETRY[1], RETRY[0] * 2 ** min(self._tries // self._client.hosts, 20))
        self._again = time.monotonic() + random.uniform(most / 2, most)
        try:
            self.state.save(self._journal)
        except OSError as error:
            log.warning("%s: %s", self._journal, error.strerror)

    def _skipped(self, position, size):
        log.error("%s: %d bytes from position %d on are damaged and are left out", self._journal, size, position)


def _end(journal):
    """The position after the last entry in the directory `journal`."""
    starts = segments(journal)
    if not starts:
        return 0
    return starts[-1] + os.stat(os.path.join(journal, "%020d%s" % (starts[-1], SUFFIX))).st_size
