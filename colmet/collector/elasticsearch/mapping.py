"""Tables as indices: their names, the types of their fields, and the bodies that make them. All derived from the
declarations in `TABLES` and from what nodes describe; nothing here talks to a server.

A document has ``hostname, job_id, timestamp`` and the metrics, as in 0.6, and ``@timestamp`` (ms), ``job`` (text),
what else is known of the job, the instance, and in tables that 0.6 had not, ``time`` (ns).
"""
from dataclasses import dataclass
from typing import Any, Dict, Tuple

from colmet import __version__
from colmet.common.metrics import TABLES
from colmet.common.schema import COUNTER, Table

TEXT = {"type": "keyword", "fields": {"keyword": {"type": "keyword"}}}      # 0.6's queries ask for X.keyword
HEAD = {"hostname": TEXT, "job_id": {"type": "long"}, "timestamp": {"type": "date", "format": "epoch_second"},
        "@timestamp": {"type": "date"}, "job": TEXT, "job_user": TEXT, "cluster": TEXT,
        "job_scheduler": {"type": "keyword"}, "job_steps": {"type": "keyword"}}
TIME = {"time": {"type": "long"}}
INVOLVED = {"involved_jobs": {"type": "long"}}
DIMENSIONS = ("hostname", "job", "job_user", "cluster")
PRIORITY = 500                  # of our templates, each of which fits one name only
MOST_FIELDS = 1000              # that an index of Elasticsearch takes unless told
LOOK_BACK = "7d"                # how old the first rows of a time series may be: the most that there is
_TYPES = {"q": "long", "d": "double"}


@dataclass(frozen=True, eq=False)
class Layout:
    """One table as an index: its name, the field of each metric, and that of the instance ("": there is none)."""
    table: Table
    index: str
    columns: Tuple[str, ...]
    instance: str

    @property
    def legacy(self):
        """Whether it is a table of 0.6."""
        declared = TABLES.get(self.table.name)
        return bool(declared and declared.legacy)

    def properties(self, series=False):
        """The mapping of its fields; with what a time series needs where `series`."""
        found = dict(HEAD) if self.legacy else dict(HEAD, **TIME)
        if self.instance:
            found[self.instance] = TEXT
        for column, metric in zip(self.columns, self.table.metrics):
            found[column] = {"type": _TYPES[metric.code]}
            if series:
                found[column]["time_series_metric"] = "counter" if metric.kind == COUNTER else "gauge"
        if series:
            for name in DIMENSIONS + (self.instance,) * bool(self.instance):
                found[name] = dict(found[name], time_series_dimension=True)
        return dict(found, **INVOLVED) if self.table.involved_jobs == "wire" else found


class Layouts:
    """The `Layout` of each table. Two tables of one name share an index, unless they contradict each other: the
    later one then gets ``<name>_<fingerprint>``, as does one that claims a name of this release for other columns."""

    def __init__(self, prefix):
        self._prefix = prefix
        self._known = {}            # fingerprint: Layout
        self._fields = {}           # index: {field: type} of all tables that share it
        for table in TABLES.values():
            self.get(table)

    def get(self, table):
        """The `Layout` of `table`."""
        found = self._known.get(table.fingerprint)
        if found is None:
            found = self._known[table.fingerprint] = self._make(table)
        return found

    def _make(self, table):
        taken = set(HEAD) | set(TIME) | set(INVOLVED)
        instance = _free(table.instance, taken) if table.instance else ""
        columns = tuple(_free(metric.name, taken) for metric in table.metrics)
        index = (self._prefix + table.name).lower()
        layout = Layout(table, index, columns, instance)
        fields = {name: field["type"] for name, field in layout.properties().items()}
        known = self._fields.setdefault(index, fields)
        if any(known.get(name, kind) != kind for name, kind in fields.items()):
            return Layout(table, "%s_%s" % (index, table.fingerprint), columns, instance)
        known.update(fields)
        return layout


def _free(name, taken):
    """`name`, changed until it is fit for a field and none of `taken`, to which it is added."""
    name = name if name.replace("-", "_").isidentifier() and len(name) <= 60 else "instance"
    name = "x" + name if name.startswith("_") else name     # _id, _source … are Elasticsearch's own
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def index_body(layout):
    """What makes a plain index."""
    body: Dict[str, Any] = {"mappings": {"properties": layout.properties()}}
    settings = _limit(layout)
    return dict(body, settings=settings) if settings else body


def template_body(layout, series=False, look_back=True, lifecycle="", policy=""):
    """A template of data streams that fits the index of `layout` and nothing else. `lifecycle` is the age at which
    Elasticsearch itself deletes, `policy` the name of an ILM policy."""
    settings = _limit(layout)
    if series:
        settings.update({"index.mode": "time_series", "index.routing_path": ["hostname", "job"]})
        if look_back:
            settings["index.look_back_time"] = LOOK_BACK
    if policy:
        settings["index.lifecycle.name"] = policy
    template = {"settings": settings, "mappings": {"properties": layout.properties(series)}}
    if lifecycle:
        template["lifecycle"] = {"data_retention": lifecycle}
    return {"index_patterns": [layout.index], "data_stream": {}, "priority": PRIORITY,
            "_meta": {"made_by": "colmet", "version": __version__}, "template": template}


def policy_body(age):
    """An ILM policy: begin a new backing index each day or 50 GB, delete those that are older than `age`."""
    hot = {"actions": {"rollover": {"max_age": "1d", "max_primary_shard_size": "50gb"}}}
    return {"policy": {"phases": {"hot": hot, "delete": {"min_age": age, "actions": {"delete": {}}}}}}


def _limit(layout):
    count = 2 * len(layout.properties())        # a text is two fields
    return {"index.mapping.total_fields.limit": count + MOST_FIELDS} if count > MOST_FIELDS // 2 else {}
