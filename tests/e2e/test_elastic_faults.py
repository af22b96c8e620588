"""What networks, proxies and busy servers do to bulk requests: every document is stored, once, with its values."""
import json
import threading
import time
from types import SimpleNamespace

from colmet.collector.elasticsearch import writer as writers
from colmet.collector.elasticsearch.client import Client
from colmet.collector.elasticsearch.target import hosts
from e2e.peers import JOBPROC, Node, batch
from elastic.faults import Proxy, cut, html, items, lost, mute, status, unsent
from hdf5_batches import write_journal
from programs import wait_for
from stored_elastic import PATIENCE, collector, wait_for_count

pytest_plugins = ("harness", "elastic.fixtures")
BATCHES, ROWS = 12, 7
INDEX = JOBPROC.name
FAULTS = {
    "busy": [status(429, **{"Retry-After": "0"})],
    "away": [status(503)],
    "broken": [status(500)],
    "between": [status(502), status(504)],
    "unknown here": [status(401)],
    "no right": [status(403)],
    "another program": [html()],
    "another program's error": [html(502)],
    "answer lost": [lost()],
    "answer cut": [cut()],
    "never arrived": [unsent()],
    "items busy": [items(429)],
    "items away": [items(503)],
    "in turn": [lost(), items(503), cut()],
}


def send(native, first=1, count=BATCHES):
    """Send batches `first` and on to a collector, and have them acknowledged."""
    with Node(native) as node:
        node.hello(tables=[JOBPROC], sequence=first + count - 1)
        for sequence in range(first, first + count):
            node.send(sequence, rows=ROWS)
        node.acknowledged(first + count - 1)


def native(uri):
    """Where our collector takes batches."""
    scheme, _, port = uri.rpartition(":")
    return "%s:%d" % (scheme, int(port) + 1)


def check(server, index, batches=BATCHES):
    """Each row of the first `batches` is stored, once over all indices, with its values."""
    hits = server.hits(index)
    assert sorted(hit["_id"] for hit in hits) == sorted(
        "node-1-7-%d-0-%d" % (sequence, row) for sequence in range(1, batches + 1) for row in range(ROWS))
    for hit in hits:
        source, sequence = hit["_source"], int(hit["_id"].split("-")[3])
        assert (source["hostname"], source["job"], source["job_id"]) == ("node-1", "12", 12)
        assert source["@timestamp"] == (1700000000 * 10 ** 9 + sequence) // 10 ** 6
        assert {source[metric.name] for metric in JOBPROC.metrics} == {5}


def test_all_is_stored_once_whatever_comes_between(start, uri, tmp_path, elasticsearch, prefix):
    with Proxy(elasticsearch.url) as proxy:
        ours = collector(start, uri, tmp_path, proxy.url, prefix, "--elastic-bulk-size", "16K", hdf5=False)
        for place, kind in enumerate(FAULTS):
            proxy.bulk += FAULTS[kind]
            send(native(uri), place * BATCHES + 1)
            wait_for(lambda: not proxy.bulk, PATIENCE, "end of faults of kind " + kind)      # pylint: disable=W0640
            wait_for_count(elasticsearch, prefix + INDEX, (place + 1) * BATCHES * ROWS)
        assert ours.stop(timeout=60) == 0, ours.errors()
    check(elasticsearch, prefix + INDEX, len(FAULTS) * BATCHES)
    assert json.loads((tmp_path / "journal" / "elasticsearch.json").read_text())["rejected"] == 0
    assert "Traceback" not in ours.errors()
    for words in ("503", "401", "403", "no JSON", "cut"):
        assert words in ours.errors()
    assert "nothing was lost" in ours.errors().splitlines()[-1]


def test_a_rollover_between_a_lost_answer_and_the_resending_doubles_nothing(start, uri, tmp_path, elasticsearch,
                                                                            prefix):
    def rollover():
        elasticsearch.ask("POST", "/%s/_rollover" % (prefix + INDEX))

    with Proxy(elasticsearch.url) as proxy:
        ours = collector(start, uri, tmp_path, proxy.url, prefix, hdf5=False)
        proxy.bulk += [lost(rollover)]
        send(native(uri))
        wait_for(lambda: not proxy.bulk, PATIENCE, "all faults met")
        wait_for_count(elasticsearch, prefix + INDEX, BATCHES * ROWS)
        assert ours.stop(timeout=60) == 0
    assert len(elasticsearch.indices(prefix + INDEX)) >= 2
    check(elasticsearch, prefix + INDEX)


def test_a_rollover_while_the_collector_is_dead_doubles_nothing(start, uri, tmp_path, elasticsearch, prefix):
    with Proxy(elasticsearch.url) as proxy:
        ours = collector(start, uri, tmp_path, proxy.url, prefix, hdf5=False)
        proxy.bulk.append(mute(threading.Event()))      # it is killed while it waits for this answer
        send(native(uri))
        wait_for_count(elasticsearch, prefix + INDEX, ROWS)
        ours.stop(9)
    elasticsearch.ask("POST", "/%s/_rollover" % (prefix + INDEX))
    ours = collector(start, uri, tmp_path, elasticsearch.url, prefix, hdf5=False)
    wait_for_count(elasticsearch, prefix + INDEX, BATCHES * ROWS)
    assert ours.stop(timeout=60) == 0
    check(elasticsearch, prefix + INDEX)


def test_a_full_disk_of_the_server_holds_all_up_until_there_is_room(start, uri, tmp_path, elasticsearch, prefix):
    ours = collector(start, uri, tmp_path, elasticsearch.url, prefix, hdf5=False)
    send(native(uri), 1, 3)
    wait_for_count(elasticsearch, prefix + INDEX, 3 * ROWS)
    block = "/%s/_settings" % (prefix + INDEX)      # what the server itself does at the flood stage of a full disk
    elasticsearch.ask("PUT", block, {"index.blocks.read_only_allow_delete": True})
    send(native(uri), 4, BATCHES - 3)
    wait_for(lambda: "flood-stage" in ours.errors() or "disk" in ours.errors(), PATIENCE, "word on the disk")
    assert elasticsearch.count(prefix + INDEX) == 3 * ROWS
    elasticsearch.ask("PUT", block, {"index.blocks.read_only_allow_delete": None})
    wait_for_count(elasticsearch, prefix + INDEX, BATCHES * ROWS)
    assert ours.stop(timeout=60) == 0
    check(elasticsearch, prefix + INDEX)


def test_what_the_server_never_takes_is_kept_with_the_reason_and_holds_up_nothing(start, uri, tmp_path, elasticsearch,
                                                                                   prefix):
    site = {"index_patterns": [prefix + INDEX], "data_stream": {}, "priority": 900,
            "template": {"mappings": {"properties": {"rchar": {"type": "ip"}}}}}        # 5 is no address
    elasticsearch.ask("PUT", "/_index_template/%ssite" % prefix, site)
    ours = collector(start, uri, tmp_path, elasticsearch.url, prefix, hdf5=False)
    send(native(uri))
    state = tmp_path / "journal" / "elasticsearch.json"
    wait_for(lambda: state.exists() and json.loads(state.read_text())["rejected"] == BATCHES * ROWS, PATIENCE,
             "rejected documents")
    assert ours.stop(timeout=60) == 0
    lines = (tmp_path / "journal" / "elasticsearch.rejected.jsonl").read_text().splitlines()
    rejected = [json.loads(line) for line in lines]
    assert len({each["id"] for each in rejected}) == len(rejected) == BATCHES * ROWS
    for each in rejected:
        assert each["status"] == 400 and "rchar" in each["reason"] and each["document"]["rchar"] == 5
    assert ours.errors().count("was rejected") == 1 and elasticsearch.count(prefix + INDEX) == 0


def test_an_answer_that_never_comes_is_not_waited_for_for_ever(tmp_path, elasticsearch, prefix):
    settings = SimpleNamespace(
        elastic_index_prefix=prefix, elastic_plain_index=False, elastic_time_series=False, elastic_retention="",
        elastic_bulk_size=2 ** 20, elastic_gzip=True, elastic_ca=None, no_check_certificates=False,
        http_credentials=None, sample_period=0.1, verbose=0)
    write_journal(tmp_path, [batch(sequence=sequence, rows=ROWS) for sequence in range(1, BATCHES + 1)])
    released = threading.Event()
    with Proxy(elasticsearch.url) as proxy:
        settings.elastic_hosts = hosts([proxy.url])
        writer = writers.Writer(settings, tmp_path, Client(settings, timeout=(5, 0.5)))
        proxy.bulk.append(mute(released))
        writer.work(must=True)
        assert writer.behind() and "no answer within" in writer.state.error
        released.set()
        end = time.monotonic() + PATIENCE
        while writer.behind() and time.monotonic() < end:
            writer.work(must=True)
        writer.close()
    assert writer.behind() == 0
    check(elasticsearch, prefix + INDEX)
