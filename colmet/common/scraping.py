"""A small HTTP server for one page, on threads of its own. It answers GET of `PATH` and nothing else.

Whoever reaches it may be hostile, so all is bounded: connections, the time of each, the bytes of a request, and how
often the page is made. When all connections are taken the oldest goes: one that was opened to say nothing.
"""
import logging
import socket
import socketserver
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler

from colmet.common.exposition import CONTENT_TYPE
from colmet.common.prometheus import PATH

CONNECTIONS = 8             # at once
BACKLOG = 128               # that may wait to be accepted; they are at once
SILENCE = 5.0               # s without a byte
LONGEST = 10.0              # s that a connection may last in all
MOST_BYTES = 8192           # of a request with its headers
PAGE_AGE = 1.0              # s that the page is given again, before it is made anew
LOOK_EVERY = 1.0                  # s between looks for connections that last too long


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Listens from the start; `start` begins to answer. `log` is the program's logger. Raises OSError."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, host, port, log):
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.request_queue_size = BACKLOG
        self.log = log
        self._open = {}                     # {socket: when its time is up (monotonic s), 0: now}, oldest first
        self._lock, self._making = threading.Lock(), threading.Lock()
        self._page, self._made = b"", float("-inf")
        super().__init__((host, port), Handler)

    def start(self, make):
        """Answer with what `make()` returns: the page as bytes."""
        self._make = make
        threading.Thread(target=self.serve_forever, args=(LOOK_EVERY,), name="prometheus", daemon=True).start()

    def page(self):
        """The page, made at most once in PAGE_AGE however many ask."""
        with self._making:
            if time.monotonic() - self._made >= PAGE_AGE:
                self._page, self._made = self._make(), time.monotonic()
            return self._page

    def get_request(self):
        """Accept a connection. Where this process has no descriptor left the queue would stay ready: wait."""
        try:
            return super().get_request()
        except OSError:
            time.sleep(0.1)
            raise

    def process_request(self, request, client_address):
        """Give the connection a thread; turn it away while threads of closed ones are still at work."""
        with self._lock:
            if len(self._open) >= CONNECTIONS:
                self._end(next((each for each, end in self._open.items() if end), None))
            full = len(self._open) >= 2 * CONNECTIONS
            if not full:
                self._open[request] = time.monotonic() + LONGEST
        if full:
            self.shutdown_request(request)
        else:
            super().process_request(request, client_address)

    def shutdown_request(self, request):
        """A connection is done with, in whatever way."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self):
        """Called every LOOK_EVERY seconds: end what lasts too long."""
        now = time.monotonic()
        with self._lock:
            for request in [each for each, end in self._open.items() if end <= now]:
                self._end(request)

    def handle_error(self, request, client_address):
        """A connection broke, which is no matter of ours; anything else is."""
        error = sys.exc_info()[1]
        level = logging.DEBUG if isinstance(error, OSError) else logging.ERROR
        self.log.log(level, "prometheus: a request from %s failed: %r", client_address[0], error)

    def _end(self, request):
        """For the thread that reads or writes at `request` the connection is over: it wakes, and lets go of it."""
        if request is not None:
            self._open[request] = 0
            try:
                request.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass                # it is over already


class Handler(BaseHTTPRequestHandler):
    """One connection, one request."""

    timeout = SILENCE

    def setup(self):
        """Read from the connection within limits."""
        super().setup()
        self.rfile = _Bounded(self.rfile, MOST_BYTES)

    def do_GET(self):
        """The page."""
        if not self.rfile.left:
            self.send_error(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif self.path.partition("?")[0] != PATH:
            self.send_error(HTTPStatus.NOT_FOUND)
        else:
            page = self.server.page()
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

    def version_string(self):
        """What is running here is nobody's business."""
        return "colmet"

    def log_message(self, format, *arguments):
        """What came is told at -vvv only, without the characters that move a terminal's cursor."""
        self.server.log.debug("prometheus: %s: %s", self.client_address[0], ascii(format % arguments))


class _Bounded:
    """The lines of `file`, `left` bytes of them at most; then it is at its end."""

    def __init__(self, file, left):
        self._file, self.left = file, left

    def readline(self, size):
        """The next line, or a part of it."""
        line = self._file.readline(min(size, self.left))
        self.left -= len(line)
        return line

    def close(self):
        """Close the file."""
        self._file.close()

