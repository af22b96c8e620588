"""Messages of Colmet 0.6 as batches, decoded in bulk with numpy. A bad record never costs the good ones."""
import json
import struct
from functools import lru_cache
from typing import NamedTuple

import numpy

from colmet.common import wire06
from colmet.common.batch import INDEX_CELLS, Batch, Block
from colmet.common.metrics import TABLES
from colmet.common.schema import INT_MAX, MISSING, Table

SESSION = 0     # of every batch decoded here: 0.6 numbers nothing, so nothing is told apart
_NUMPY = {"Q": "<u8", "q": "<i8", "I": "<u4", "f": "<f4"}
_MISSING = {"Q": 2 ** 64 - 1, "q": -1, "I": 2 ** 32 - 1, "f": -1}      # -1, as the field holds it
_TABLES = {table.name.encode().ljust(wire06.NAME_BYTES, b"\0"): table for table in TABLES.values() if table.legacy}
_TIMESTAMP = struct.Struct("<Q")
_TIMESTAMP_PLACE = wire06.HEADER.size - _TIMESTAMP.size


class Run(NamedTuple):
    """Usable records of a message that follow each other, of one table, host and second, from byte `place` on."""
    table: Table
    host: str
    seconds: int
    place: int
    count: int


def scan(message):
    """(runs, faults): the usable records of `message`, and a short text for each fault. After a record of an
    unknown name or a wrong length nothing more can be read, as records do not tell their length."""
    runs, faults, place = [], [], 0
    while place < len(message):
        table = _TABLES.get(message[place:place + wire06.NAME_BYTES])
        if table is None:
            faults.append("record of an unknown name")
            break
        size = wire06.layout(table).size
        if place + size > len(message):
            faults.append("record cut short")
            break
        try:
            _add(runs, table, _host(message, place), _seconds(message, place), place)
        except ValueError as error:
            faults.append(str(error))
        place += size
    return runs, faults


def decode(message):
    """(batches, faults): one batch for each host and second in `message`; `faults` as in `scan`."""
    runs, faults = scan(message)
    batches = {}
    for run in runs:
        batch, places = batches.setdefault((run.host, run.seconds), (_batch(run), {0: 0}))
        rows = numpy.frombuffer(message, record_type(run.table), run.count, run.place)
        batch.blocks.append(Block(run.table, _cells(run.table, rows, batch.jobs, places)))
    return [batch for batch, _ in batches.values()], faults


def _add(runs, table, host, seconds, place):
    last = runs[-1] if runs else None
    if last and last.table is table and last.host == host and last.seconds == seconds \
            and last.place + last.count * wire06.layout(table).size == place:
        runs[-1] = last._replace(count=last.count + 1)
    else:
        runs.append(Run(table, host, seconds, place, 1))


@lru_cache(maxsize=10000)
def _name(data):
    try:
        host = data.rstrip(b"\0").decode()
    except UnicodeDecodeError:
        raise ValueError("host name that is not UTF-8") from None
    if not host:
        raise ValueError("empty host name")
    return host


def _host(message, place):
    return _name(message[place + wire06.NAME_BYTES:place + 2 * wire06.NAME_BYTES])


def _seconds(message, place):
    seconds = _TIMESTAMP.unpack_from(message, place + _TIMESTAMP_PLACE)[0]
    if seconds > INT_MAX // 10 ** 9:
        raise ValueError("timestamp beyond all times")
    return seconds


def _batch(run):
    return Batch(run.host, SESSION, 0, run.seconds * 10 ** 9, 0)


@lru_cache(maxsize=None)
def record_type(table):
    """The numpy type of one record of `table` on the wire."""
    fields = [("metric_backend", "S255"), ("hostname", "S255"), ("job_id", "<u8"), ("timestamp", "<u8")]
    fields += [(metric.name, _NUMPY[metric.wire06]) for metric in wire06.layout(table).metrics]
    if table.involved_jobs == "wire":
        fields.append(("involved_jobs", "S8192"))
    return numpy.dtype(fields)


def _cells(table, rows, jobs, places):
    """`rows` as the cells of a native block; jobs that are new are added to `jobs`, as are those of
    involved_jobs, and `places` says where each id is there. Values that int64 cannot hold become the greatest
    that it can; -1 becomes "missing"."""
    if table.involved_jobs == "wire":
        for job in _involved(rows["involved_jobs"][0]):
            _place(job, jobs, places)
    cells = numpy.empty((len(rows), INDEX_CELLS + len(table.metrics)), "<i8")
    cells[:, 0] = [_place(job, jobs, places) for job in rows["job_id"].tolist()]
    cells[:, 1] = 0
    for column, metric in enumerate(table.metrics, INDEX_CELLS):
        cells[:, column] = _column(rows, metric)
    return cells.tobytes()


def _column(rows, metric):
    if not metric.wire06:
        return MISSING
    values = rows[metric.name]
    missing = values == _MISSING[metric.wire06]
    if metric.wire06 == "f":
        return numpy.where(missing, numpy.nan, values).astype("<f8").view("<i8")
    if metric.wire06 == "Q":
        values = numpy.minimum(values, numpy.uint64(INT_MAX))
    return numpy.where(missing, MISSING, values.astype("<i8"))


def _place(job, jobs, places):
    place = places.get(job)
    if place is None:
        place = places[job] = len(jobs)
        jobs.append({"job": str(job)})
    return place


def _involved(text):
    try:
        listed = json.loads(text.decode())
    except (ValueError, RecursionError):     # 0.6 cuts the list in the middle when it is long
        return []
    return [job for job in listed if type(job) is int and 0 <= job < 2 ** 64] if isinstance(listed, list) else []
