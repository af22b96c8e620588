"""A server that takes bulk requests of Elasticsearch and keeps nothing: ``python elasticsearch_stub.py`` prints its
port, then the number of documents that it took whenever a line comes on standard input."""
import gzip
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

taken = []          # documents of each request
PRODUCT = {"version": {"number": "8.19.0", "build_flavor": "default"}, "tagline": "You Know, for Search"}


class Handler(BaseHTTPRequestHandler):
    """Says yes to everything."""
    protocol_version, wbufsize = "HTTP/1.1", -1

    def log_message(self, *_):
        """Nothing is printed."""

    def _answer(self, status, value):
        data = json.dumps(value, separators=(",", ":")).encode()
        self.send_response(status)
        for name, text in (("Content-Type", self.headers.get("Accept") or "application/json"),
                           ("X-Elastic-Product", "Elasticsearch"), ("Content-Length", str(len(data)))):
            self.send_header(name, "application/json" if text == "*/*" else text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _any(self):
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Encoding") == "gzip":
            data = gzip.decompress(data)
        if "_bulk" in self.path:
            count = data.count(b"\n") // 2
            items = [{"create": {"status": 201}}] * count
            answer = {"errors": False, "items": items}
            self._answer(200, answer if "filter_path" in self.path else dict(answer, took=1))
            taken.append(count)
        elif self.command == "GET" and self.path != "/":
            self._answer(404, {"error": "no such index"})
        else:
            self._answer(200, PRODUCT)

    do_GET = do_HEAD = do_PUT = do_POST = _any


def main():
    """Serve until standard input ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    for _ in sys.stdin:
        print(sum(taken), flush=True)


if __name__ == "__main__":
    main()
