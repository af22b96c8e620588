"""The servers that the other tests start: what they serve, that they keep it, and that they end."""
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from checkout import CHECKOUT
from elastic.servers import lacking
from programs import wait_for

pytest_plugins = ("elastic.fixtures",)
OWNER = """
import sys, time
from pathlib import Path
from elastic.servers import Elasticsearch
server = Elasticsearch(Path(sys.argv[1]))
server.start()
print(server.process.pid, flush=True)
time.sleep(600)
"""


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


def group(number):
    """Process ids of the group `number`, those that only wait for their parent left out."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of = path.read_text().rpartition(") ")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(of) == number and state != "Z":
            found.append(int(path.parent.name))
    return found


def test_a_server_ends_with_who_started_it_whatever_becomes_of_that(tmp_path):
    if lacking():
        pytest.skip(lacking())
    owner = subprocess.Popen([sys.executable, "-c", OWNER, tmp_path], stdout=subprocess.PIPE, cwd=CHECKOUT / "tests")
    try:
        number = int(owner.stdout.readline())
        wait_for(lambda: len(group(number)) > 1, 60, "second process of the server")
    finally:
        owner.kill()
        owner.wait()
        owner.stdout.close()
    wait_for(lambda: not group(number), 60, "end of the server")
