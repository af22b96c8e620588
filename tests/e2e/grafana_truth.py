"""What the queries of a dashboard must return, made again from the rows of the HDF5 file, and not with the code that
made the queries: their JSON is read."""
import re

import stored

TERMS = {"job.keyword": "job", "hostname.keyword": "hostname", "part.keyword": "part", "zone.keyword": "zone",
         "event.keyword": "event", "sensor.keyword": "sensor"}
SECOND = 10 ** 9        # ns
TOLERANCE = 1e-9        # relative; a double holds 15 digits, and ns of a year take 17


def table(target):
    """The name of the table that is asked."""
    return re.match(r"_index:\(\$\{prefix\}(\w+) OR ", target["query"])[1]


def row(job, found):
    """A row of the file with the fields of a document: job, hostname, time in ms, all else as it is."""
    values = {name: value.decode() if isinstance(value, bytes) else value for name, value in found.items()}
    values["ms"] = 1000 * (values["time"] // SECOND if "time" in values else values["timestamp"])
    return dict(values, job=job)


def meant(target, values):
    """A function that tells whether a row is among those that the query string asks for."""
    tests = []
    for part in target["query"].split(" AND ")[1:]:
        _, negated, part = part.rpartition("NOT ")
        name, _, wanted = part.partition(":")
        if wanted == ">=0":
            tests.append(lambda row, name=name: row[name] >= 0)
        else:
            some = wanted[1:-1].split(" OR ") if wanted.startswith("(") else wanted
            known = values[wanted[1:]] if wanted.startswith("$") else some
            tests.append(lambda row, name=TERMS[name], known=known, no=bool(negated): no != fits(row[name], known))
    return lambda row: all(test(row) for test in tests)


def fits(value, known):
    """Whether `value` is that text, or one of that list."""
    return known == ["$__all"] or value in ([known] if isinstance(known, str) else known)


def keys(target):
    """The fields that tell the lines of a target apart."""
    return [bucket["field"] for bucket in target["bucketAggs"] if bucket["type"] == "terms"]


def expected(target, rows, values, span):
    """{values that tell a line apart: {bucket in ms: number}} of a panel's query."""
    chosen, grouped = meant(target, values), {}
    for each in rows:
        if span.start <= each["ms"] <= span.end and chosen(each):
            key = tuple(each[TERMS[field]] for field in keys(target))
            grouped.setdefault(key, {}).setdefault(each["ms"] // span.interval * span.interval, []).append(each)
    return {key: dict(points(target, buckets, span)) for key, buckets in grouped.items()}


def points(target, buckets, span):
    """(bucket, number) of one line."""
    first = target["metrics"][0]
    if target["metrics"][-1]["type"] == "bucket_script":
        return quotients(target["metrics"], buckets, span.interval)
    if first["type"] == "cardinality":
        return [(at, float(len({each[TERMS[first["field"]]] for each in found}))) for at, found in buckets.items()]
    scale = float((first.get("settings") or {}).get("script", "_value / 1").rpartition("/")[2])
    known = {at: [each[first["field"]] for each in found if each[first["field"]] != stored.MISSING]
             for at, found in buckets.items()}
    greatest = {at: max(found) / scale for at, found in known.items() if found}
    if len(target["metrics"]) == 1:
        return list(greatest.items())
    step = span.interval
    seconds = step / 1000 if target["metrics"][1].get("settings") else 1
    return [(at, (value - greatest[at - step]) / seconds) for at, value in greatest.items() if at - step in greatest]


def quotients(metrics, buckets, step):
    """(bucket, number) of one line: what the rows of one kind grew by over what those of another did."""
    grown = []
    for one in metrics[:2]:
        field, only = re.search(r"doc\['(.+)'\]\.value == '(\w+)'", one["settings"]["script"]).groups()
        greatest = {at: max([each[one["field"]] for each in found if each[TERMS[field]] == only] + [0])
                    for at, found in buckets.items() if any(each[one["field"]] != stored.MISSING for each in found)}
        grown.append({at: value - greatest[at - step] for at, value in greatest.items() if at - step in greatest})
    return [(at, above / grown[1][at]) for at, above in grown[0].items() if grown[1][at] > 0]


def listed(target, rows, values):
    """{value that tells a line apart: {metric: number}} of a list's query."""
    chosen, grouped = meant(target, values), {}
    for each in rows:
        if chosen(each):
            grouped.setdefault(each[TERMS[keys(target)[0]]], []).append(each)
    fold = {"sum": sum, "max": max, "cardinality": lambda found: len(set(found))}
    return {key: [fold[one["type"]]([each[TERMS.get(one["field"], one["field"])] for each in found])
                  for one in target["metrics"]] for key, found in grouped.items()}
