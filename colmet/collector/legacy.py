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
_NUMPY = {"Q": "<i8", "q": "<i8", "I": "<u4", "f": "<f4"}
_TABLES = {table.name.encode().ljust(wire06.NAME_BYTES, b"\0"): table for table in TABLES.values() if table.legacy}
_NAMES = 2 * wire06.NAME_BYTES          # bytes of a record's backend and host
_TIMESTAMP = struct.Struct("<Q")
_TIMESTAMP_PLACE = wire06.HEADER.size - _TIMESTAMP.size
_LAST_SECOND = INT_MAX // 10 ** 9       # whose nanoseconds still fit


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
    names, table, size, host = b"", None, 0, ""
    while place < len(message):
        if len(message) - place < wire06.HEADER.size:
            faults.append("record cut short")
            break
        if not names or not message.startswith(names, place):
            names = message[place:place + _NAMES]
            table, host = _TABLES.get(names[:wire06.NAME_BYTES]), _host(names[wire06.NAME_BYTES:])
            if table is None:
                faults.append("record of an unknown name")
                break
            size = wire06.layout(table).size
        if place + size > len(message):
            faults.append("record cut short")
            break
        seconds = _TIMESTAMP.unpack_from(message, place + _TIMESTAMP_PLACE)[0]
        if not host:
            faults.append("host name that is empty or not UTF-8")
        elif seconds > _LAST_SECOND:
            faults.append("timestamp beyond all times")
        else:
            _add(runs, table, host, seconds, place, size)
        place += size
    return runs, faults


def decode(message):
    """(batches, faults): one batch for each host and second in `message`; `faults` as in `scan`."""
    runs, faults = scan(message)
    batches = {}
    for run in runs:
        batch, places = batches.setdefault((run.host, run.seconds), (_batch(run), {0: 0}))
        rows = numpy.frombuffer(message, _record_type(run.table), run.count, run.place)
        batch.blocks.append(Block(run.table, _cells(run.table, rows, batch.jobs, places)))
    return [batch for batch, _ in batches.values()], faults


def _add(runs, table, host, seconds, place, size):
    if runs:
        last = runs[-1]
        if (last.table is table and last.host == host and last.seconds == seconds
                and last.place + last.count * size == place):
            runs[-1] = Run(table, host, seconds, last.place, last.count + 1)
            return
    runs.append(Run(table, host, seconds, place, 1))


def _host(data):
    try:
        return data.rstrip(b"\0").decode()
    except UnicodeDecodeError:
        return ""


def _batch(run):
    return Batch(run.host, SESSION, 0, run.seconds * 10 ** 9, 0)


class _Group(NamedTuple):
    """Metrics that follow each other and have one wire code: `cells` says where they are in a row."""
    code: str
    cells: slice


@lru_cache(maxsize=None)
def _groups(table):
    groups = []
    for place, metric in enumerate(table.metrics, INDEX_CELLS):
        if not metric.wire06:
            continue
        if groups and groups[-1].code == metric.wire06 and groups[-1].cells.stop == place:
            groups[-1] = _Group(metric.wire06, slice(groups[-1].cells.start, place + 1))
        else:
            groups.append(_Group(metric.wire06, slice(place, place + 1)))
    return groups


@lru_cache(maxsize=None)
def _record_type(table):
    """The numpy type of one record: its header, then one field for each of `_groups`."""
    fields = [("names", "S%d" % _NAMES), ("job_id", "<u8"), ("timestamp", "<u8")]
    for number, (code, cells) in enumerate(_groups(table)):
        fields.append(("group_%d" % number, _NUMPY[code], (cells.stop - cells.start,)))
    if table.involved_jobs == "wire":
        fields.append(("involved_jobs", "S%d" % wire06.INVOLVED_BYTES))
    return numpy.dtype(fields)


def _cells(table, rows, jobs, places):
    """`rows` as the cells of a native block; jobs that are new are added to `jobs`, as are those of
    involved_jobs, and `places` says where each id is there. Values that int64 cannot hold become the greatest
    that it can; -1 becomes "missing"."""
    if table.involved_jobs == "wire":
        for job in _involved(rows["involved_jobs"][0]):
            _place(job, jobs, places)
    cells = numpy.full((len(rows), INDEX_CELLS + len(table.metrics)), MISSING, "<i8")
    cells[:, 0] = [_place(job, jobs, places) for job in rows["job_id"].tolist()]
    cells[:, 1] = 0
    for number, group in enumerate(_groups(table)):
        cells[:, group.cells] = _values(rows["group_%d" % number], group.code)
    return cells.tobytes()


def _values(values, code):
    if code == "f":
        return numpy.where(values == -1, numpy.nan, values).astype("<f8").view("<i8")
    if code == "I":
        return numpy.where(values == 2 ** 32 - 1, MISSING, values.astype("<i8"))
    if values.min() >= 0:
        return values
    beyond = INT_MAX if code == "Q" else values     # what is unsigned there looks negative here
    return numpy.where(values == -1, MISSING, numpy.where(values < 0, beyond, values))


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
