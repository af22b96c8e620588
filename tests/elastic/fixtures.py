"""Servers as a plugin of pytest: started once a session, at the first use of any, all that the session will want."""
import itertools
import os

import pytest

from elastic import servers
from elastic.certificates import Authority

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session", name="authority")
def _authority(tmp_path_factory):
    """The authority that signs for `elasticsearch_tls`."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session", name="started")
def _started(request, tmp_path_factory):
    """started(name): the server that the fixture `name` stands for. The first call starts all that collected tests
    use, at once: they need much of their time for themselves."""
    running = {}
    makers = {
        "elasticsearch": servers.Elasticsearch,
        "elasticsearch_tls": lambda folder: servers.SecureElasticsearch(
            folder, request.getfixturevalue("authority")),
        "opensearch": servers.OpenSearch,
    }

    def get(name):
        reason = servers.lacking()
        if reason:
            pytest.skip(reason)
        wanted = {each for item in request.session.items for each in getattr(item, "fixturenames", ())} | {name}
        for each in makers:
            if each in wanted and each not in running:
                running[each] = makers[each](tmp_path_factory.mktemp(each))
                running[each].start()
        return running[name].wait()
    try:
        yield get
    finally:
        for server in running.values():
            server.close()


@pytest.fixture(scope="session", name="_elasticsearch")
def _plain(started):
    return started("elasticsearch")


@pytest.fixture(scope="session", name="_opensearch")
def _open(started):
    return started("opensearch")


@pytest.fixture(name="elasticsearch")
def _elasticsearch(_elasticsearch):
    """Elasticsearch 8 without security, running, whatever the test before did to it."""
    return revived(_elasticsearch)


@pytest.fixture(scope="session", name="elasticsearch_tls")
def _elasticsearch_tls(started):
    """Elasticsearch 8 with HTTPS and users."""
    return started("elasticsearch_tls")


@pytest.fixture(name="opensearch")
def _opensearch(_opensearch):
    """OpenSearch 2, running."""
    return revived(_opensearch)


@pytest.fixture(name="prefix")
def _prefix():
    """A beginning of index names that no other test uses."""
    return "t%d_%d_" % (os.getpid(), next(_NUMBERS))


def revived(server):
    """`server`, started again if it was left killed."""
    if server.process is None or server.process.poll() is not None:
        server.stop()
        server.start()
    return server.wait()
