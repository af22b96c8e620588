"""A proxy on loopback before a real server, that does to requests what networks and busy servers do.

    with Proxy(server.url) as proxy:
        proxy.bulk += [status(429), lost(), cut()]      # what meets the next three bulk requests
        proxy.always = status(503)                      # and what meets every request, until it is None

A fault is a function(exchange) that answers in its own way, or does not.
"""
import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

HTML = b"<html><body><h1>It works!</h1></body></html>"
HOP = {"connection", "content-length", "transfer-encoding", "keep-alive", "content-encoding"}


class Exchange(BaseHTTPRequestHandler):
    """One request, and the ways to answer it."""
    protocol_version = "HTTP/1.1"

    def forward(self, body=None):
        """(status, headers, body) of the server's answer to the request, or to it with another body."""
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP | {"host"}}
        proxy = self.server.proxy
        answer = proxy.http.request(self.command, proxy.target + self.path, headers=headers,
                                    data=self.text() if body is None else body, timeout=60)
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP}
        return answer.status_code, kept, answer.content

    def text(self):
        """The body of the request, unpacked."""
        return gzip.decompress(self.body) if self.headers.get("Content-Encoding") == "gzip" else self.body

    def answer(self, status, headers, body, sent=None):
        """Answer; only with the first `sent` bytes of the body, if that is given, and then hang up."""
        self.server.proxy.seen.append((self.command, self.path, status))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:sent])
        if sent is not None:
            self.hang_up()

    def hang_up(self):
        """End the connection."""
        self.close_connection = True

    def handle_request(self):
        """Read one request and have the proxy's plan answer it."""
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length)
        fault = self.server.proxy.fault(self.path)
        if fault is None:
            self.answer(*self.forward())
        else:
            fault(self)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_request    # pylint: disable=invalid-name

    def log_message(self, *_):
        """Say nothing: `seen` has it."""


class Listener(ThreadingHTTPServer):
    """Takes the connections; a client that went away is no matter."""
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Nothing: faults end connections in all ways."""


class Proxy:
    """A proxy of the server at `target`, by HTTPS if there is a `context`. `seen`: (method, path, status) of all
    requests that were answered; `faults`: how many met a fault."""

    def __init__(self, target, context=None):
        self.target, self.seen, self.faults = target, [], 0
        self.bulk, self.always = [], None
        self.http = requests.Session()
        self.http.trust_env = False
        self._listener = Listener(("127.0.0.1", 0), Exchange)
        self._listener.proxy = self
        if context:
            self._listener.socket = context.wrap_socket(self._listener.socket, server_side=True,
                                                        do_handshake_on_connect=False)
        self.url = "%s://127.0.0.1:%d" % ("https" if context else "http", self._listener.server_port)
        self._thread = threading.Thread(target=self._listener.serve_forever, kwargs={"poll_interval": 0.05})

    def fault(self, path):
        """What meets a request of `path`; None: it just goes through."""
        fault = self.always
        if fault is None and self.bulk and path.partition("?")[0].rstrip("/").endswith("/_bulk"):
            fault = self.bulk.pop(0)
        self.faults += fault is not None
        return fault

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown()
        self._thread.join()
        self._listener.server_close()
        self.http.close()


def status(code, reason="too much", kind="application/json", body=None, **headers):
    """The server answers only this, and does nothing."""
    error = json.dumps({"error": {"type": "made_by_tests", "reason": reason}, "status": code}).encode()
    return lambda exchange: exchange.answer(code, dict(headers, **{"Content-Type": kind}), body or error)


def html(code=200):
    """Something answers that is no Elasticsearch."""
    return status(code, kind="text/html", body=HTML)


def lost(between=None):
    """The server does what it is asked, but its answer never arrives; `between()` is called before that is seen."""
    def fault(exchange):
        exchange.forward()
        if between:
            between()
        exchange.hang_up()
    return fault


def cut():
    """Half of the answer arrives."""
    def fault(exchange):
        code, headers, body = exchange.forward()
        exchange.answer(code, headers, body, len(body) // 2)
    return fault


def mute(released):
    """The server does what it is asked, but nothing is said until the Event `released` is set."""
    def fault(exchange):
        exchange.forward()
        released.wait(120)
        exchange.hang_up()
    return fault


def unsent():
    """The connection ends before the server has seen the request."""
    return Exchange.hang_up


def items(code, every=3):
    """The server takes each item of a bulk but every third or so, which is said to have failed with `code`."""
    def fault(exchange):
        lines = exchange.text().splitlines(keepends=True)
        pairs = list(zip(lines[0::2], lines[1::2]))
        taken = [pair for place, pair in enumerate(pairs) if place % every]
        answered = {"items": [], "took": 1}
        if taken:
            answered = json.loads(exchange.forward(b"".join(map(b"".join, taken)))[2])
        real = iter(answered["items"])
        answered["items"] = [next(real) if place % every else failed(pair[0], code)
                             for place, pair in enumerate(pairs)]
        answered["errors"] = True
        exchange.answer(200, {"Content-Type": "application/json"}, json.dumps(answered).encode())
    return fault


def failed(action, code):
    """The answer to one item that the server did not take."""
    [(name, named)] = json.loads(action).items()
    error = {"type": "made_by_tests", "reason": "item refused"}
    return {name: {"_index": named.get("_index"), "_id": named.get("_id"), "status": code, "error": error}}
