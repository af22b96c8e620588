"""The wire of Colmet 0.6: one single-part message of records back to back, little-endian, unpadded.

Each record: metric_backend 255s, hostname 255s, job_id u64, timestamp u64 (s), the metrics that have a
`wire06` code in the table's order, and for some tables involved_jobs 8192s. Records of a message follow
the order of `TABLES`. Decoding is done in bulk by `colmet.collector.legacy`.
"""
import json
import struct
from functools import lru_cache
from typing import NamedTuple, Tuple

from colmet.common.names import job_number
from colmet.common.schema import MISSING, MISSING_06, Metric

NAME_BYTES = 255
INVOLVED_BYTES = 8192
HEADER = struct.Struct("<255s255sQQ")
_FOLDS = {"add": sum, "min": min, "max": max}
_UNSIGNED = {"Q": 2 ** 64 - 1, "I": 2 ** 32 - 1}


class Layout(NamedTuple):
    """One table's record: `body` is what follows the header, `places` where its metrics are in a row."""
    body: struct.Struct
    metrics: Tuple[Metric, ...]
    places: Tuple[int, ...]
    size: int


@lru_cache(maxsize=None)
def layout(table):
    """The `Layout` of `table`, which must be one of 0.6's."""
    places = tuple(place for place, metric in enumerate(table.metrics) if metric.wire06)
    metrics = tuple(table.metrics[place] for place in places)
    text = "%ds" % INVOLVED_BYTES if table.involved_jobs == "wire" else ""
    body = struct.Struct("<" + "".join(metric.wire06 for metric in metrics) + text)
    return Layout(body, metrics, places, HEADER.size + body.size)


def encode(batch):
    """(message, jobs cut) for the blocks of `batch` that 0.6 knows: b"" when there are none. Jobs that
    share an integer id are folded into one record; "jobs cut" did not fit into involved_jobs."""
    involved, cut = involved_jobs(batch.present())
    seconds = batch.time // 10 ** 9
    host = batch.node.encode()[:NAME_BYTES]
    records = []
    for block in batch.blocks:
        if block.table.legacy:
            records += _records(block, batch, host, seconds, involved)
    return b"".join(records), cut


def involved_jobs(jobs):
    """(text, left out): the sorted JSON list of the ids in `jobs` as 0.6 writes it, numbers where they are
    numbers; whole ids only, at most 8191 bytes, and how many did not fit."""
    ids = sorted(int(job) for job in jobs if job.isdigit() and len(job) < 19)
    ids += sorted(job for job in jobs if not job.isdigit() or len(job) > 18)
    text = json.dumps(ids).encode()
    if len(text) < INVOLVED_BYTES:
        return text, 0
    size, kept = 2, 0
    for each in ids:
        size += len(json.dumps(each)) + 2
        if size > INVOLVED_BYTES:
            break
        kept += 1
    return json.dumps(ids[:kept]).encode(), len(ids) - kept


def _records(block, batch, host, seconds, involved):
    shape = layout(block.table)
    by_job = {}
    for row in block:
        number = job_number(batch.jobs[row[0]]["job"])
        if number >= 0:
            by_job.setdefault(number, []).append(row[2:])
    name = block.table.name.encode()
    tail = [involved] if block.table.involved_jobs == "wire" else []
    for number, rows in by_job.items():
        cells = [_fold(metric, [row[place] for row in rows]) for metric, place in zip(shape.metrics, shape.places)]
        yield HEADER.pack(name, host, number, seconds) + shape.body.pack(*cells, *tail)


def _fold(metric, values):
    """One value for the wire; a missing one is -1, which in an unsigned field is all ones, as 0.6 reads it."""
    known = [value for value in values if value != MISSING and value == value]
    if not known:
        return float(MISSING_06) if metric.wire06 == "f" else _UNSIGNED.get(metric.wire06, MISSING_06)
    value = known[0] if len(known) == 1 else _FOLDS[metric.fold](known)
    if metric.wire06 in _UNSIGNED:
        return value & _UNSIGNED[metric.wire06] if value < 0 else min(value, _UNSIGNED[metric.wire06])
    return value if metric.wire06 == "f" else min(value, 2 ** 63 - 1)
