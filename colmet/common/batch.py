"""A batch: all rows of one tick of one node, as both wires and all writers take it.

Rows of a table lie one after the other in little-endian 8-byte cells: the place of the job in
`Batch.jobs`, the place of the instance in `Batch.strings`, then the metrics in the table's order.
"""
import struct
from dataclasses import dataclass, field
from typing import Dict, List

from colmet.common.schema import INT_MAX, Table

NODE_JOB = {"job": "0"}     # the first job of every batch: the node itself
INDEX_CELLS = 2             # cells of a row before its metrics


@dataclass
class Block:
    """The rows of one table: `data` holds them as described above."""
    table: Table
    data: bytes

    @property
    def rows(self):
        """Number of rows."""
        return len(self.data) // self.table.layout.size

    def __iter__(self):
        """Each row as a tuple (job place, string place, values...)."""
        return row_struct(self.table).iter_unpack(self.data)


@dataclass
class Batch:
    """One tick. `jobs` are dicts: "job" (id as text), and where known "user", "cluster", "scheduler", "steps" (list);
    "gone": 1 marks one that is no longer present, "twin": 1 the second user's job of one id. jobs[0] is the
    node and strings[0] is "". `time` is the wall clock, `boottime` CLOCK_BOOTTIME, both in ns."""
    node: str
    session: int
    sequence: int
    time: int
    boottime: int
    jobs: List[Dict] = field(default_factory=lambda: [dict(NODE_JOB)])
    strings: List[str] = field(default_factory=lambda: [""])
    blocks: List[Block] = field(default_factory=list)
    cluster: str = ""

    def present(self):
        """Ids, as text, of the jobs present at this tick: what 0.6 calls `involved_jobs`."""
        return [job["job"] for job in self.jobs[1:] if not job.get("gone")]


def row_struct(table):
    """The layout of one row of `table`, index cells included."""
    return table.layout


def pack_rows(table, rows):
    """A Block from tuples (job place, string place, values); None among the values is "missing"."""
    pack, gaps = table.layout.pack, table.gaps
    packed = []
    for job, instance, values in rows:
        if None in values:
            values = [gap if value is None else value for value, gap in zip(values, gaps)]
        try:
            packed.append(pack(job, instance, *values))
        except struct.error:
            packed.append(pack(job, instance, *map(_cell, values, table.codes)))
    return Block(table, b"".join(packed))


def _cell(value, code):
    return float(value) if code == "d" else min(int(value), INT_MAX)
