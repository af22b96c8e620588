"""From messages to the journal: what is checked, stored and answered. Sockets and disk times are the receiver's.

An acknowledgement and the answer to a hello say what is stored, so they leave only after the journal was synced:
`answers` gives them then. Everything that comes is hostile until checked (`colmet.common.wire`).
"""
import json
from collections import OrderedDict
from dataclasses import dataclass

from colmet.collector import legacy
from colmet.collector.entries import known_tables
from colmet.collector.log import log
from colmet.common import wire, wire06
from colmet.common.journal import LEGACY, NATIVE, SCHEMAS, read
from colmet.common.names import safe

MAX_FOREIGN = 32 * 2 ** 20      # bytes of descriptions that are not this release's; the one known longest goes first
MAX_NEEDED = 256                # fingerprints that are asked for at once
MAX_NAMES = 20000               # peers whose node's name is remembered, for messages about them
PEER_06, UNNAMED = "0.6-wire", "unnamed-peer"


@dataclass
class Counts:
    """Records received and stored, batches that came twice and that nodes lost, since the start."""
    received: int = 0
    stored: int = 0
    doubled: int = 0
    lost: int = 0


class Intake:
    """Takes messages one by one; `epoch` tells this run of the collector from others. Where the journal cannot
    take one (OSError from `native` and `legacy`), it counts as not received."""

    def __init__(self, journal, sequences, faults, epoch):
        self.journal, self.sequences, self.faults, self.epoch = journal, sequences, faults, epoch
        self.tables = known_tables()
        self.counts = Counts()
        self._tails = wire.Tails()
        self.held = 0               # records stored since the last sync
        self.seen = None            # where there is one, called with each batch that was stored
        self._foreign = OrderedDict()       # fingerprint: bytes, of those of `tables` that are not ours
        self._names = OrderedDict()         # ZeroMQ identity: node
        self._segment = None        # of the journal, and the fingerprints that are described in it
        self._described = set()
        self._waiting = {}          # (ZeroMQ identity, node, session): type of the answer

    @property
    def waiting(self):
        """Whether a peer waits for an answer that needs a sync."""
        return bool(self._waiting)

    def legacy(self, message, arrival):
        """A message of Colmet 0.6: its good records are stored, up to the last of them."""
        runs, faults = legacy.scan(message)
        for fault in faults:
            self.faults.add(runs[0].host if runs else PEER_06, fault)
        if not runs:
            return
        last = runs[-1]
        end = last.place + last.count * wire06.layout(last.table).size
        self.journal.append(LEGACY, message[:end], arrival)
        for batch in legacy.decode(message[:end])[0] if self.seen else ():
            self.seen(batch)
        self._stored(sum(run.count for run in runs))

    def native(self, identity, frames, arrival):
        """A message of the native wire from the peer `identity`; returns what to answer at once, or None."""
        try:
            fields, payload = wire.parse(frames)
            if fields["type"] == "batch":
                return self._batch(identity, fields, payload, arrival)
            if fields["type"] == "hello":
                return self._hello(identity, fields)
            if fields["type"] == "schemas":
                self._learn(fields.get("schemas"))
                return None
            raise wire.Malformed("message of an unknown type")
        except wire.Malformed as error:
            self._fault(identity, str(error))
            return None

    def answers(self):
        """(identity, frames) of the answers that waited: the journal has been synced."""
        waiting, self._waiting, self.held = self._waiting, {}, 0
        for (identity, node, session), kind in waiting.items():
            state = self.sequences.get(node, session)
            if kind == "ack":
                yield identity, wire.ack(self.epoch, session, state.upto, state.ranges)
            else:
                yield identity, wire.message(kind, version=wire.PROTOCOL, epoch=self.epoch, session=session,
                                             upto=state.upto, ranges=state.ranges)

    def _hello(self, identity, fields):
        if fields.get("version") != wire.PROTOCOL:
            self._fault(identity, "another version of the native wire")
            return wire.message("refuse", reason="this collector speaks version %d of the native wire" % wire.PROTOCOL)
        node, session = fields.get("node"), _count(fields, "session")
        if not node or not wire.usable([node]):
            raise wire.Malformed("hello without a usable name")
        self._names[identity] = node
        if len(self._names) > MAX_NAMES:
            self._names.popitem(last=False)
        self._learn(fields.get("schemas", {}))
        oldest = _count(fields, "oldest")
        state = self.sequences.get(node, session)
        if state.lost is not None:
            self._give_up(state, node, oldest)
        self._waiting[identity, node, session] = "hello"
        log.info("%s says hello: session %d, batches from %d on", safe(node), session, oldest)
        return None

    def _batch(self, identity, fields, payload, arrival):
        sequence = _count(fields, "sequence")
        try:
            batch, faults = wire.unpack(payload, self.tables, self._tails)
            if batch.sequence != sequence or batch.session != _count(fields, "session") or not sequence:
                raise wire.Malformed("batch of another session or sequence than its message")
            oldest = _count(fields, "oldest")
            if oldest > sequence:
                raise wire.Malformed("batch older than the oldest")
            if faults and not batch.blocks:
                raise wire.Malformed(faults[0])
        except wire.UnknownSchemas as error:
            return wire.message("need", fingerprints=error.fingerprints[:MAX_NEEDED])
        except wire.Malformed as error:
            self._fault(identity, str(error))
            return wire.message("refuse", reason=str(error), sequence=sequence)
        for fault in faults:
            self.faults.add(batch.node, fault)
        self._store(identity, batch, oldest, wire.pack(batch) if faults else payload, arrival)
        return None

    def _store(self, identity, batch, oldest, payload, arrival):
        node, session, sequence = batch.node, batch.session, batch.sequence
        state = self.sequences.get(node, session)
        records = 0
        for block in batch.blocks:
            records += block.rows
        if sequence in state:
            self.counts.received += records
            self.counts.doubled += 1
        elif not state.accepts(sequence):
            self.faults.add(node, "batches with too many gaps between them, not acknowledged")
            return
        else:
            self._describe(batch.blocks)
            self.journal.append(NATIVE, wire.join(payload), arrival)
            state.add(sequence)
            self._stored(records)
            if self.seen:
                self.seen(batch)
        if oldest > state.upto + 1 or state.lost is None:
            self._give_up(state, node, oldest)
        self.sequences.keep(node, session, state)
        self._waiting.setdefault((identity, node, session), "ack")

    def _give_up(self, state, node, oldest):
        lost = state.give_up(oldest)
        if lost:
            self.counts.lost += lost
            if state.lost.bit_length() > (state.lost - lost).bit_length():      # told when it has doubled
                log.error("%s gave up %d batches before they came", safe(node), state.lost)

    def _stored(self, records):
        self.held += records
        self.counts.received += records
        self.counts.stored += records

    def _fault(self, identity, kind):
        self.faults.add(self._names.get(identity, UNNAMED), kind)

    def _describe(self, blocks):
        """Put the description of the tables of `blocks` into the segment where the next entry goes, unless it is
        there."""
        while True:
            segment = self.journal.segment
            if segment != self._segment:
                self._segment, self._described = segment, set()
            lacking = [block.table for block in blocks if block.table.fingerprint not in self._described]
            if not lacking:
                return
            self.journal.append(SCHEMAS, json.dumps(wire.schemas(lacking)).encode())
            self._described.update(table.fingerprint for table in lacking)

    def _learn(self, schemas):
        if not isinstance(schemas, dict):
            raise wire.Malformed("unusable schema")
        new = {fingerprint: schemas[fingerprint] for fingerprint in schemas if fingerprint not in self.tables}
        self.tables.update(wire.read_schemas(new))
        for fingerprint, description in new.items():
            self._foreign[fingerprint] = len(json.dumps(description))
        while sum(self._foreign.values()) > MAX_FOREIGN:
            del self.tables[self._foreign.popitem(last=False)[0]]


def replay(directory, sequences, position):
    """Complete `sequences`, that hold all entries below `position`, from the journal in `directory`."""
    for entry in read(directory, position):
        if entry.kind == NATIVE:
            header = json.loads(wire.split(entry.payload)[0])
            state = sequences.get(header["node"], header["session"])
            if header["sequence"] not in state and state.accepts(header["sequence"]):
                state.add(header["sequence"])
            sequences.keep(header["node"], header["session"], state)


def _count(fields, name):
    value = fields.get(name)
    if type(value) is int and 0 <= value < 2 ** 63:
        return value
    raise wire.Malformed("message whose %s is no number" % name)
