"""The servers that the other tests start: what they serve, that they keep it, and that they end."""
import pytest
import requests

pytest_plugins = ("elastic.fixtures",)


def put(server, index, count, first=0):
    """Index `count` documents; the statuses of the items."""
    lines = "".join('{"create": {"_id": "%d"}}\n{"n": %d}\n' % (each, each) for each in range(first, first + count))
    return [item["create"]["status"] for item in server.ask("POST", "/%s/_bulk" % index, lines)["items"]]


@pytest.fixture(name="each", params=["elasticsearch", "elasticsearch_tls", "opensearch"])
def _each(request, elasticsearch, elasticsearch_tls, opensearch):
    """One server after the other, with the release that it must be."""
    return {"elasticsearch": (elasticsearch, "8."), "elasticsearch_tls": (elasticsearch_tls, "8."),
            "opensearch": (opensearch, "2.")}[request.param]


def test_what_was_written_is_found(each, prefix):
    server, version = each
    assert server.ask("GET", "/")["version"]["number"].startswith(version)
    assert put(server, prefix + "some", 5) == [201] * 5
    assert server.count(prefix + "*") == 5 and server.indices(prefix + "*") == [prefix + "some"]
    assert sorted(document["n"] for document in server.documents(prefix + "some")) == [0, 1, 2, 3, 4]


def test_what_was_written_survives_kill_9(elasticsearch, prefix):
    put(elasticsearch, prefix + "some", 7)
    elasticsearch.kill9()
    with pytest.raises(requests.ConnectionError):
        elasticsearch.call("GET", "/")
    elasticsearch.start()
    elasticsearch.wait()
    assert elasticsearch.count(prefix + "some") == 7


def test_nobody_enters_without_password(elasticsearch_tls):
    for auth, status in ((None, 401), (("colmet", "wrong"), 401), (elasticsearch_tls.auth, 200)):
        answer = requests.get(elasticsearch_tls.url, auth=auth, verify=elasticsearch_tls.verify, timeout=60)
        assert answer.status_code == status
