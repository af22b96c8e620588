"""Messages of Colmet 0.6 as batches, decoded in bulk with numpy. A bad record never costs the good ones."""
import json
from functools import lru_cache

import numpy

from colmet.common import wire06
from colmet.common.batch import INDEX_CELLS, Batch, Block
from colmet.common.metrics import TABLES
from colmet.common.schema import INT_MAX, MISSING

SESSION = 0     # of every batch decoded here: 0.6 numbers nothing, so nothing is told apart
_NUMPY = {"Q": "<u8", "q": "<i8", "I": "<u4", "f": "<f4"}
_BACKENDS = {table.name.encode(): table for table in TABLES.values() if table.legacy}


def decode(message):
    """(batches, faults): one batch for each host and second in `message`, and a short text for each fault.
    After a record of an unknown name or wrong length nothing more can be read, as records have no length."""
    records, faults = _split(message)
    batches = {}
    for table, data in records:
        rows = numpy.frombuffer(data, record_type(table))
        for host, seconds in dict.fromkeys(zip(rows["hostname"].tolist(), rows["timestamp"].tolist())):
            mine = rows[(rows["hostname"] == host) & (rows["timestamp"] == seconds)]
            fault = _fault(host, seconds)
            if fault:
                faults.append(fault)
                continue
            batch = batches.setdefault((host, seconds), _batch(host, seconds))
            batch.blocks.append(Block(table, _cells(table, mine, batch)))
    for batch in batches.values():
        del batch.places
    return list(batches.values()), faults


@lru_cache(maxsize=None)
def record_type(table):
    """The numpy type of one record of `table` on the wire."""
    fields = [("metric_backend", "S255"), ("hostname", "S255"), ("job_id", "<u8"), ("timestamp", "<u8")]
    fields += [(metric.name, _NUMPY[metric.wire06]) for metric in wire06.layout(table).metrics]
    if table.involved_jobs == "wire":
        fields.append(("involved_jobs", "S8192"))
    return numpy.dtype(fields)


def _split(message):
    """([(table, its records that follow each other)], faults)."""
    runs, faults, place = [], [], 0
    while place < len(message):
        name = message[place:place + wire06.NAME_BYTES].rstrip(b"\0")
        table = _BACKENDS.get(name)
        if table is None:
            faults.append("record of an unknown name")
            break
        size = wire06.layout(table).size
        if place + size > len(message):
            faults.append("record cut short")
            break
        if runs and runs[-1][0] is table:
            runs[-1][1].append(message[place:place + size])
        else:
            runs.append((table, [message[place:place + size]]))
        place += size
    return [(table, b"".join(parts)) for table, parts in runs], faults


def _fault(host, seconds):
    if seconds > INT_MAX // 10 ** 9:
        return "timestamp beyond all times"
    try:
        return "" if host.decode() else "empty host name"
    except UnicodeDecodeError:
        return "host name that is not UTF-8"


def _batch(host, seconds):
    batch = Batch(host.decode(), SESSION, 0, seconds * 10 ** 9, 0)
    batch.places = {0: 0}       # job id: place in batch.jobs, while decoding
    return batch


def _cells(table, rows, batch):
    """`rows` as the cells of a native block; jobs that are new are added to `batch`, as are those of
    involved_jobs. Values that int64 cannot hold become the greatest that it can; -1 becomes "missing"."""
    if table.involved_jobs == "wire":
        for job in _involved(rows["involved_jobs"][0]):
            _place(job, batch)
    cells = numpy.empty((len(rows), INDEX_CELLS + len(table.metrics)), "<i8")
    cells[:, 0] = [_place(job, batch) for job in rows["job_id"].tolist()]
    cells[:, 1] = 0
    for column, metric in enumerate(table.metrics, INDEX_CELLS):
        cells[:, column] = _column(rows, metric)
    return cells.tobytes()


def _column(rows, metric):
    if not metric.wire06:
        return MISSING
    values = rows[metric.name]
    if metric.wire06 == "f":
        return numpy.where(values == -1, numpy.nan, values).astype("<f8").view("<i8")
    if metric.wire06 == "Q":
        known = numpy.minimum(values, numpy.uint64(INT_MAX)).astype("<i8")
        return numpy.where(values == 2 ** 64 - 1, MISSING, known)
    return values.astype("<i8")


def _place(job, batch):
    place = batch.places.get(job)
    if place is None:
        place = batch.places[job] = len(batch.jobs)
        batch.jobs.append({"job": str(job)})
    return place


def _involved(text):
    try:
        jobs = json.loads(text.decode())
    except (ValueError, RecursionError):     # 0.6 cuts the list in the middle when it is long
        return []
    return [job for job in jobs if isinstance(job, int) and 0 <= job < 2 ** 64] if isinstance(jobs, list) else []
