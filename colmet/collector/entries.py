"""Journal entries as batches: what every writer reads."""
import json

from colmet.collector import legacy
from colmet.common import wire
from colmet.common.journal import LEGACY, NATIVE, SCHEMAS, read, segments
from colmet.common.metrics import TABLES


def known_tables():
    """The tables of this release by fingerprint: where a description from outside says the same, they stand in."""
    return {table.fingerprint: table for table in TABLES.values()}


class Entries:
    """Turns entries, given in the journal's order, into batches. `faults` counts what could not be read, by kind;
    only damage or a journal of another release makes any, as the receiver checks what it writes."""

    def __init__(self):
        self.tables = known_tables()
        self.faults = {}
        self._tails = wire.Tails()

    def catch_up(self, journal, position):
        """Learn what the segment of `position`, in the directory `journal`, describes before it: whoever begins to
        read there needs it. At the start of a segment there is nothing to learn."""
        before = [start for start in segments(journal) if start <= position]
        for entry in read(journal, before[-1]) if before else ():
            if entry.position >= position:
                break
            if entry.kind == SCHEMAS:
                self.batches(entry)

    def batches(self, entry):
        """The batches of `entry`, [] for one that holds schemas. Those of Colmet 0.6 have session 0, sequence 0."""
        batches, faults = [], []
        try:
            if entry.kind == SCHEMAS:
                self._learn(entry.payload)
            elif entry.kind == NATIVE:
                batch, faults = wire.unpack(wire.split(entry.payload), self.tables, self._tails, checked=True)
                batches = [batch]
            elif entry.kind == LEGACY:
                batches, faults = legacy.decode(entry.payload)
            else:
                faults = ["entry of an unknown kind"]
        except wire.Malformed as error:
            faults = [str(error)]
        for fault in faults:
            self.faults[fault] = self.faults.get(fault, 0) + 1
        return batches

    def _learn(self, payload):
        try:
            schemas = json.loads(payload)
        except ValueError:
            raise wire.Malformed("schemas that are no JSON") from None
        self.tables.update({fingerprint: table for fingerprint, table in wire.read_schemas(schemas).items()
                            if fingerprint not in self.tables})
