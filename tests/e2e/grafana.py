"""What Grafana's Elasticsearch data source does with a query of a dashboard: the variables put in, the `_msearch` body
that it sends, and the lines and columns that it makes of the answer.

As the back end of the data source does since Grafana 9 (pkg/tsdb/elasticsearch: data_query.go, response_parser.go) and
the front end for variables (QueryBuilder.getTermsQuery, the format "lucene" of templateSrv).
"""
import json
import re
from typing import Dict, List, NamedTuple

DEFAULT_SIZE = 500          # of terms where a query gives none
ALL = "$__all"
TABLE_NAMES = {"sum": "Sum", "max": "Max", "cardinality": "Unique Count"}


class Line(NamedTuple):
    """One line of a panel: its legend, what tells it apart by field, and (ms, value or None) of each bucket."""
    name: str
    labels: Dict[str, str]
    points: List


class Range(NamedTuple):
    """The time that a dashboard shows, and the width of a bucket; all in ms."""
    start: int
    end: int
    interval: int


def escape(text):
    """A value of a variable in a query of Lucene."""
    return re.sub(r'([!*+\-=<>\s&|()\[\]{}^~?:\\/"])', r"\\\1", text)


def lucene(value, everything="*"):
    """What stands for a variable: a text, or a list of texts; `everything` is its "all" value."""
    if isinstance(value, str):
        return escape(value)
    return everything if value == [ALL] else "(%s)" % " OR ".join('"%s"' % escape(each) for each in value)


def filled(text, values):
    """`text` with each ``$name`` and ``${name}`` replaced."""
    return re.sub(r"\$\{(\w+)\}|\$(\w+)", lambda found: lucene(values[found[1] or found[2]]), text)


def searched(time_field, span, query):
    """The part of a body that says which documents are meant."""
    wanted = [{"range": {time_field: {"gte": span.start, "lte": span.end, "format": "epoch_millis"}}}]
    if query:
        wanted.append({"query_string": {"analyze_wildcard": True, "query": query}})
    return {"size": 0, "query": {"bool": {"filter": wanted}}}


def body(target, values, span):
    """The search that one query of a panel becomes."""
    found = searched(target["timeField"], span, filled(target["query"], values))
    level = found
    for bucket in target["bucketAggs"]:
        kind = {"terms": terms, "date_histogram": histogram}[bucket["type"]]
        level.setdefault("aggs", {}).update(kind(bucket, target["metrics"], span))
        level = level["aggs"][bucket["id"]]
    level.setdefault("aggs", {}).update({one["id"]: {one["type"]: measure(one)} for one in target["metrics"]})
    return found


def terms(bucket, metrics, _):
    """A level of lines; those that are ordered by a metric need it on this level too, without its script."""
    settings = bucket["settings"]
    order = {"_term": "_key"}.get(settings["orderBy"], settings["orderBy"])
    agg = {"terms": {"field": bucket["field"], "size": int(settings["size"]) or DEFAULT_SIZE,
                     "order": {order: settings["order"]}, "min_doc_count": int(settings["min_doc_count"])}}
    ordering = [one for one in metrics if one["id"] == order]
    if ordering:
        agg["aggs"] = {order: {ordering[0]["type"]: {"field": ordering[0]["field"]}}}
    return {bucket["id"]: agg}


def histogram(bucket, _, span):
    """The level of buckets of time."""
    return {bucket["id"]: {"date_histogram": {
        "field": bucket["field"], "fixed_interval": "%dms" % span.interval, "format": "epoch_millis",
        "min_doc_count": int(bucket["settings"]["min_doc_count"]),
        "extended_bounds": {"min": span.start, "max": span.end}}}}


def measure(metric):
    """The body of one metric; a pipeline's field is the id of another, that of a script has several by name."""
    settings = dict(metric.get("settings") or {})
    if isinstance(settings.get("script"), dict):
        settings["script"] = settings["script"]["inline"]
    if metric["type"] == "bucket_script":
        return dict(settings, buckets_path={each["name"]: each["pipelineAgg"] for each in metric["pipelineVariables"]})
    place = "buckets_path" if metric["type"] == "derivative" else "field"
    return dict(settings, **{place: metric["field"]})


def ask(server, pattern, bodies):
    """The answers to `bodies`, in one request, as the data source asks; an error in one fails."""
    head = json.dumps({"search_type": "query_then_fetch", "ignore_unavailable": True, "index": pattern})
    lines = "".join("%s\n%s\n" % (head, json.dumps(each)) for each in bodies)
    answers = server.ask("POST", "/_msearch?max_concurrent_shard_requests=5", lines)["responses"]
    for each, answer in zip(bodies, answers):
        assert "error" not in answer, "%s: %s" % (json.dumps(each), json.dumps(answer["error"]))
        assert answer["_shards"]["failed"] == 0, answer["_shards"]
    return answers


def lines(target, answer):
    """The lines that Grafana draws."""
    found = []
    level(target, answer["aggregations"], 0, {}, found)
    trim = int(target["bucketAggs"][-1]["settings"].get("trimEdges", 0))
    return [Line(legend(target, labels), labels, points[trim:-trim] if trim and len(points) > 2 * trim else points)
            for labels, points in found]


def level(target, aggregations, depth, labels, found):
    """Add (labels, points) of all that is below."""
    bucket = target["bucketAggs"][depth]
    buckets = aggregations[bucket["id"]]["buckets"]
    if depth + 1 < len(target["bucketAggs"]):
        for each in buckets:
            level(target, each, depth + 1, dict(labels, **{bucket["field"]: str(each["key"])}), found)
        return
    for metric in target["metrics"]:
        if not metric.get("hide"):
            found.append((labels, [(each["key"], value(each.get(metric["id"]))) for each in buckets]))


def value(answer):
    """The number that is drawn, None where there is none."""
    number = (answer or {}).get("normalized_value", (answer or {}).get("value"))
    return float(number) if number is not None and str(number).lower() != "nan" else None


def legend(target, labels):
    """The name of a line: the alias, or the values that tell it apart."""
    alias = target.get("alias") or " ".join(labels[field] for field in sorted(labels))
    return re.sub(r"\{\{term ([^}]+)\}\}", lambda found: labels.get(found[1], ""), alias)


def rows(target, answer):
    """The lines of a list, as dicts by name of the column."""
    [bucket] = target["bucketAggs"]
    kinds = [one["type"] for one in target["metrics"]]
    found = []
    for each in answer["aggregations"][bucket["id"]]["buckets"]:
        row = {bucket["field"]: each["key"]}
        for one in target["metrics"]:
            several = " " + one["field"] if kinds.count(one["type"]) > 1 else ""
            row[TABLE_NAMES[one["type"]] + several] = each[one["id"]]["value"]
        found.append(row)
    return found


def choices(server, pattern, variable, values, span):
    """The values that a variable offers, in Grafana's order."""
    query = json.loads(filled(variable["query"], values))
    order = {"_key": query.get("order", "asc")}
    wanted = dict(searched("timestamp", span, query.get("query")), aggs={
        "1": {"terms": {"field": query["field"], "size": query.get("size") or DEFAULT_SIZE, "order": order}}})
    [answer] = ask(server, pattern, [wanted])
    found = [str(each["key"]) for each in answer["aggregations"]["1"]["buckets"]]
    if variable["regex"]:
        matches = [re.search(variable["regex"].strip("/"), each) for each in found]
        found = [match[1] for match in matches if match]
    found = list(dict.fromkeys(found))
    return sorted(found, key=lambda text: -int(re.sub(r"\D.*", "", text) or 0)) if variable["sort"] == 4 \
        else sorted(found)
