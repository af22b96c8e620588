"""What the command line may say of Elasticsearch, and the one line that each fault of a connection becomes."""
import logging
import os
import socket
import threading

import pytest

import elastic_stub as stubs
from colmet.collector.elasticsearch import target
from colmet.collector.elasticsearch.client import Client, Trouble
from colmet.collector.settings import settings as parsed
from colmet.collector.writers import Refused
from colmet.common.options import Usage
from elastic.certificates import Authority
from elastic_writer import TIMEOUT, go_on, journal, open_writer, settings

HOSTS = [   # what is given, URL and login that are used
    ("localhost:9200", [("http://localhost:9200", "")]),
    ("localhost", [("http://localhost:9200", "")]),
    ("http://localhost:9200", [("http://localhost:9200", "")]),
    ("http://localhost:9200/", [("http://localhost:9200", "")]),
    ("https://es.example.org", [("https://es.example.org", "")]),
    ("https://proxy.example.org/elastic/", [("https://proxy.example.org/elastic", "")]),
    ("es1,es2:9201, https://es3:9202", [("http://es1:9200", ""), ("http://es2:9201", ""), ("https://es3:9202", "")]),
    ("[::1]:9200", [("http://[::1]:9200", "")]),
    ("http://alice:pa%40ss@es:9200", [("http://es:9200", "alice:pa@ss")]),
]


@pytest.mark.parametrize("text, found", HOSTS, ids=[text for text, _ in HOSTS])
def test_hosts_are_given_as_0_6_took_them_and_in_other_ways(text, found):
    assert target.hosts([text]) == found
    assert parsed(["--elastic-host", text, "--elastic-host", "z"]).elastic_hosts == found + [("http://z:9200", "")]


@pytest.mark.parametrize("text", ["", "http://", "ftp://x", "x:0", "x:99999", "x y", "http://u:secret@x:y"])
def test_what_is_no_host_is_a_usage_error_without_a_password(text):
    with pytest.raises(Usage) as caught:
        target.hosts([text])
    assert "--elastic-host" in str(caught.value) and "secret" not in str(caught.value)


@pytest.mark.parametrize("text, found", [
    ("alice:secret\n", ("basic", "alice", "secret")), ("alice:pa:ss", ("basic", "alice", "pa:ss")),
    ("ApiKey VnVhQ2ZHY0JDZGJrUW0=\n", ("key", "VnVhQ2ZHY0JDZGJrUW0=")), ("é:ü", ("basic", "é", "ü")),
])
def test_credentials_are_a_login_or_a_key(text, found, tmp_path):
    (tmp_path / "p").write_text(text, encoding="utf-8")
    assert target.credentials(str(tmp_path / "p")) == found


@pytest.mark.parametrize("data", [b"", b"secret", b":secret", b"a:b\nc:d\n", b"ApiKey\n", b"al\xff:secret"])
def test_credentials_that_are_none_are_refused_and_not_told(data, tmp_path):
    (tmp_path / "p").write_bytes(data)
    with pytest.raises(Refused) as caught:
        target.credentials(str(tmp_path / "p"))
    assert "USER:PASSWORD" in str(caught.value) and "secret" not in str(caught.value)


def test_a_file_of_credentials_that_others_can_read_is_told(tmp_path, capsys):
    path = tmp_path / "p"
    path.write_text("a:secret")
    for mode, told in ((0o600, 0), (0o640, 1), (0o604, 1)):
        path.chmod(mode)
        target.warn(parsed(["--elastic-host", "x", "-P", str(path)]))
        said = capsys.readouterr().err
        assert said.count("others can read it; chmod 600 it") == told and "secret" not in said
    target.warn(parsed(["--elastic-host", "http://al:secret@x", "--no-check-certificates"]))
    said = capsys.readouterr().err
    assert "--http-credentials FILE" in said and "--no-check-certificates: " in said and "secret" not in said


def trouble(url, **options):
    """The words of the `Trouble` that a request meets."""
    client = Client(settings(url, **options), TIMEOUT)
    with pytest.raises(Trouble) as caught:
        client.ask("GET", "/x")
    client.close()
    assert str(caught.value).startswith(url) and "\n" not in str(caught.value)
    return str(caught.value)[len(url) + 2:]


def test_a_server_that_is_away_is_told_in_few_words():
    assert trouble("http://127.0.0.1:9") == "connection refused; is it running?"
    assert trouble("http://no-such-host.invalid:9200") == "no such host"
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        threading.Thread(target=lambda: listener.accept()[0].close(), daemon=True).start()
        assert trouble("http://127.0.0.1:%d" % listener.getsockname()[1]) == "it cut the connection"


@pytest.mark.parametrize("code, words", [(302, "HTTP 302"), (500, "HTTP 500: x: y"),
                                         (403, "403, not allowed: x: y; give"), (429, "429, it is overloaded: x: y")])
def test_a_status_is_told_with_the_servers_own_words(code, words):
    with stubs.Stub() as stub:
        stub.login = "nobody"
        stub.denied = code
        assert trouble(stub.url).startswith(words)


def test_a_wrong_login_is_told_and_mended_without_a_start(tmp_path, caplog):
    directory = journal(tmp_path)
    path = tmp_path / "p"
    with stubs.Stub(login=stubs.basic("alice", "secret")) as stub:
        assert "it does not know who this is; give --http-credentials FILE" in trouble(stub.url)
        path.write_text("alice:wrong-one")
        writer = open_writer(directory, stub.url, http_credentials=str(path))
        assert "mend %s" % path in go_on(writer, 3).error
        path.write_text("alice:secret")
        assert go_on(writer).error == "" and len(stub.documents()) == 8
        assert len(caplog.messages) == 1 and "wrong-one" not in caplog.text


def test_a_key_goes_along_and_a_netrc_does_not(tmp_path, monkeypatch):
    directory = journal(tmp_path)
    (tmp_path / "p").write_text("ApiKey abc=")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login x password y\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with stubs.Stub(login="ApiKey abc=") as stub:
        assert go_on(open_writer(directory, stub.url, http_credentials=str(tmp_path / "p"))).error == ""


def test_a_login_in_the_url_works_and_is_never_told(tmp_path, caplog):
    caplog.set_level(logging.DEBUG, "colmet-collector")
    directory = journal(tmp_path)
    with stubs.Stub(login=stubs.basic("alice", "s:cret")) as stub:
        writer = open_writer(directory, stub.url.replace("//", "//alice:s%3Acret@"))
        assert go_on(writer).error == "" and "cret" not in caplog.text + (directory / "elasticsearch.json").read_text()


@pytest.fixture(scope="module", name="authority")
def _authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def test_tls_is_verified_and_each_fault_is_its_own_line(authority, tmp_path):
    other = Authority(tmp_path)
    known = {"elastic_ca": str(authority.file)}
    with stubs.Stub(context=authority.issue("127.0.0.1").context()) as stub:
        assert "give --elastic-ca FILE" in trouble(stub.url)
        assert "give --elastic-ca FILE" in trouble(stub.url, elastic_ca=str(other.file))
        for options in (known, {"no_check_certificates": True}):
            assert Client(settings(stub.url, **options), TIMEOUT).ask("GET", "/x").status == 404
    with stubs.Stub(context=authority.issue("127.0.0.1", expired=True).context()) as stub:
        assert trouble(stub.url, **known) == "TLS: its certificate has expired; renew it on the server"
    with stubs.Stub(context=authority.issue("es.example.org").context()) as stub:
        assert "use its name in --elastic-host" in trouble(stub.url, **known)
    with stubs.Stub() as stub:
        assert "use http://" in trouble(stub.url.replace("http", "https"), **known)


def test_verification_obeys_the_options_whatever_the_environment_says(authority, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", os.devnull)
    with stubs.Stub(context=authority.issue("127.0.0.1").context()) as stub:
        for options in ({"elastic_ca": str(authority.file)}, {"no_check_certificates": True}):
            assert Client(settings(stub.url, **options), TIMEOUT).ask("GET", "/x").status == 404
