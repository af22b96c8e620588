"""What a metric and a table are: the words in which everything that Colmet measures is declared.

A table is declared once, as data, in ``colmet/common/metrics/<stem>.py``. Both wires, the columns
and attributes of HDF5, the reference page and the ``--enable-X`` options are computed from it.
"""
import hashlib
import json
import struct
from dataclasses import dataclass
from functools import cached_property
from typing import Tuple

JOB = "job"                 # one row per job and tick
NODE = "node"               # rows of job 0, the node itself
COUNTER = "counter"         # only grows while its `since` stays
GAUGE = "gauge"             # the value of an instant
MISSING = -2 ** 63          # "not known" in an int64 cell; NaN is the same in a float64 cell
INT_MAX = 2 ** 63 - 1       # what a greater value is stored as
MISSING_06 = -1             # "not known" in the tables and on the wire of Colmet 0.6


@dataclass(frozen=True)
class Metric:
    """One column. `code` is its cell: "q" int64 or "d" float64; `wire06` its struct code on the
    0.6 wire, "" where 0.6 did not send it; `fold` joins tasks, cgroups or jobs: add, min or max."""
    name: str
    unit: str
    kind: str
    doc: str
    code: str = "q"
    wire06: str = ""
    fold: str = "add"


@dataclass(frozen=True)
class Table:
    """Metrics that one backend reads together. `instance` names what tells rows apart within a job
    or node ("" when there is one row); `involved_jobs` is where 0.6 has that text column: "wire"
    (and file), "file" or ""; `switch` is X in ``--enable-X`` where that is not the name: tables may share it;
    `mapping` says of each metric what it is on the machine that sends it, () where the declaration says all."""
    name: str
    scope: str
    doc: str
    metrics: Tuple[Metric, ...]
    instance: str = ""
    default: bool = False
    involved_jobs: str = ""
    switch: str = ""
    mapping: Tuple[str, ...] = ()

    def __hash__(self):     # tables are keys of caches on every hot path: never hash all fields again
        return hash(self.fingerprint)

    @cached_property
    def legacy(self):
        """Whether it is one of the ten tables of Colmet 0.6, whose columns never change."""
        return any(metric.wire06 for metric in self.metrics)

    @cached_property
    def codes(self):
        """Struct codes of a row's cells after the two index cells, e.g. "qqd"."""
        return "".join(metric.code for metric in self.metrics)

    @cached_property
    def gaps(self):
        """What the cells of a row hold where nothing is known."""
        return tuple(float("nan") if code == "d" else MISSING for code in self.codes)

    @cached_property
    def layout(self):
        """The struct.Struct of a row: its two index cells, then those of its metrics."""
        return struct.Struct("<qq" + self.codes)

    def places(self, *names):
        """List of where the metrics of these names are among a row's values."""
        every = [metric.name for metric in self.metrics]
        return [every.index(name) for name in names]

    @property
    def option(self):
        """X in ``--enable-X`` and ``--disable-X``."""
        return self.switch or self.name

    @cached_property
    def fingerprint(self):
        """16 hexadecimal digits that change whenever the description of the table does."""
        text = json.dumps(self.describe(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def describe(self):
        """The table as JSON values, as it goes over the wire and into the journal."""
        columns = [[m.name, m.unit, m.kind, m.doc, m.code, m.wire06, m.fold] for m in self.metrics]
        found = {"name": self.name, "scope": self.scope, "doc": self.doc, "metrics": columns,
                 "instance": self.instance, "involved_jobs": self.involved_jobs}
        return dict(found, mapping=list(self.mapping)) if self.mapping else found


def counter(name, unit, doc, wire06="", fold="add", code="q"):
    """A metric that only grows."""
    return Metric(name, unit, COUNTER, doc, code, wire06, fold)


def gauge(name, unit, doc, wire06="", fold="add", code="q"):
    """A metric that is the value of an instant."""
    return Metric(name, unit, GAUGE, doc, code, wire06, fold)
