"""Batches as documents: the lines of a ``_bulk`` request. Pure, and the hot path of the writer: bytes are made from
one template for each table, without an object for each document.

The id of a document is node-session-sequence-block-row; 0.6 numbers nothing, so its messages have the time of their
arrival and their place in the journal where others have session and sequence. It never depends on what is stored,
so that what is sent again has the same.
"""
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, List, NamedTuple, Tuple

from colmet.collector.elasticsearch.mapping import Layout, Layouts
from colmet.common.batch import INDEX_CELLS
from colmet.common.facts import FIELDS, job_facts
from colmet.common.journal import LEGACY
from colmet.common.names import job_number
from colmet.common.schema import MISSING, MISSING_06

PART_BYTES = 2 ** 20        # about what a `Part` has at most, unless a single document is larger
VALUE_BYTES = 40            # about what a metric takes in a document, name included
MAX_NODES = 20000           # whose names and jobs are remembered as JSON
_UNKNOWN_HIGH = 0x80        # the last byte of a cell that is MISSING
_NO_NUMBER_HIGH = (0x7f, 0xff)      # and of a float64 that may be no number


class Part(NamedTuple):
    """Some documents of one index that follow each other: `data` is two lines for each, `count` how many."""
    layout: Layout
    data: bytes
    count: int

    def split(self):
        """A `Part` for each document."""
        lines = self.data.split(b"\n")
        return [Part(self.layout, b"%b\n%b\n" % pair, 1) for pair in zip(lines[0::2], lines[1::2])]

    @property
    def id(self):
        """The id of its only document."""
        return json.loads(self.data.split(b"\n", 1)[0])["create"]["_id"]


class _Shape(NamedTuple):
    """How the rows of a table are written: `unpack` gives its metrics, `fast` fits where all are known."""
    layout: Layout
    unpack: Any
    fast: bytes
    keys: Tuple[bytes, ...]
    unknown: Tuple[Any, ...]        # what a metric has where nothing is known; None: its key is left out
    floats: bool
    rows: int                       # of a `Part`


@dataclass
class _Node:
    """A node's names as JSON: `jobs` and `strings` are those of its latest batch."""
    jobs: List
    strings: List
    cluster: str
    host: bytes
    name: bytes
    job_fields: List[bytes]
    texts: List[bytes]
    involved: bytes


class Documents:
    """Turns journal entries into `Part`s. `prefix` begins the names of all indices."""

    def __init__(self, prefix, entries):
        self._entries, self._layouts = entries, Layouts(prefix)
        self._shapes, self._nodes = {}, {}

    def of(self, entry):
        """Yield the `Part`s of `entry`."""
        number = 0                  # of the block in the entry
        for batch in self._entries.batches(entry):
            first, second = batch.session, batch.sequence
            if entry.kind == LEGACY:
                first, second = entry.arrival, entry.position
            node = self._node(batch)
            for block in batch.blocks:
                yield from self._block(block, batch.time, node, b"%b-%d-%d-%d-" % (node.name, first, second, number))
                number += 1

    def _block(self, block, time, node, name):
        shape = self._shapes.get(block.table)
        if shape is None:
            shape = self._shapes[block.table] = _shape(self._layouts.get(block.table))
        begin, tail = _frame(shape, time, node, name)
        data, step = block.data, (INDEX_CELLS + len(shape.keys)) * 8
        for start in range(0, len(data), shape.rows * step):
            piece = data[start:start + shape.rows * step] if start or len(data) > shape.rows * step else data
            first = start // step
            yield Part(shape.layout, _lines(shape, piece, first, begin, tail, node), len(piece) // step)

    def _node(self, batch):
        node = self._nodes.get(batch.node)
        if node is None or node.jobs is not batch.jobs or node.strings is not batch.strings \
                or node.cluster != batch.cluster:
            if len(self._nodes) >= MAX_NODES:
                self._nodes.clear()
            node = self._nodes[batch.node] = _describe(batch)
        return node


def _frame(shape, time, node, name):
    """(what all documents of a block begin with, what they end with), as templates."""
    begin = b'{"create":{"_index":%b,"_id":"%b%%d"}}\n{"hostname":%b%%b,"timestamp":%d,"@timestamp":%d' % (
        _index(shape.layout), name, node.host, time // 10 ** 9, time // 10 ** 6)
    if not shape.layout.legacy:
        begin += b',"time":%d' % time
    if shape.layout.instance:
        begin += b',"%b":%%b' % shape.layout.instance.encode()
    involved = shape.layout.table.involved_jobs == "wire"
    return begin, (node.involved if involved else b"") + b"}\n"


def _lines(shape, data, first, begin, tail, node):
    """The lines of the rows in `data`, the first of which is the block's row `first`."""
    cells, step = memoryview(data).cast("q"), INDEX_CELLS + len(shape.keys)
    jobs = [node.job_fields[place] for place in cells[0::step].tolist()]
    heads = list(enumerate(jobs, first))
    if shape.layout.instance:
        texts = [node.texts[place] for place in cells[1::step].tolist()]
        heads = [(number, job, text) for (number, job), text in zip(heads, texts)]
    rows = shape.unpack(data)
    high = data[7::8]
    if _UNKNOWN_HIGH in high or shape.floats and any(byte in high for byte in _NO_NUMBER_HIGH):
        return b"".join([begin % head + _known(shape, row) + tail for head, row in zip(heads, rows)])
    template = begin + shape.fast + tail
    return b"".join([template % (head + row) for head, row in zip(heads, rows)])


def _known(shape, row):
    """The metrics of `row` of which something is known."""
    fields = []
    for key, unknown, value in zip(shape.keys, shape.unknown, row):
        if value == MISSING or value - value != 0:      # NaN and infinite are no numbers of JSON
            value = unknown
        if value is not None:
            fields.append(key % value)
    return b"".join(fields)


def _shape(layout):
    table = layout.table
    keys = tuple(b',"%b":%b' % (column.encode(), b"%a" if metric.code == "d" else b"%d")
                 for column, metric in zip(layout.columns, table.metrics))
    rows = max(1, PART_BYTES // (VALUE_BYTES * (len(keys) + INDEX_CELLS)))
    return _Shape(layout, _unpacker(table), b"".join(keys), keys, tuple(_unknown(m) for m in table.metrics),
                  "d" in table.codes, rows)


def _unknown(metric):
    """0.6 sends -1 where nothing is known and the field has a sign."""
    return {"q": MISSING_06, "f": float(MISSING_06)}.get(metric.wire06)


def _unpacker(table):
    cells = table.layout
    skip = type(cells)("<%dx%s" % (8 * INDEX_CELLS, table.codes))
    return skip.iter_unpack


@lru_cache(maxsize=1000)
def _index(layout):
    return json.dumps(layout.index).encode().replace(b"%", b"%%")


def _describe(batch):
    host = json.dumps(batch.node).encode().replace(b"%", b"%%")
    involved = sorted({job_number(job) for job in batch.present()} - {-1})
    return _Node(batch.jobs, batch.strings, batch.cluster, host, host[1:-1],
                 [_job_fields(job, batch.cluster) for job in batch.jobs],
                 [json.dumps(text).encode() for text in batch.strings],
                 b',"involved_jobs":[%b]' % b",".join([b"%d" % job for job in involved]))


def _job_fields(job, cluster):
    found = b',"job_id":%d,"job":%b' % (job_number(job["job"]), json.dumps(job["job"]).encode())
    for name, known in job_facts(job, cluster).items():
        found += b',"%b":%b' % (FIELDS[name].encode(), json.dumps(known, separators=(",", ":")).encode())
    return found
