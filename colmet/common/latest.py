"""The last values of each node, table, job and instance, bounded: what Prometheus is shown of the jobs.

Batches are kept as they are and taken apart only when somebody asks. What is older than Prometheus itself looks back
is forgotten, so that a node that went away, or a source that fails, leaves no frozen value.
"""
import threading
import time
from collections import OrderedDict
from typing import Any, List, NamedTuple

from colmet.common.batch import INDEX_CELLS, row_struct
from colmet.common.exposition import CLUSTER, HOST, JOB, USER, known, labels
from colmet.common.metrics import TABLES
from colmet.common.schema import JOB as OF_JOBS

STALE = 300.0               # s: how far Prometheus looks back by default
UNNUMBERED = 0              # session of batches that came by the 0.6 wire


class Present(NamedTuple):
    """A job as a batch names it, without what else came over the wire with it; id 0 is the node itself."""
    id: str
    user: str
    cluster: str
    gone: bool


class Kept(NamedTuple):
    """The rows of one table of one node, `data` as in `colmet.common.batch.Block`, as they came at `at` (s)."""
    table: Any
    data: bytes
    jobs: List[Present]
    strings: List
    session: int
    sequence: int
    at: float
    cost: int


class Latest:
    """At most `most` series. `dropped` counts the values that found no room, `foreign` those of tables that this
    release does not know. `take` and `rows` may be called from different threads."""

    def __init__(self, most, clock=time.monotonic):
        self.most = most
        self.dropped = self.foreign = 0
        self._clock, self._lock = clock, threading.Lock()
        self._kept = OrderedDict()          # {(cluster, node, table): Kept}, the one longest unchanged first
        self._cost = 0

    def take(self, batch):
        """Keep the rows of `batch`, which then stays as it is."""
        now, found = self._clock(), {}
        for block in batch.blocks:
            if known(block.table):
                found.setdefault(block.table.name, []).append(block)
            else:
                self.foreign += block.rows * len(block.table.metrics)
        jobs = [Present(job["job"], job.get("user", "") if job.get("twin") else "", job.get("cluster", ""),
                        bool(job.get("gone"))) for job in batch.jobs]
        with self._lock:
            self._expire(now)
            if all(job.gone for job in jobs[1:]):
                self._leave(batch)
            for blocks in found.values():
                self._keep(batch, jobs, blocks[0].table, b"".join([block.data for block in blocks]), now)

    def rows(self):
        """Yield (table, text of the labels, values) of each row."""
        with self._lock:
            self._expire(self._clock())
            kept = list(self._kept.items())
        newest = {}                         # {(cluster, node): jobs of its last batch with rows of jobs}
        for (*node, _), each in kept:
            if each.table.scope == OF_JOBS:
                newest[tuple(node)] = each.jobs
        present = {node: {(job.id, job.user) for job in jobs if not job.gone} for node, jobs in newest.items()}
        for (*node, _), each in kept:
            yield from _rows(node, each, present.get(tuple(node), ()))

    def _keep(self, batch, jobs, table, data, now):
        key = batch.cluster, batch.node, table.name
        old = self._kept.get(key)
        if old and old.session == batch.session != UNNUMBERED and batch.sequence < old.sequence:
            return                          # one that waited, sent after those that are newer
        self._forget(key)
        jobs = jobs if table.scope == OF_JOBS else jobs[:1]
        size, width = row_struct(table).size, len(table.metrics)
        rows = len(data) // size
        fits = min(rows, (self.most - self._cost) // width)
        if max(len(jobs), len(batch.strings)) > max(rows * width, self.most - self._cost):
            fits = 0                        # names without rows, as no node sends them, would take memory
        self.dropped += (rows - fits) * width
        if fits > 0:
            cost = fits * width
            self._kept[key] = Kept(table, data[:fits * size], jobs, batch.strings, batch.session, batch.sequence, now,
                                   cost)
            self._cost += cost

    def _leave(self, batch):
        """The node has no job any more: nothing is to be said of those it had."""
        for table in TABLES.values():
            if table.scope == OF_JOBS:
                self._forget((batch.cluster, batch.node, table.name))

    def _expire(self, now):
        while self._kept:
            key, oldest = next(iter(self._kept.items()))
            if now - oldest.at < STALE:
                break
            self._forget(key)

    def _forget(self, key):
        old = self._kept.pop(key, None)
        self._cost -= old.cost if old else 0


def _rows(node, kept, present):
    cluster, host = node
    table = kept.table
    for place, instance, *values in row_struct(table).iter_unpack(kept.data):
        job = kept.jobs[place] if table.scope == OF_JOBS else Present("", "", "", False)
        if not job.id or (job.id, job.user) in present:
            yield table, labels(((HOST, host), (CLUSTER, job.cluster or cluster), (JOB, job.id), (USER, job.user),
                                 (table.instance, kept.strings[instance]))), values
