"""Our documents beside those that the collector of Colmet 0.6.10 writes into the same Elasticsearch."""
import gzip
import json
from collections import Counter

import pytest

from e2e.peers import push
from programs import free_port
from recorded import MESSAGES, NVIDIA, records
from stored_elastic import collector, wait_for_count

pytest_plugins = ("harness", "elastic.fixtures")
ADDED = {"@timestamp", "job"}


@pytest.fixture(name="messages", scope="module")
def _messages():
    """Recorded messages of 0.6, those of NVIDIA left out."""
    return [b"".join(record for name, record in records(gzip.decompress(path.read_bytes())) if name != NVIDIA)
            for path in MESSAGES]


def tables(messages):
    """Records of each table in `messages`."""
    return Counter(name for message in messages for name, _ in records(message))


def old_collector(start_old, server, prefix):
    """(program, uri) of the collector of 0.6.10, that stores in the server alone."""
    uri = "tcp://127.0.0.1:%d" % free_port()
    return start_old("collector", "-vvv", "--zeromq-bind-uri", uri, "-s", "0.2", "--buffer-size", "1000",
                     "--elastic-host", server.url, "--elastic-index-prefix", prefix), uri


def halves(server, prefix, messages):
    """For each table (documents of 0.6, ours): its own ids are not of our making."""
    for name, count in tables(messages).items():
        hits = server.hits(prefix + name.lower())
        ours = [hit["_source"] for hit in hits if set(hit["_source"]) & ADDED]
        theirs = [hit["_source"] for hit in hits if not set(hit["_source"]) & ADDED]
        assert (len(theirs), len(ours)) == (count, count), name
        yield theirs, ours


def check_equal(theirs, ours):
    """Field by field the same documents, save what we add."""
    for document in ours:
        assert document.pop("@timestamp") == 1000 * document["timestamp"]
        assert document.pop("job") == str(document["job_id"])
    assert sorted(map(canonical, theirs)) == sorted(map(canonical, ours))


def canonical(document):
    """A document as text that is the same for the same fields and values, types included."""
    return json.dumps(document, sort_keys=True)


def test_into_the_plain_indices_of_0_6_with_data_in_them(messages, start, start_old, uri, tmp_path, elasticsearch,
                                                         prefix):
    old, old_uri = old_collector(start_old, elasticsearch, prefix)
    count = sum(tables(messages).values())
    push(old_uri, messages)
    wait_for_count(elasticsearch, prefix + "*", count)
    assert old.stop() == 0
    made = elasticsearch.indices(prefix + "*")
    ours = collector(start, uri, tmp_path, elasticsearch.url, prefix, hdf5=False)
    push(uri, messages)
    wait_for_count(elasticsearch, prefix + "*", 2 * count)
    assert ours.stop(timeout=60) == 0
    assert elasticsearch.indices(prefix + "*") == made          # nothing new was made
    for documents in halves(elasticsearch, prefix, messages):
        check_equal(*documents)
    by_second = elasticsearch.search(prefix + "taskstats_default", size=0, query={"range": {"timestamp": {"gte": 1}}})
    assert by_second["hits"]["total"]["value"] == 2 * tables(messages)["taskstats_default"]


def test_beside_a_running_collector_of_0_6(messages, start, start_old, uri, tmp_path, elasticsearch, prefix):
    ours = collector(start, uri, tmp_path, elasticsearch.url, prefix, "--elastic-plain-index", hdf5=False)
    old, old_uri = old_collector(start_old, elasticsearch, prefix)
    for half in (messages[0::2], messages[1::2]):
        push(old_uri, half)
        push(uri, half)
    wait_for_count(elasticsearch, prefix + "*", 2 * sum(tables(messages).values()))
    assert ours.stop(timeout=60) == 0 and old.stop() == 0
    for documents in halves(elasticsearch, prefix, messages):
        check_equal(*documents)
    assert elasticsearch.indices(prefix + "*") == sorted(prefix + name.lower() for name in tables(messages))
    assert "failed" not in old.errors() and "ERROR" not in old.errors()


@pytest.mark.parametrize("stream", [True, False], ids=["data stream", "index"])
def test_over_a_template_of_the_site(stream, messages, start, uri, tmp_path, elasticsearch, prefix):
    template = {"index_patterns": [prefix + "*"], "priority": 10, "template": {
        "settings": {"number_of_shards": 2}, "mappings": {"properties": {"hostname": {"type": "keyword"}}}}}
    elasticsearch.ask("PUT", "/_index_template/%ssite" % prefix, dict(template, data_stream={}) if stream else template)
    ours = collector(start, uri, tmp_path, elasticsearch.url, prefix, hdf5=False)
    push(uri, messages)
    wait_for_count(elasticsearch, prefix + "*", sum(tables(messages).values()))
    assert ours.stop(timeout=60) == 0
    names = [each["name"] for each in elasticsearch.ask("GET", "/_index_template")["index_templates"]]
    assert [name for name in names if name.startswith(prefix)] == [prefix + "site"]
    for index in elasticsearch.indices(prefix + "*"):
        [about] = elasticsearch.ask("GET", "/" + index).values()
        assert about["settings"]["index"]["number_of_shards"] == "2" and index.startswith(".ds-") == stream
        assert about["mappings"]["properties"]["hostname"] == {"type": "keyword"}
    for name, count in tables(messages).items():
        assert elasticsearch.count(prefix + name.lower()) == count


def test_what_0_6_asks_of_its_indices_finds_ours(messages, start, uri, tmp_path, elasticsearch, prefix):
    """The queries of 0.6's sample dashboard: terms of X.keyword, ranges of timestamp, on a data stream of ours."""
    ours = collector(start, uri, tmp_path, elasticsearch.url, prefix, hdf5=False)
    push(uri, messages)
    wait_for_count(elasticsearch, prefix + "*", sum(tables(messages).values()))
    assert ours.stop(timeout=60) == 0
    index = prefix + "taskstats_default"
    answer = elasticsearch.search(
        index, size=0, query={"bool": {"must": [{"range": {"timestamp": {"gte": 1, "format": "epoch_second"}}}]}},
        aggs={"hosts": {"terms": {"field": "hostname.keyword"}, "aggs": {"jobs": {"terms": {"field": "job_id"}}}}})
    documents = elasticsearch.documents(index)
    found = {(host["key"], job["key"]): job["doc_count"] for host in answer["aggregations"]["hosts"]["buckets"]
             for job in host["jobs"]["buckets"]}
    assert found == dict(Counter((each["hostname"], each["job_id"]) for each in documents))

