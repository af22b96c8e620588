"""Series as queries of Grafana's Elasticsearch data source: a query string, bucketAggs, metrics."""
from colmet.common.schema import COUNTER
from questions import DISTINCT, INCREASE, RATE, VALUE, Ratio

SOURCE = {"type": "elasticsearch", "uid": "${datasource}"}
TIME = "timestamp"          # whole seconds; the one time field that every index has, those of Colmet 0.6 too
TEXT = {"job": "job.keyword", "hostname": "hostname.keyword", "part": "part.keyword", "zone": "zone.keyword",
        "event": "event.keyword", "sensor": "sensor.keyword"}
FILTERS = {"job": "job.keyword:$job", "host": "hostname.keyword:$host"}
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SCALES = {"ns": "1e9", "us": "1e6", "USER_HZ": "100.0", "uJ": "1e6"}    # a rate, divided so, is CPUs, tasks or W
FOLDED = {"sum": "Sum", "max": "Max", "cardinality": "Unique Count"}    # what Grafana calls the columns of a list


def metric(tables, series):
    """The declaration of the metric of `series`; None for a field of text."""
    found = [one for one in tables[series.table].metrics if one.name == series.metric]
    return found[0] if found and series.how != DISTINCT else None


def how(tables, series):
    """RATE, INCREASE, VALUE or DISTINCT."""
    if series.how:
        return series.how
    return RATE if metric(tables, series).kind == COUNTER else VALUE


def index(table):
    """A query for the documents of `table`, in a plain index or in the backing indices of a data stream."""
    return "_index:(${prefix}%s OR .ds-${prefix}%s-*)" % (table, table)


def condition(tables, series, variables):
    """The query string of `series` on a dashboard with these `variables`."""
    parts = [index(series.table)] + [FILTERS[name] for name in variables]
    if isinstance(series, Ratio):
        parts.append("%s:(%s OR %s)" % (TEXT[series.field], series.above, series.below))
    elif series.only:
        parts.append(series.only)
    if tables[series.table].legacy and metric(tables, series):
        parts.append("%s:>=0" % series.metric)      # -1 is "not known" in the tables of Colmet 0.6
    return " AND ".join(parts)


def target(tables, panel, place, variables):
    """The query of series number `place` of `panel`."""
    series = panel.series[place]
    kind = how(tables, series)
    metrics = measured(tables, series, kind)
    buckets = [{"id": str(10 + depth), "type": "terms", "field": TEXT[by], "settings": {
        "min_doc_count": "1", "order": "desc", "orderBy": "1", "size": str(panel.top)}}
        for depth, by in enumerate(panel.by)]
    # The last bucket is not full yet: a rate there is too low.
    edges = "1" if kind in (RATE, INCREASE) else "0"
    buckets.append({"id": "20", "type": "date_histogram", "field": TIME,
                    "settings": {"interval": "auto", "min_doc_count": "0", "trimEdges": edges}})
    return {"refId": LETTERS[place], "datasource": SOURCE, "query": condition(tables, series, variables),
            "alias": legend(panel, series), "timeField": TIME, "bucketAggs": buckets, "metrics": metrics}


def legend(panel, series):
    """What Grafana writes beside a line."""
    terms = ["{{term %s}}" % TEXT[by] for by in panel.by]
    return " ".join(([series.legend] if series.legend else []) + [" on ".join(terms)]).strip() or series.metric


def measured(tables, series, kind):
    """The metrics of one query: the greatest value of each bucket, and its derivative where it counts."""
    if isinstance(series, Ratio):
        return divided(series)
    if kind == DISTINCT:
        return [{"id": "1", "type": "cardinality", "field": TEXT[series.metric]}]
    greatest = {"id": "1", "type": "max", "field": series.metric}
    if kind == VALUE:
        return [greatest]
    greatest["hide"] = True
    change = {"id": "2", "type": "derivative", "field": "1"}
    if kind == RATE:
        change["settings"] = {"unit": "1s"}
        scale = SCALES.get(metric(tables, series).unit)
        if scale:
            greatest["settings"] = {"script": "_value / " + scale}
    return [greatest, change]


def divided(ratio):
    """The metrics of the query of a Ratio: of both rows what `measured` has, and the one divided by the other."""
    only = "doc['%s'].value == '%%s' ? _value : 0" % TEXT[ratio.field]
    rows = [{"id": place, "type": "max", "field": ratio.metric, "hide": True, "settings": {"script": only % row}}
            for place, row in (("1", ratio.above), ("2", ratio.below))]
    changes = [{"id": place, "type": "derivative", "field": of, "hide": True} for place, of in (("3", "1"), ("4", "2"))]
    names = [{"name": "above", "pipelineAgg": "3"}, {"name": "below", "pipelineAgg": "4"}]
    return rows + changes + [{"id": "5", "type": "bucket_script", "pipelineVariables": names, "settings": {
        "script": "params.below > 0 ? params.above / params.below : null"}}]


def listing(panel, variables):
    """The query of a list."""
    parts = [index(panel.table)] + [FILTERS[name] for name in variables]
    metrics = [{"id": str(place), "type": column.fold, "field": TEXT.get(column.metric, column.metric)}
               for place, column in enumerate(panel.columns, 1)]
    terms = {"id": "10", "type": "terms", "field": TEXT[panel.by], "settings": {
        "min_doc_count": "1", "order": "desc", "orderBy": "1", "size": str(panel.top)}}
    return {"refId": "A", "datasource": SOURCE, "query": " AND ".join(parts), "timeField": TIME,
            "bucketAggs": [terms], "metrics": metrics}


def heading(panel, column):
    """What Grafana calls a column of a list: with the field where several are put together in the same way."""
    alike = [one for one in panel.columns if one.fold == column.fold]
    return FOLDED[column.fold] + (" " + TEXT.get(column.metric, column.metric) if len(alike) > 1 else "")
