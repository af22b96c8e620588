"""OpenSearch 2, and what neither it nor the Elasticsearch of the tests has: ILM, lifecycles and API keys.

The latter are answered by a stand-in before the real server, in the words of Elasticsearch's reference (documents
"Create or update lifecycle policy", "Get lifecycle status", "Create API key"): these tests say what we send, not that
a server takes it.
"""
import json

import pytest

import stored
from e2e.peers import JOBPROC
from elastic.faults import Proxy, cut, lost
from stored_elastic import check_same, collector, wait_for_count
from test_elastic_faults import BATCHES, ROWS, check, native, send
from workload import cpu, load

pytest_plugins = ("harness", "elastic.fixtures")
INDEX = JOBPROC.name
CPU = "cpu_run_virtual_total"
KEY = "b3duOm5vdC1hLXJlYWwta2V5"


@pytest.mark.root
def test_opensearch_has_what_the_jobs_really_did(root, uri, start, tmp_path, opensearch, prefix):
    ours = collector(start, uri, tmp_path, opensearch.url, prefix)
    with load(root.job(4217), tmp_path, 0.3, threads=2) as process:
        truth = cpu([process.pid])
        node = start("node", "--cpuset_rootpath", root.path, "-s", "0.5", "--zeromq-uri", uri, "--zeromq-linger",
                     "60000")
        wait_for_count(opensearch, prefix + "taskstats_default", 5)
        assert node.stop() == 0
    assert ours.stop(timeout=60) == 0, ours.errors()
    documents = check_same(stored.files(tmp_path), opensearch, prefix)
    assert {document[CPU] for document in documents["4217", "taskstats_default"]} == {truth}
    streams = opensearch.ask("GET", "/_data_stream/%s*" % prefix)["data_streams"]
    assert {prefix + name.lower() for _, name in documents} == {stream["name"] for stream in streams}


def test_opensearch_doubles_nothing_either(start, uri, tmp_path, opensearch, prefix):
    with Proxy(opensearch.url) as proxy:
        proxy.bulk += [cut(), lost(lambda: opensearch.ask("POST", "/%s/_rollover" % (prefix + INDEX)))]
        ours = collector(start, uri, tmp_path, proxy.url, prefix, hdf5=False)
        for sequence in range(1, BATCHES + 1):
            send(native(uri), sequence, 1)
            wait_for_count(opensearch, prefix + INDEX, sequence * ROWS)
        assert ours.stop(timeout=60) == 0 and not proxy.bulk
    assert len(opensearch.indices(prefix + INDEX)) >= 2
    check(opensearch, prefix + INDEX)


@pytest.mark.parametrize("option, words", [
    (("--elastic-retention", "90d"), "neither data stream lifecycles nor ILM"),
    (("--elastic-time-series",), "plain data streams are used")])
def test_what_opensearch_lacks_is_said_and_all_is_stored(option, words, start, uri, tmp_path, opensearch, prefix):
    ours = collector(start, uri, tmp_path, opensearch.url, prefix, *option, hdf5=False)
    send(native(uri))
    wait_for_count(opensearch, prefix + INDEX, BATCHES * ROWS)
    assert ours.stop(timeout=60) == 0
    assert ours.errors().count(words) == 1 and option[0] + ":" in ours.errors()
    check(opensearch, prefix + INDEX)


class Stand:
    """A stand-in for what Elasticsearch's paid-for or left-out modules answer; the rest goes to the real server.
    `asked` keeps (method, path, body, authorization) of all requests."""

    def __init__(self, has=(), key=None):
        self.asked, self._has, self._key = [], has, key

    def __call__(self, exchange):
        path, body = exchange.path.partition("?")[0], exchange.text().decode()
        self.asked.append((exchange.command, path, body, exchange.headers.get("Authorization")))
        if self._key and exchange.headers.get("Authorization") != "ApiKey " + self._key:
            return self._say(exchange, 401, {"error": {"type": "security_exception"}, "status": 401})
        if any(path.startswith(each) for each in self._has):
            return self._say(exchange, 200, {"operation_mode": "RUNNING"} if "status" in path else
                             {"acknowledged": True})
        if path.startswith("/_index_template/") and body:
            template = json.loads(body)
            template["template"]["settings"].pop("index.lifecycle.name", None)      # unknown to this build
            template["template"].pop("lifecycle", None)
            body = json.dumps(template)
        return exchange.answer(*exchange.forward(body.encode()))

    @staticmethod
    def _say(exchange, status, value):
        exchange.answer(status, {"Content-Type": "application/json"}, json.dumps(value).encode())

    def bodies(self, method, beginning):
        """{path: body} of requests that were made so."""
        return {path: json.loads(body) for verb, path, body, _ in self.asked
                if verb == method and path.startswith(beginning)}


@pytest.mark.parametrize("keeper", ["/_lifecycle/stats", "/_ilm/"])
def test_retention_is_asked_for_as_the_reference_says(keeper, start, uri, tmp_path, elasticsearch, prefix):
    stand = Stand(has=(keeper,))
    with Proxy(elasticsearch.url) as proxy:
        proxy.always = stand
        ours = collector(start, uri, tmp_path, proxy.url, prefix, "--elastic-retention", "90d", hdf5=False)
        send(native(uri))
        wait_for_count(elasticsearch, prefix + INDEX, BATCHES * ROWS)
        assert ours.stop(timeout=60) == 0
    [template] = stand.bodies("PUT", "/_index_template/").values()
    if keeper == "/_ilm/":
        [(path, policy)] = stand.bodies("PUT", "/_ilm/policy/").items()
        assert template["template"]["settings"]["index.lifecycle.name"] == path.rpartition("/")[2]
        assert policy["policy"]["phases"]["delete"]["min_age"] == "90d"
        assert policy["policy"]["phases"]["delete"]["actions"] == {"delete": {}}
    else:
        assert template["template"]["lifecycle"] == {"data_retention": "90d"}
    assert template["index_patterns"] == [prefix + INDEX] and template["data_stream"] == {}


def test_an_api_key_is_sent_as_the_reference_says_and_never_shown(start, uri, tmp_path, elasticsearch, prefix):
    secret = tmp_path / "key"
    secret.write_text("ApiKey %s\n" % KEY)
    secret.chmod(0o600)
    stand = Stand(key=KEY)
    with Proxy(elasticsearch.url) as proxy:
        proxy.always = stand
        ours = collector(start, uri, tmp_path, proxy.url, prefix, "--http-credentials", secret, "-vvv", hdf5=False)
        send(native(uri))
        wait_for_count(elasticsearch, prefix + INDEX, BATCHES * ROWS)
        assert ours.stop(timeout=60) == 0
    assert {authorization for _, _, _, authorization in stand.asked} == {"ApiKey " + KEY}
    assert KEY not in ours.errors()
    check(elasticsearch, prefix + INDEX)
