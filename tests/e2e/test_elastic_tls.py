"""TLS and passwords: each thing that can be wrong has its own line, and no password is ever shown."""
from pathlib import Path

import pytest

from e2e.peers import JOBPROC
from elastic.certificates import Authority
from elastic.faults import Proxy
from elastic.servers import USERS
from programs import Program, free_port, wait_for
from stored_elastic import PATIENCE, collector, given, wait_for_count
from test_elastic_faults import BATCHES, ROWS, check, native, send

pytest_plugins = ("harness", "elastic.fixtures")
INDEX = JOBPROC.name


@pytest.fixture(name="secret")
def _secret(elasticsearch_tls, tmp_path):
    """The file with the password of colmet."""
    return elasticsearch_tls.credentials("colmet", tmp_path)


def check_silent(program, *folders):
    """No password of `USERS` is on a command line of the collector, in what it said, or in what it keeps."""
    pids = [program.pid] if program.process.poll() is None else []
    pids += [int(pid) for each in pids for pid in Path("/proc/%d/task/%d/children" % (each, each)).read_text().split()]
    shown = [program.errors()] + [Path("/proc/%d/cmdline" % pid).read_text() for pid in pids]
    shown += [path.read_text(errors="replace") for folder in folders for path in folder.rglob("*") if path.is_file()]
    for password, _ in USERS.values():
        assert not [text for text in shown if password in text]


def test_with_the_right_ca_and_password_all_is_stored(start, uri, tmp_path, elasticsearch_tls, secret, prefix):
    ours = collector(start, uri, tmp_path, elasticsearch_tls.url, prefix, "--elastic-ca", elasticsearch_tls.verify,
                     "--http-credentials", secret, "-vvv", hdf5=False)
    send(native(uri))
    wait_for_count(elasticsearch_tls, prefix + INDEX, BATCHES * ROWS)
    check_silent(ours, tmp_path / "journal")
    assert ours.stop(timeout=60) == 0
    check_silent(ours, tmp_path / "journal")
    check(elasticsearch_tls, prefix + INDEX)


@pytest.fixture(name="wrong")
def _wrong(elasticsearch_tls, authority, secret, tmp_path):
    """{what is wrong: (URL, arguments, what the line says)}; the proxies answer until the end of the test."""
    other = Authority(tmp_path, "other")
    reader = elasticsearch_tls.credentials("reader", tmp_path)
    bad = tmp_path / "bad.credentials"
    bad.write_text("colmet:not-this-one\n")
    bad.chmod(0o600)
    url, trusted = elasticsearch_tls.url, ("--elastic-ca", authority.file)
    known = ("--http-credentials", secret)
    with Proxy(url, authority.issue("127.0.0.1", expired=True).context()) as expired, \
            Proxy(url, authority.issue("elsewhere.example.org").context()) as elsewhere:
        yield {
            "no CA": (url, known, "of an authority that is not known here; give --elastic-ca"),
            "wrong CA": (url, ("--elastic-ca", other.file) + known, "of an authority that is not known here"),
            "expired": (expired.url, trusted + known, "has expired"),
            "wrong host": (elsewhere.url, trusted + known, "is for another"),
            "wrong password": (url, trusted + ("--http-credentials", bad), "401, it does not know who this is"),
            "no password": (url, trusted, "401, it does not know who this is; give --http-credentials"),
            "no right": (url, trusted + ("--http-credentials", reader), "403"),
            "no TLS asked": (url.replace("https", "http"), known, "cut the connection"),
        }


def test_each_thing_that_is_wrong_has_its_own_line(wrong, tmp_path, prefix):
    for name, (url, arguments, words) in wrong.items():
        folder, uri = tmp_path / name.replace(" ", "-"), "tcp://127.0.0.1:%d" % free_port()
        folder.mkdir()
        with Program("colmet.collector.main", given(uri, folder, url, prefix, hdf5=False) + arguments + ("-vvv",),
                     folder) as ours:
            wait_for(lambda: "limits" in ours.errors(), PATIENCE, "start with " + name)     # pylint: disable=W0640
            send(native(uri), 1, 2)
            wait_for(lambda: words in ours.errors(), PATIENCE, "line on " + name)           # pylint: disable=W0640
            check_silent(ours, folder)
        [line] = [line for line in ours.errors().splitlines() if words in line]
        assert line.startswith("colmet-collector: ") and "until then the journal keeps what comes" in line, name
        assert "Traceback" not in ours.errors()


def test_a_password_that_is_put_right_works_without_a_restart(start, uri, tmp_path, elasticsearch_tls, secret, prefix):
    right = secret.read_text()
    secret.write_text("colmet:not-this-one\n")
    ours = collector(start, uri, tmp_path, elasticsearch_tls.url, prefix, "--elastic-ca", elasticsearch_tls.verify,
                     "--http-credentials", secret, hdf5=False)
    send(native(uri))
    wait_for(lambda: "401" in ours.errors(), PATIENCE, "line on the password")
    secret.write_text(right)
    wait_for_count(elasticsearch_tls, prefix + INDEX, BATCHES * ROWS)
    assert ours.stop(timeout=60) == 0
    check(elasticsearch_tls, prefix + INDEX)


def test_without_verification_it_stores_and_warns(start, uri, tmp_path, elasticsearch_tls, secret, prefix):
    ours = collector(start, uri, tmp_path, elasticsearch_tls.url, prefix, "--no-check-certificates",
                     "--http-credentials", secret, hdf5=False)
    send(native(uri), 1, 1)
    wait_for_count(elasticsearch_tls, prefix + INDEX, ROWS)
    assert ours.errors().count("--no-check-certificates") == 1
    assert ours.stop(timeout=60) == 0
