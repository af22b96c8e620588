"""The native wire: node DEALER to collector ROUTER. Pure functions between messages and frames.

Every message is multipart: ``CLM1``, a JSON object whose "type" says what it is, then what belongs to
it. A batch: its own JSON header and one frame of cells per table (`colmet.common.batch`).

    hello    node: version, node, cluster, session, sequence, oldest, schemas
             collector: version, epoch, session, upto, ranges
    batch    session, sequence, oldest; then header and blocks
    ack      epoch, session, upto, ranges
    need     fingerprints: schemas that the collector lacks; answered with
    schemas  schemas
    refuse   reason, and sequence where one batch was meant
"""
import json
import struct
from itertools import chain

from colmet.common.batch import INDEX_CELLS, Batch, Block
from colmet.common.description import table_from

MAGIC = b"CLM1"
PROTOCOL = 1
MAX_FRAMES = 256                    # of a message
MAX_FRAME = 64 * 2 ** 20            # bytes of a frame
MAX_HEADER = 4 * 2 ** 20            # bytes of a JSON frame
MAX_NAME = 255                      # bytes of a node's, cluster's or user's name, a job id or an instance
MAX_TAILS = 8 * 2 ** 20             # bytes of `Tails`
_JOBS = b'{"jobs":'
_HEAD = b'{"node":%b,"cluster":%b,"session":%d,"sequence":%d,"time":%d,"boottime":%d,'     # and a `Tail`
_LENGTH = struct.Struct("<I")
_DECODE = json.JSONDecoder().scan_once        # what raw_decode calls
_ENCODER = json.JSONEncoder(separators=(",", ":"))


class Malformed(ValueError):
    """What came is not a message of this wire; the text is a short kind of fault, fit for counting."""


class UnknownSchemas(Malformed):
    """A batch holds tables whose description has not come; `fingerprints` says which."""

    def __init__(self, fingerprints):
        super().__init__("unknown schema")
        self.fingerprints = fingerprints


def message(kind, payload=(), **fields):
    """Frames of a message of type `kind` with `fields`, followed by the frames of `payload`."""
    return [MAGIC, _json(dict(fields, type=kind))] + list(payload)


def ack(epoch, session, upto, ranges):
    """Frames of the message of that name. One answers nearly every batch, so that it is not left to `message`."""
    return [MAGIC, b'{"epoch":%d,"session":%d,"upto":%d,"ranges":%s,"type":"ack"}'
            % (epoch, session, upto, _json(ranges) if ranges else b"[]")]


def carry(session, sequence, oldest, frames):
    """Frames of the message that brings a batch, which `pack` made; of nearly every message of a node."""
    return [MAGIC, b'{"session":%d,"sequence":%d,"oldest":%d,"type":"batch"}' % (session, sequence, oldest)] + frames


def parse(frames):
    """(fields, payload frames) of a message; raises Malformed."""
    if len(frames) < 2 or frames[0] != MAGIC:
        raise Malformed("not a message of this wire")
    if len(frames) > MAX_FRAMES:
        raise Malformed("too many frames")
    fields = _object(frames[1])
    if not isinstance(fields.get("type"), str):
        raise Malformed("message without a type")
    return fields, frames[2:]


def pack(batch, tail=None):
    """Frames of `batch`: its header and one of cells per block. They are what the outbox keeps, the
    journal stores and `unpack` reads. Who packs batch after batch gives the same `Tail` each time."""
    blocks = [[block.table.name, block.table.fingerprint, block.rows] for block in batch.blocks]
    head = _HEAD % (_json(batch.node), _json(batch.cluster), batch.session, batch.sequence, batch.time, batch.boottime)
    return [head + (tail or Tail()).write(batch.jobs, batch.strings, blocks)] + [block.data for block in batch.blocks]


class Tail:
    """The second half of the header packed last: mostly that of the next one too."""

    def __init__(self):
        self._of, self._text = None, b""

    def write(self, jobs, strings, blocks):
        """From "jobs" on, with the end of the object."""
        if self._of != (jobs, strings, blocks):
            self._of = (jobs, strings, blocks)
            self._text = _json({"jobs": jobs, "strings": strings, "blocks": blocks})[1:]
        return self._text


def unpack(frames, tables, tails=None, checked=False):
    """(batch, faults) from the frames of `pack`. `tables` maps fingerprints to tables; raises
    UnknownSchemas where one lacks and Malformed where the header is unusable. A bad block costs
    itself only: `faults` names what was wrong with each that was left out. Who unpacks many
    batches gives the same `Tails` each time; their jobs and strings are then shared. `checked` says
    that these very bytes were unpacked before without a fault: their values are not looked at again."""
    batch, blocks = _header(frames[0], tails or Tails(), checked) if frames else _whole({})
    unknown = [fingerprint for _, fingerprint, _ in blocks if fingerprint not in tables]
    if unknown:
        raise UnknownSchemas(sorted(set(unknown)))
    faults = []
    if len(blocks) != len(frames) - 1:
        faults.append("blocks and frames differ in number")
    for (name, fingerprint, rows), data in zip(blocks, frames[1:]):
        block = Block(tables[fingerprint], data)
        fault = _block_fault(block, name, rows, batch, checked)
        if fault:
            faults.append(fault)
        else:
            batch.blocks.append(block)
    return batch, faults


class Tails:
    """The second halves of batch headers, from "jobs" on. They mostly are those of the node's batch before, so each
    is read and checked once. About 8 MB of them are kept, with what they say; the one known longest goes first."""

    def __init__(self):
        self._known, self._bytes = {}, 0

    def read(self, data):
        """(jobs, strings, blocks) of such a half; raises Malformed."""
        known = self._known.get(data)
        if known is None:
            fields = _object(_JOBS + data)
            known = _tail(fields)
            if len(fields) != len(known):
                raise Malformed("batch header of a wrong shape")
            self._known[data] = known
            self._bytes += len(data)
            while self._bytes > MAX_TAILS:
                oldest = next(iter(self._known))
                self._bytes -= len(oldest)
                del self._known[oldest]
        return known


def _block_fault(block, name, rows, batch, checked):
    table, data = block.table, block.data
    if name != table.name:
        return "block and schema differ in name"
    if not rows or len(data) != rows * table.layout.size:
        return "block of a wrong length"
    if checked:
        return ""
    step = INDEX_CELLS + len(table.metrics)
    places = memoryview(data).cast("Q")         # what is below 0 is far too great so
    if max(places[0::step].tolist()) >= len(batch.jobs) or max(places[1::step].tolist()) >= len(batch.strings):
        return "row of no job or string"
    return ""


def _header(data, tails, checked):
    """(batch without blocks, what the header says of them). Where both halves are JSON objects with other names,
    the whole is the object of both; where not, the whole tells what is wrong, if anything is."""
    if len(data) > MAX_HEADER:
        raise Malformed("header too long")
    head, _, tail = bytes(data).partition(b"," + _JOBS[1:])
    try:
        jobs, strings, blocks = tails.read(tail)
        return (_batch if checked else _head)(_object(head + b"}"), jobs, strings), blocks
    except Malformed:
        return _whole(_object(data))


def _whole(header):
    jobs, strings, blocks = _tail(header)
    return _head(header, jobs, strings), blocks


def _head(header, jobs, strings):
    """The batch of a header with these `jobs` and `strings`."""
    batch = _batch(header, jobs, strings)
    for number in (batch.session, batch.sequence, batch.time, batch.boottime):
        if type(number) is not int or not 0 <= number < 2 ** 63:
            raise Malformed("batch header of a wrong shape")
    if not usable((batch.node, batch.cluster)) or not batch.node:
        raise Malformed("name that is no text, empty or too long")
    return batch


def _batch(header, jobs, strings):
    try:
        return Batch(header["node"], header["session"], header["sequence"], header["time"], header["boottime"],
                     jobs, strings, [], header["cluster"])
    except KeyError:
        raise Malformed("batch header of a wrong shape") from None


def _tail(header):
    """(jobs, strings, blocks) of a header."""
    try:
        jobs, strings, blocks = header["jobs"], header["strings"], header["blocks"]
        texts = strings + [job["job"] for job in jobs]
        texts += [job[name] for job in jobs if len(job) > 1 for name in ("user", "cluster", "scheduler")
                  if name in job]
        steps = [job["steps"] for job in jobs if "steps" in job]
        lists = all(isinstance(each, list) for each in [jobs, strings, blocks] + steps)
        texts += chain.from_iterable(steps)
        fit = all(isinstance(n, str) and isinstance(f, str) and isinstance(r, int) for n, f, r in blocks)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Malformed("batch header of a wrong shape") from None
    if not lists or not fit:
        raise Malformed("batch header of a wrong shape")
    if not texts or not usable(texts):
        raise Malformed("name that is no text, empty or too long")
    if jobs[:1] != [{"job": "0"}] or strings[:1] != [""]:
        raise Malformed("batch header of a wrong shape")
    return jobs, strings, blocks


def usable(texts):
    """Whether all of `texts` are text of at most MAX_NAME bytes in UTF-8."""
    try:
        joined = "".join(texts)
        if joined.isascii():
            return len(joined) <= MAX_NAME or max(map(len, texts)) <= MAX_NAME
        return all(len(text.encode()) <= MAX_NAME for text in texts)
    except (TypeError, UnicodeEncodeError):     # JSON can carry other values, and half a surrogate pair
        return False


def schemas(tables):
    """The "schemas" field for `tables`: descriptions by fingerprint."""
    return {table.fingerprint: table.describe() for table in tables}


def read_schemas(field):
    """Tables by fingerprint from a "schemas" field; raises Malformed."""
    try:
        tables = {fingerprint: table_from(description) for fingerprint, description in field.items()}
    except (AttributeError, ValueError):
        raise Malformed("unusable schema") from None
    if any(table.fingerprint != fingerprint for fingerprint, table in tables.items()):
        raise Malformed("schema of another fingerprint")
    return tables


def join(frames):
    """One bytes object of `frames`, as the journal and the spool store them."""
    parts = []
    for frame in frames:
        parts += _LENGTH.pack(len(frame)), frame
    return b"".join(parts)


def split(data):
    """The frames that `join` put together; raises Malformed."""
    frames, place = [], 0
    while place < len(data):
        if len(data) - place < 4:
            raise Malformed("frames of a wrong length")
        end = place + 4 + _LENGTH.unpack_from(data, place)[0]
        if end > len(data):
            raise Malformed("frames of a wrong length")
        frames.append(data[place + 4:end])
        place = end
    return frames


def _json(value):
    return _ENCODER.encode(value).encode()


def _object(data):
    if len(data) > MAX_HEADER:
        raise Malformed("header too long")
    try:
        text = str(data, "utf-8").strip(" \t\r\n")
        value, end = _DECODE(text, 0)
    except (ValueError, RecursionError, StopIteration):
        raise Malformed("header that is no JSON") from None
    if end != len(text):
        raise Malformed("header that is no JSON")
    if not isinstance(value, dict):
        raise Malformed("header that is no JSON object")
    return value
