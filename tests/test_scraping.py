"""The HTTP server: one page, and peers that mean ill cost nothing but themselves."""
import logging
import os
import threading

import pytest

from colmet.common import scraping
from colmet.common.scraping import CONNECTIONS, MOST_BYTES, Server
from http_peers import get, hear, mute, say
from programs import wait_for

LOG = logging.getLogger("test-scraping")
GARBAGE = [b"", b"\r\n\r\n", b"\0" * 3000, b"GET\r\n\r\n", b"GET /metrics HTTP/9.9\r\n\r\n", os.urandom(5000),
           b"POST /metrics HTTP/1.1\r\nContent-Length: 9\r\n\r\nno no no ", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
           b"GET /metrics HTTP/1.1\r\nX: " + b"y" * 10 ** 6 + b"\r\n\r\n", b"GET /" + b"a" * 10 ** 6,
           b"GET /metrics HTTP/1.1\r\n" + b"A: b\r\n" * 10 ** 5 + b"\r\n", b"GET /\x1b[2J\xff HTTP/1.0\r\n\r\n"]


@pytest.fixture(name="server")
def _server(monkeypatch):
    monkeypatch.setattr(scraping, "LOOK_EVERY", 0.05)
    server = Server("127.0.0.1", 0, LOG)
    server.made = []

    def make():
        server.made.append(threading.current_thread().name)
        return b"x 1\n"
    server.start(make)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(name="port")
def _port(server):
    return server.server_address[1]


def test_the_page_is_given_as_prometheus_wants_it(port):
    status, body, headers = get(port)
    assert (status, body) == (200, b"x 1\n")
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8" and headers["Content-Length"] == "4"
    assert get(port, "/metrics?x=y")[0] == 200


@pytest.mark.parametrize("path", ["/", "/metricsx", "/metrics/", "/../etc/passwd"])
def test_nothing_else_is_there(port, path):
    assert get(port, path)[0] == 404


def test_it_does_not_tell_what_is_running(port):
    _, body, headers = get(port, "/x")
    assert headers["Server"] == "colmet" and b"ython" not in body


@pytest.mark.parametrize("data", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_gets_no_page_and_costs_nothing(port, data):
    assert b"x 1\n" not in say(port, data)
    assert get(port)[0] == 200


def test_a_request_longer_than_the_limit_is_refused(port):
    start, end = b"GET /metrics HTTP/1.0\r\nX: ", b"\r\n\r\n"
    fits = MOST_BYTES - len(start + end) - 1
    assert say(port, start + b"y" * fits + end).startswith(b"HTTP/1.0 200")
    assert b"200" not in say(port, start + b"y" * (fits + 2) + end)[:15]


def test_the_page_is_made_once_for_many_who_ask_at_once(port, server, monkeypatch):
    monkeypatch.setattr(scraping, "PAGE_AGE", 3600)
    assert [get(port)[1] for _ in range(30)] == [b"x 1\n"] * 30
    assert len(server.made) == 1


def test_those_who_say_nothing_make_room_for_one_who_asks(port, server):
    peers = [mute(port) for _ in range(CONNECTIONS)]
    wait_for(lambda: len(server._open) == CONNECTIONS, 30, "all connections taken")
    assert get(port)[0] == 200                  # at once: not after the silence of any
    assert hear(peers[0]) == b""                # the oldest had to go
    for peer in peers:
        peer.close()
    wait_for(lambda: not server._open, 30, "end of all connections")


def test_never_more_threads_than_allowed(port, server):
    peers = [mute(port) for _ in range(10 * CONNECTIONS)]
    for peer in peers:
        peer.close()
    before = threading.active_count()
    peers = [mute(port) for _ in range(10 * CONNECTIONS)]
    wait_for(lambda: threading.active_count() <= before + 2 * CONNECTIONS, 30, "end of threads of closed connections")
    for peer in peers:
        peer.close()
    wait_for(lambda: not server._open, 30, "end of all connections")
    assert get(port)[0] == 200


def test_a_connection_ends_when_its_time_is_up_though_bytes_trickle_in(port, server, monkeypatch):
    monkeypatch.setattr(scraping, "LONGEST", 0.5)
    peer = mute(port)

    def trickle():
        try:
            peer.sendall(b"a")
            return False
        except OSError:
            return True
    wait_for(trickle, 30, "end of a connection whose bytes trickle in")
    wait_for(lambda: not server._open, 30, "end of all connections")
    peer.close()


def test_one_who_does_not_read_the_answer_is_let_go(port, server, monkeypatch):
    monkeypatch.setattr(scraping, "LONGEST", 0.5)
    server._make = lambda: b"x" * 10 ** 8
    peer = mute(port, b"GET /metrics HTTP/1.0\r\n\r\n")
    wait_for(lambda: server._open, 30, "connection")
    wait_for(lambda: not server._open, 30, "end of the connection")
    peer.close()


def test_a_page_that_cannot_be_made_is_told_and_costs_its_request_only(port, server, caplog):
    def fail():
        raise ValueError("no page\nat all")
    make, server._make = server._make, fail
    assert say(port, b"GET /metrics HTTP/1.0\r\n\r\n") == b""
    wait_for(lambda: "ValueError" in caplog.text, 30, "line in the log")
    assert len(caplog.records) == 1 and "\n" not in caplog.records[0].getMessage()
    server._make = make
    assert get(port)[0] == 200


def test_what_peers_send_reaches_the_log_without_control_characters(port, caplog):
    caplog.set_level(logging.DEBUG, LOG.name)
    say(port, b"GET /\x1b[2Jx HTTP/1.0\r\n\r\n")
    wait_for(lambda: caplog.records, 30, "line in the log")
    assert all(record.getMessage().isprintable() for record in caplog.records)


def test_ipv6(monkeypatch):
    try:
        server = Server("::1", 0, LOG)
    except OSError as error:
        pytest.skip("needs IPv6 on loopback: %s" % error.strerror)
    monkeypatch.setattr(scraping, "LOOK_EVERY", 0.05)
    server.start(lambda: b"y 2\n")
    assert get(server.server_address[1], host="[::1]")[1] == b"y 2\n"
    server.shutdown()
    server.server_close()
