"""The rows of a window in memory: batches in, rows of one job and table after the other out, by time and host.

Cells stay as the nodes sent them until they are asked for, in pieces of a few megabytes, so that a window needs
little more memory than its cells. An HDF5 row is three times its cells, or 30 times where it has `involved_jobs`.
"""
from array import array
from typing import Any, Dict, List, NamedTuple

import numpy

from colmet.collector.hdf5.columns import Layout, plan
from colmet.collector.hdf5.mapping import Mappings
from colmet.common import wire06
from colmet.common.batch import INDEX_CELLS
from colmet.common.facts import job_facts, joined_steps, steps_text
from colmet.common.names import job_group, job_number
from colmet.common.schema import MISSING

PIECE_BYTES = 4 * 2 ** 20   # of rows made at a time
CHUNK = 64                  # rows; a piece of a longer table is a multiple of it
BATCH_BYTES = 200           # about what is kept of a batch beside its cells


class Job(NamedTuple):
    """A job as the file knows it: its group there, its id as text and as number, attributes of the group."""
    group: str
    text: str
    number: int
    attributes: Dict[str, Any]


class Piece(NamedTuple):
    """Rows `start` and following of `job`'s table, which has `total` in all."""
    layout: Layout
    job: Job
    total: int
    start: int
    rows: Any


class _Seen(NamedTuple):
    """Jobs and strings of a node's latest batch, and where they are in the window."""
    jobs: List[Dict[str, Any]]
    strings: List[str]
    cluster: str
    first_job: int
    first_string: int
    involved: int

    def same(self, batch):
        """Whether `batch` has these jobs and strings; mostly they are the very same objects."""
        jobs = self.jobs is batch.jobs or self.jobs == batch.jobs
        strings = self.strings is batch.strings or self.strings == batch.strings
        return jobs and strings and self.cluster == batch.cluster


class _Block:
    """All cells of one table in the window, and for each run of rows its batch and how many they are."""

    def __init__(self, table):
        self.table = table
        self.cells = bytearray()
        self.batches, self.counts = array("q"), array("q")


class Window:
    """Batches until they are written. `bytes` is about what it holds in memory, `rows` how many rows."""

    def __init__(self):
        self.bytes = self.rows = 0
        self.mappings = Mappings()
        self._blocks = {}                                   # by fingerprint
        self._time, self._session, self._sequence = array("q"), array("q"), array("q")     # of each batch
        self._host, self._involved = array("q"), array("q")
        self._first_job, self._first_string = array("q"), array("q")    # where a batch's begin in the next two
        self._job, self._string = array("q"), array("q")
        self._hosts, self._texts, self._strings, self._places, self._jobs = {}, {}, {}, {}, []
        self._facts = {}                                    # attributes of each group
        self._seen = {}                                     # by node

    def add(self, batch):
        """Take over the rows of `batch`."""
        number = len(self._time)
        self._time.append(batch.time)
        self._session.append(batch.session)
        self._sequence.append(batch.sequence)
        self._host.append(_place(self._hosts, batch.node))
        seen = self._seen.get(batch.node)
        if seen is None or not seen.same(batch):
            seen = self._seen[batch.node] = self._look_at(batch)
        self._first_job.append(seen.first_job)
        self._first_string.append(seen.first_string)
        self._involved.append(seen.involved)
        for block in batch.blocks:
            rows = block.rows
            mine = self._blocks.get(block.table.fingerprint)
            if mine is None:
                mine = self._blocks[block.table.fingerprint] = _Block(block.table)
            mine.cells += block.data
            mine.batches.append(number)
            mine.counts.append(rows)
            self.rows += rows
            self.bytes += len(block.data)
            if block.table.mapping:
                places = self._job[seen.first_job:seen.first_job + len(batch.jobs)]
                self.mappings.add(batch, block, [self._jobs[place].group for place in places])
        self.bytes += BATCH_BYTES

    def pieces(self):
        """Yield `Piece`s: table after table, in it job after job, in it by time and host."""
        facts = _Facts(self)
        stored, layouts = plan([block.table for block in self._blocks.values()])
        for name, layout in layouts.items():
            blocks = [block for fingerprint, block in self._blocks.items() if stored[fingerprint] == name]
            yield from _Sorted(facts, layout, blocks).pieces()

    def _job_place(self, job, cluster):
        key = (job["job"], job.get("cluster") or cluster, job.get("user", ""), bool(job.get("twin")))
        place = self._places.get(key)
        if place is None:
            group = job_group(job, cluster)
            place = self._places[key] = len(self._jobs)
            self._jobs.append(Job(group, job["job"], job_number(job["job"]), self._facts.setdefault(group, {})))
        if len(job) > 1 or cluster:
            self.bytes += learn(self._jobs[place].attributes, job, cluster)
        return place

    def _look_at(self, batch):
        """Take over the jobs and strings of `batch`; they mostly are those of the batch before."""
        first_job, first_string = len(self._job), len(self._string)
        self._job.extend([self._job_place(job, batch.cluster) for job in batch.jobs])
        self._string.extend([_place(self._strings, string) for string in batch.strings])
        text, _ = wire06.involved_jobs(batch.present())
        self.bytes += 8 * (len(batch.jobs) + len(batch.strings)) + len(text)
        return _Seen(batch.jobs, batch.strings, batch.cluster, first_job, first_string, _place(self._texts, text))


class _Facts:
    """What the rows of a window point to, as arrays."""

    def __init__(self, window):
        self.time, self.session = _column(window._time), _column(window._session)
        self.sequence, self.host = _column(window._sequence), _column(window._host)
        self.involved, self.job = _column(window._involved), _column(window._job)
        self.first_job, self.first_string = _column(window._first_job), _column(window._first_string)
        self.string = _column(window._string)
        self.hosts, self.strings = _texts(window._hosts), _texts(window._strings)
        self.texts = numpy.array(list(window._texts) or [b""], object)     # long, and few are used often
        self.host_rank = numpy.argsort(numpy.argsort(self.hosts, kind="stable"), kind="stable")
        self.jobs = window._jobs
        self.job_text = _texts([job.text for job in self.jobs])
        self.job_number = numpy.array([job.number for job in self.jobs], "q")
        groups = {}
        self.job_group = numpy.array([_place(groups, job.group) for job in self.jobs], "q")


class _Sorted:
    """The rows of one table, sorted by job, time and host; nothing is converted before it is asked for."""

    def __init__(self, facts, layout, blocks):
        self.layout, self._facts = layout, facts
        self._cells = _cells(layout, blocks)
        counts = numpy.concatenate([_column(block.counts) for block in blocks])
        batches = numpy.concatenate([_column(block.batches) for block in blocks])
        self._batch = numpy.repeat(batches, counts)
        self._row = numpy.arange(len(self._batch)) - numpy.repeat(numpy.cumsum(counts) - counts, counts)
        self._job = facts.job[facts.first_job[self._batch] + self._cells[:, 0]]
        group = facts.job_group[self._job]
        host = facts.host_rank[facts.host[self._batch]]
        self._order = numpy.lexsort((host, facts.time[self._batch], group))
        changes = numpy.flatnonzero(numpy.diff(group[self._order])) + 1
        self._starts = [0] + changes.tolist() + [len(group)]

    def pieces(self):
        """Yield the table's `Piece`s."""
        limit = max(PIECE_BYTES // self.layout.dtype.itemsize // CHUNK, 1) * CHUNK
        starts, first = self._starts, 0
        for last in range(1, len(starts)):
            if last + 1 == len(starts) or starts[last + 1] - starts[first] > limit:
                yield from self._some(starts[first:last + 1], limit)
                first = last

    def _some(self, starts, limit):
        """Pieces of the jobs between `starts`: all of one conversion, or of several where one job is long."""
        for begin in range(starts[0], starts[-1], limit):
            end = min(begin + limit, starts[-1])
            rows = self._convert(self._order[begin:end])
            for low, high in zip(starts, starts[1:]):
                here = rows[max(low - begin, 0):max(min(high, end) - begin, 0)]
                if len(here):
                    job = self._facts.jobs[self._job[self._order[low]]]
                    yield Piece(self.layout, job, high - low, max(begin - low, 0), here)

    def _convert(self, order):
        facts, layout = self._facts, self.layout
        cells, batch, job = self._cells[order], self._batch[order], self._job[order]
        rows = numpy.zeros(len(order), layout.dtype)
        rows["hostname"] = facts.hosts[facts.host[batch]]
        if layout.legacy:
            rows["timestamp"] = facts.time[batch] // 10 ** 9
            rows["metric_backend"] = layout.table.name.encode()
            rows["job_id"] = facts.job_number[job]
            if layout.table.involved_jobs == "wire":
                rows["involved_jobs"] = facts.texts[facts.involved[batch]]
        else:
            rows["time"], rows["session"] = facts.time[batch], facts.session[batch]
            rows["sequence"], rows["row"] = facts.sequence[batch], self._row[order]
            rows["job"] = facts.job_text[job]
            if layout.instance:
                rows[layout.instance] = facts.strings[facts.string[facts.first_string[batch] + cells[:, 1]]]
        for place, (metric, column) in enumerate(zip(layout.table.metrics, layout.columns), INDEX_CELLS):
            rows[column] = _values(cells[:, place], metric, layout)
        return rows


def learn(attributes, job, cluster):
    """Add what is known of `job` to the `attributes` of its group, texts; what that took, in bytes."""
    known, before = job_facts(job, cluster), len(attributes.get("steps", ""))
    if "steps" in known:
        known["steps"] = joined_steps(steps_text(known["steps"]), attributes.get("steps", ""))
    attributes.update(known)
    return len(attributes.get("steps", "")) - before


def _values(cells, metric, layout):
    """Cells of one metric as the file has them: in 0.6's tables what is missing is -1."""
    if metric.code == "d":
        cells = cells.view("<f8")
        return numpy.where(numpy.isnan(cells), layout.missing, cells) if layout.legacy else cells
    return numpy.where(cells == MISSING, layout.missing, cells) if layout.legacy else cells


def _cells(layout, blocks):
    """The cells of `blocks`, which are all of one stored table, as one array with a row each; a column that some
    of them lack is missing there."""
    metrics = layout.table.metrics
    arrays = []
    for block in blocks:
        cells = numpy.frombuffer(block.cells, "<i8").reshape(-1, INDEX_CELLS + len(block.table.metrics))
        places = {metric.name: place for place, metric in enumerate(block.table.metrics, INDEX_CELLS)}
        if [metric.name for metric in metrics] != list(places):
            wide = numpy.empty((len(cells), INDEX_CELLS + len(metrics)), "<i8")
            wide[:, :INDEX_CELLS] = cells[:, :INDEX_CELLS]
            for place, metric in enumerate(metrics, INDEX_CELLS):
                lacking = MISSING if metric.code == "q" else numpy.float64("nan").view("<i8")
                wide[:, place] = cells[:, places[metric.name]] if metric.name in places else lacking
            cells = wide
        arrays.append(cells)
    return arrays[0] if len(arrays) == 1 else numpy.concatenate(arrays)


def _column(values):
    """An array("q") as a numpy array of the same memory."""
    return numpy.frombuffer(values, "q")


def _texts(texts):
    """`texts` as an array of bytes."""
    return numpy.array([text.encode() for text in texts] or [b""])


def _place(places, key):
    """The place of `key` in `places`, a dict whose values count from 0; it is added where it lacks."""
    return places.setdefault(key, len(places))
