"""What is in Elasticsearch, and whether it is what our HDF5 files have for the same records."""
from collections import defaultdict
from datetime import datetime

import numpy

import stored
from colmet.common.metrics import TABLES
from programs import wait_for

NOT_KNOWN = (-1, stored.MISSING, 2 ** 64 - 1)       # in HDF5; documents have no such field, or -1
LEFT_OUT = ("metric_backend", "involved_jobs", "session", "sequence", "row")
PATIENCE = 120                                      # s, for what is asked of a server that is just back


def given(uri, folder, url, prefix, hdf5=True):
    """Arguments of a collector that stores in folder/new.*.hdf5 and in the Elasticsearch at `url`."""
    words = ("--zeromq-bind-uri", uri, "--journal-dir", folder / "journal", "-s", "0.1", "--elastic-host", url,
             "--elastic-index-prefix", prefix)
    return words + (("--hdf5-filepath", folder / "new") if hdf5 else ())


def collector(start, uri, folder, url, prefix, *arguments, hdf5=True):
    """Our collector, started so, and ready."""
    errors = folder / "collector.err"
    before = errors.stat().st_size if errors.exists() else 0
    program = start("collector", *given(uri, folder, url, prefix, hdf5), *arguments)
    wait_for(lambda: "limits" in program.errors()[before:] or program.process.poll() is not None, PATIENCE, "start")
    return program


def wait_for_count(server, index, count):
    """Return when `index` (or pattern) has `count` documents or more."""
    wait_for(lambda: server.count(index) >= count, PATIENCE, "%d documents in %s" % (count, index))


def by_job(server, prefix):
    """{(job, table): its documents}; fails where an id is there twice, over all indices of the table."""
    found = defaultdict(list)
    for name in TABLES:
        index = prefix + name.lower()
        if not server.count(index):
            continue
        hits = server.hits(index)
        assert len({hit["_id"] for hit in hits}) == len(hits), "stored twice in %s" % index
        for hit in hits:
            source = hit["_source"]
            source["timestamp"] = int(source["timestamp"])      # text where it is put together from its columns, as
            if isinstance(source["@timestamp"], str):           # that of a time series is
                moment = datetime.fromisoformat(source["@timestamp"].replace("Z", "+00:00"))
                source["@timestamp"] = round(1000 * moment.timestamp())
            found[source["job"], name].append(source)
    return dict(found)


def check_same(files, server, prefix):
    """Every row of the HDF5 files is a document, and every document a row, value by value. The documents by job."""
    documents = by_job(server, prefix)
    rows = defaultdict(list)
    for path in files:
        for (job, table), data in stored.tables(path).items():
            rows[job, table] += [dict(zip(data.dtype.names, row)) for row in data.tolist()]
    counts = [{key: len(found) for key, found in each.items()} for each in (documents, rows)]
    assert counts[0] == counts[1], "documents %s, rows %s" % tuple(counts)
    for key, found in documents.items():
        for document, row in zip(ordered(found, rows[key], key), ordered(rows[key], found, key)):
            assert document == row, "%s: document %s, row %s" % (key, document, row)
    return documents


def ordered(records, others, key):
    """The values of `records` that `others` have too, in an order that depends on them only."""
    names = sorted(set().union(*records) & set().union(*others) - set(LEFT_OUT))
    assert len(names) > 3, key
    return sorted([[plain(record.get(name)) for name in names] for record in records], key=repr)


def plain(value):
    """A value as both stores can say it."""
    if isinstance(value, bytes):
        return value.decode()
    if value is None or value in NOT_KNOWN or value != value:
        return None
    return float(numpy.float32(value)) if isinstance(value, float) else value       # as 0.6's columns have it
