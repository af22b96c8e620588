"""Columns of the HDF5 tables, derived from the declarations in `TABLES` and from what nodes describe.

A table of 0.6 has 0.6's columns, those that 0.6 dropped included, in ASCII order: int64 (float32 for loads),
-1 where nothing is known. Any other table has `HEADER`, its instance column if it has one, and its metrics in
the declared order: int64 with -2^63, or float64 with NaN, where nothing is known.
"""
import json
from dataclasses import dataclass, field, replace
from typing import Any, Dict, Tuple

import numpy

from colmet.common.metrics import TABLES
from colmet.common.schema import MISSING, MISSING_06, Table

TEXT = "S255"
INVOLVED = "S8192"
HEADER = (("time", "<i8"), ("hostname", TEXT), ("job", TEXT), ("session", "<i8"), ("sequence", "<i8"), ("row", "<i8"))
HEADER_06 = (("hostname", TEXT), ("job_id", "<i8"), ("metric_backend", TEXT), ("timestamp", "<i8"))
MAX_ATTRIBUTE = 60000       # bytes; an object header takes no attribute of 64 KiB
_CELLS = {"q": "<i8", "d": "<f8"}


@dataclass(frozen=True, eq=False)
class Layout:
    """One table of the file: its numpy `dtype`, the column of each metric, and its attributes beside those that
    every table has. `instance` is the column of the instance, "" where there is none; `missing` what an int64
    says that nothing is known."""
    table: Table
    dtype: numpy.dtype
    columns: Tuple[str, ...]
    instance: str = ""
    missing: int = MISSING_06
    attributes: Dict[str, Any] = field(default_factory=dict)

    @property
    def legacy(self):
        """Whether it is a table of 0.6."""
        return self.missing == MISSING_06


def plan(tables):
    """({fingerprint: its table as stored}, {name: `Layout`}) for `tables`, in order of appearance. Tables of one
    name share the union of their columns; one that contradicts those before it gets a name of its own,
    ``<table>_<fingerprint>``, as does one that claims a name of 0.6 for other columns."""
    stored, merged = {}, {}
    for table in tables:
        declared = TABLES.get(table.name)
        known = declared if declared and declared.legacy else merged.get(table.name)
        if known is None or _agree(known, table):
            name = table.name
            merged[name] = _union(known or table, table)
        else:
            name = "%s_%s" % (table.name, table.fingerprint)
            merged[name] = replace(table, name=name)
        stored[table.fingerprint] = name
    return stored, {name: layout(table) for name, table in merged.items()}


def layout(table):
    """The `Layout` of `table`."""
    declared = TABLES.get(table.name)
    return _layout_06(declared) if declared and declared.legacy else _layout(table)


def _agree(known, table):
    codes = {metric.name: metric.code for metric in known.metrics}
    if known.legacy and known is TABLES.get(known.name):
        return all(codes.get(metric.name) == metric.code for metric in table.metrics)
    return known.instance == table.instance and all(
        codes.get(metric.name, metric.code) == metric.code for metric in table.metrics)


def _union(known, table):
    names = {metric.name for metric in known.metrics}
    more = tuple(metric for metric in table.metrics if metric.name not in names)
    return replace(known, metrics=known.metrics + more) if more else known


def _layout_06(table):
    fields = [(metric.name, "<f4" if metric.wire06 == "f" else "<i8") for metric in table.metrics]
    fields += HEADER_06
    if table.involved_jobs:
        fields.append(("involved_jobs", INVOLVED))
    return Layout(table, numpy.dtype(sorted(fields)), tuple(metric.name for metric in table.metrics))


def _layout(table):
    fields = list(HEADER)
    taken = {name for name, _ in fields}
    instance = _free(table.instance, taken) if table.instance else ""
    if instance:
        fields.append((instance, TEXT))
    columns = tuple(_free(metric.name, taken) for metric in table.metrics)
    fields += [(column, _CELLS[metric.code]) for column, metric in zip(columns, table.metrics)]
    attributes = {"doc": table.doc, "missing": MISSING}
    units = json.dumps(dict({"time": "ns"}, **{c: m.unit for c, m in zip(columns, table.metrics)}))
    if len(units) <= MAX_ATTRIBUTE:     # only what no Colmet declares is longer
        attributes["units"] = units
    return Layout(table, numpy.dtype(fields), columns, instance, MISSING, attributes)


def _free(name, taken):
    """`name`, changed until it is fit for a column and none of `taken`, to which it is added."""
    name = name if name.replace("-", "_").isidentifier() and len(name) <= 60 else "instance"
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def convert(rows, target):
    """`rows` in the columns of `target`, a `Layout`: what they lack is missing, what `target` lacks is left out."""
    if rows.dtype == target.dtype:
        return rows
    new = numpy.zeros(len(rows), target.dtype)
    for name in target.dtype.names:
        if name in rows.dtype.names:
            new[name] = rows[name]
        elif target.dtype[name].kind == "i":
            new[name] = target.missing
        elif target.dtype[name].kind == "f":
            new[name] = target.missing if target.legacy else numpy.nan
    return new


def join(old, target):
    """`target`, a `Layout`, with the columns of the dtype `old` that it lacks added at the end; None where a column
    is of another type in each, or `target` is a table of 0.6, which has none to add."""
    fields = target.dtype.fields
    if any(name in fields and fields[name][0] != old[name] for name in old.names):
        return None
    more = [(name, old[name]) for name in old.names if name not in fields]
    if more and target.legacy:
        return None
    return replace(target, dtype=numpy.dtype(target.dtype.descr + more)) if more else target


def renamed(target):
    """`target` under a name of its own, for rows whose columns contradict those of the table of that name."""
    name = "%s_%s" % (target.table.name, target.table.fingerprint)
    return replace(target, table=replace(target.table, name=name))
