"""Values as Prometheus reads them: its text format (version 0.0.4), and what the metrics of `TABLES` are called there.

A name is ``colmet_<table>_<metric>[_unit][_total]``. As is usual there, times are in seconds, sizes in bytes; a
value that is not known is left out.
"""
import re
from dataclasses import replace
from functools import lru_cache
from typing import Dict, NamedTuple

from colmet.common.metrics import TABLES
from colmet.common.metrics.colmet import TABLE as OWN
from colmet.common.schema import COUNTER, GAUGE, MISSING

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
UNITS = {               # unit of a metric: what its name ends in, and what a value is multiplied and divided by
    "count": ("", 1, 1), "tasks": ("", 1, 1), "pages": ("pages", 1, 1),
    "bytes": ("bytes", 1, 1), "kB": ("bytes", 1024, 1), "KiB": ("bytes", 1024, 1), "MiB": ("bytes", 2 ** 20, 1),
    "bytes/s": ("bytes_per_second", 1, 1),
    "s": ("seconds", 1, 1), "us": ("seconds", 1, 10 ** 6), "ns": ("seconds", 1, 10 ** 9),
    "USER_HZ": ("seconds", 1, 100),             # a constant of the kernel's interface (time(7))
    "MB-us": ("megabyte_seconds", 1, 10 ** 6),
    "uJ": ("joules", 1, 10 ** 6), "W": ("watts", 1, 1), "Celsius": ("celsius", 1, 1), "%": ("ratio", 1, 100),
}
HOST, CLUSTER, JOB, USER = LABELS = ("host", "cluster", "job", "user")
_OWN_PREFIX = "node"    # for the table `colmet`, whose name would be said twice


class Named(NamedTuple):
    """A metric as it is exposed: a value is multiplied by `times`, then divided by `over`."""
    name: str
    kind: str
    doc: str
    times: int
    over: int


class Family(NamedTuple):
    """All series of one name: `samples` are values by the text of their labels, as `labels` makes it."""
    name: str
    kind: str
    doc: str
    samples: Dict[str, float]


@lru_cache(maxsize=None)
def named(table):
    """A `Named` for each metric of `table`, one of `TABLES`."""
    return [_named(table, metric) for metric in table.metrics]


def families(rows):
    """The families of `rows`, (table, text of the labels, values) each; of two rows that are the same series the
    last one holds."""
    found = {}
    for table, text, values in rows:
        for each, value in zip(named(table), values):
            if value == MISSING or value != value:
                continue
            if each.name not in found:
                found[each.name] = Family(each.name, each.kind, each.doc, {})
            scaled = value * each.times
            found[each.name].samples[text] = scaled if each.over == 1 else scaled / each.over
    return list(found.values())


def labels(pairs):
    """The text of labels, "" without any: {host="n1",job="7"}. Values may be any text; those that are empty are
    left out, as Prometheus makes no difference."""
    told = ['%s="%s"' % (name, _escaped(value)) for name, value in pairs if value]
    return "{%s}" % ",".join(told) if told else ""


def text(families):
    """The page that holds `families`, as bytes."""
    lines = []
    for name, kind, doc, samples in families:
        lines.append("# HELP %s %s" % (name, doc.replace("\\", r"\\").replace("\n", r"\n")))
        lines.append("# TYPE %s %s" % (name, kind))
        lines += ["%s%s %s" % (name, text, _number(value)) for text, value in samples.items()]
    return "".join(line + "\n" for line in lines).encode("utf-8", "replace")


@lru_cache(maxsize=256)
def known(table):
    """Whether `table` is as this release declares it: names that came over the wire are not exposed."""
    ours = TABLES.get(table.name)
    return ours is not None and ours.fingerprint == replace(table, mapping=()).fingerprint


def _named(table, metric):
    codes = "=" in metric.unit              # "1=exact, 2=...": said in the help
    unit, times, over = UNITS.get(metric.unit) or ("" if codes else re.sub(r"\W+", "_", metric.unit.lower()), 1, 1)
    counts = metric.kind == COUNTER and metric.fold != "min"        # a least one is a point in time
    name = metric.name.replace("-", "_")
    if counts and name.endswith("_total"):
        name = name[:-len("_total")]
    if unit and unit not in name.split("_"):
        name += "_" + unit
    name = "colmet_%s_%s" % (_OWN_PREFIX if table.name == OWN.name else table.name, name)
    doc = "%s (%s)" % (metric.doc, metric.unit) if codes else metric.doc
    return Named(name + "_total" * counts, COUNTER if counts else GAUGE, doc, times, over)


def _escaped(value):
    """`value` between quotes; what is not printable could end the page for some readers, and is replaced."""
    if not value.isprintable():
        value = "".join(letter if letter.isprintable() else "\ufffd" for letter in value)
    return value.replace("\\", r"\\").replace('"', r"\"")


def _number(value):
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)
