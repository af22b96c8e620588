"""Reading a table's description that came over the wire: hostile until every field is checked."""
from colmet.common.schema import COUNTER, GAUGE, JOB, NODE, Metric, Table


def table_from(description):
    """The inverse of `Table.describe`; raises ValueError for what no Colmet would send."""
    try:
        metrics = tuple(Metric(*column) for column in description["metrics"])
        table = Table(description["name"], description["scope"], description["doc"], metrics,
                      description["instance"], involved_jobs=description["involved_jobs"],
                      mapping=_mapping(description.get("mapping", [])))
    except (KeyError, TypeError) as error:
        raise ValueError("not a table description: %r" % error) from None
    check(table)
    return table


def _mapping(words):
    if not isinstance(words, list):
        raise TypeError("mapping")
    return tuple(words)


def check(table):
    """Raise ValueError unless every field of `table` is of its kind and its names are fit for a path."""
    texts = [table.name, table.scope, table.doc, table.instance, table.involved_jobs]
    texts += table.mapping
    texts += [text for m in table.metrics for text in (m.name, m.unit, m.kind, m.doc, m.code, m.wire06, m.fold)]
    if not all(isinstance(text, str) and len(text) <= 2000 for text in texts):
        raise ValueError("table description: a field is not text, or is too long")
    names = [table.name] + [metric.name for metric in table.metrics]
    if not all(name.replace("-", "_").isidentifier() and len(name) <= 60 for name in names):
        raise ValueError("table description: unusable name")
    columns = names[1:]
    fits = len(set(columns)) == len(columns) and 0 < len(columns) <= 1000
    if not fits or table.scope not in (JOB, NODE) or not all(m.code in "qd" and m.code for m in table.metrics):
        raise ValueError("table description: columns doubled, none, too many, or of unknown scope or code")
    if table.mapping and len(table.mapping) != len(columns):
        raise ValueError("table description: a mapping of another length than the columns")
    if not all(m.fold in ("add", "min", "max") and m.kind in (COUNTER, GAUGE) for m in table.metrics):
        raise ValueError("table description: unknown fold or kind")
