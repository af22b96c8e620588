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

from colmet.common.batch import Batch, Block, row_struct
from colmet.common.description import table_from

MAGIC = b"CLM1"
PROTOCOL = 1
MAX_FRAMES = 256                    # of a message
MAX_FRAME = 64 * 2 ** 20            # bytes of a frame
MAX_HEADER = 4 * 2 ** 20            # bytes of a JSON frame
MAX_NAME = 255                      # bytes of a node's, cluster's or user's name, a job id or an instance
_LENGTH = struct.Struct("<I")


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


def pack(batch):
    """Frames of `batch`: its header and one of cells per block. They are what the outbox keeps, the
    journal stores and `unpack` reads."""
    blocks = [[block.table.name, block.table.fingerprint, block.rows] for block in batch.blocks]
    header = {"node": batch.node, "cluster": batch.cluster, "session": batch.session,
              "sequence": batch.sequence, "time": batch.time, "boottime": batch.boottime,
              "jobs": batch.jobs, "strings": batch.strings, "blocks": blocks}
    return [_json(header)] + [block.data for block in batch.blocks]


def unpack(frames, tables):
    """(batch, faults) from the frames of `pack`. `tables` maps fingerprints to tables; raises
    UnknownSchemas where one lacks and Malformed where the header is unusable. A bad block costs
    itself only: `faults` names what was wrong with each that was left out."""
    header = _object(frames[0]) if frames else {}
    batch = _batch(header)
    unknown = sorted({fingerprint for _, fingerprint, _ in header["blocks"]} - set(tables))
    if unknown:
        raise UnknownSchemas(unknown)
    faults = []
    if len(header["blocks"]) != len(frames) - 1:
        faults.append("blocks and frames differ in number")
    for (name, fingerprint, rows), data in zip(header["blocks"], frames[1:]):
        block = Block(tables[fingerprint], data)
        fault = _block_fault(block, name, rows, batch)
        if fault:
            faults.append(fault)
        else:
            batch.blocks.append(block)
    return batch, faults


def _block_fault(block, name, rows, batch):
    size = row_struct(block.table).size
    if name != block.table.name:
        return "block and schema differ in name"
    if not rows or len(block.data) != rows * size:
        return "block of a wrong length"
    places = memoryview(block.data).cast("q")
    step = size // 8
    jobs, strings = places[0::step].tolist(), places[1::step].tolist()
    if min(jobs) < 0 or max(jobs) >= len(batch.jobs) or min(strings) < 0 or max(strings) >= len(batch.strings):
        return "row of no job or string"
    return ""


def _batch(header):
    try:
        numbers = [header[name] for name in ("session", "sequence", "time", "boottime")]
        texts = [header["node"], header["cluster"]] + header["strings"] + [job["job"] for job in header["jobs"]]
        texts += [job[name] for job in header["jobs"] if len(job) > 1 for name in ("user", "cluster") if name in job]
        lists = all(isinstance(header[name], list) for name in ("jobs", "strings", "blocks"))
        blocks = all(isinstance(n, str) and isinstance(f, str) and isinstance(r, int) for n, f, r in header["blocks"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Malformed("batch header of a wrong shape") from None
    if not (lists and blocks and all(type(number) is int and 0 <= number < 2 ** 63 for number in numbers)):
        raise Malformed("batch header of a wrong shape")
    if not usable(texts) or not header["node"]:
        raise Malformed("name that is no text, empty or too long")
    if header["jobs"][:1] != [{"job": "0"}] or header["strings"][:1] != [""]:
        raise Malformed("batch header of a wrong shape")
    return Batch(header["node"], *numbers, jobs=header["jobs"], strings=header["strings"], cluster=header["cluster"])


def usable(texts):
    """Whether all of `texts` are text of at most MAX_NAME bytes in UTF-8."""
    try:
        if "".join(texts).isascii():
            return max(map(len, texts)) <= MAX_NAME
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
    return b"".join(part for frame in frames for part in (_LENGTH.pack(len(frame)), frame))


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
    return json.dumps(value, separators=(",", ":")).encode()


def _object(data):
    if len(data) > MAX_HEADER:
        raise Malformed("header too long")
    try:
        value = json.loads(bytes(data).decode())
    except (ValueError, RecursionError):
        raise Malformed("header that is no JSON") from None
    if not isinstance(value, dict):
        raise Malformed("header that is no JSON object")
    return value
