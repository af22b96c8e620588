"""An Elasticsearch of a few lines, for tests: it keeps documents by index and id, and errs exactly as told.

``Stub.script`` holds what the next bulk requests meet, each a function (handler, items) that answers in place of the
stub, or stores and answers otherwise; see `status`, `page`, `cut`, `silent` and `per_item`.
"""
import base64
import gzip
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit


class Stub:
    """The server. `indices` maps names to {id: document}, `plain` and `streams` say what they are, `templates` what
    was put; `requests` are (method, path, headers) of all that came, `bulks` the items of each bulk request."""

    def __init__(self, port=0, login=None, context=None):
        self.indices, self.templates, self.mappings = {}, {}, {}
        self.plain, self.streams = set(), set()
        self.site_templates = []
        self.requests, self.bulks, self.script, self.sizes = [], [], [], []
        self.missing = ("/_lifecycle/stats", "/_ilm/status")
        self.policies, self.settings, self.aliases = {}, {}, {}
        self.refuse = lambda body: ""       # why a template is refused
        self.login, self.doubles = login, 0
        self.denied = 401               # what a request without `login` meets
        self.lock = threading.Lock()
        stub = self

        class Handler(_Handler):
            """Answers for this stub."""
            server_stub = stub

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        if context:                     # an ssl.SSLContext
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True,
                                                      do_handshake_on_connect=False)
        self.url = "%s://127.0.0.1:%d" % ("https" if context else "http", self.port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def documents(self, index=None):
        """All documents, or those of `index`."""
        with self.lock:
            return [document for name, found in self.indices.items() if index in (None, name)
                    for document in found.values()]

    def ids(self):
        """All ids."""
        return [name for found in self.indices.values() for name in found]

    def roll(self, index):
        """A rollover: ids that were stored before guard no more, but a search still finds them."""
        with self.lock:
            self.indices[index + "#%d" % len(self.indices)] = self.indices.pop(index, {})

    def create(self, item):
        """Store one (index, id, document); returns its status."""
        index, name, document = item
        found = self.indices.setdefault(index, {})
        if index not in self.plain:
            self.streams.add(index)
        if name is None:
            name = "auto-%d" % len(found)
        if name in found:
            return 409
        if any(name in older for each, older in self.indices.items() if each.startswith(index + "#")):
            self.doubles += 1
        found[name] = document
        return 201

    def close(self):
        """Go away."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version, wbufsize = "HTTP/1.1", -1
    server_stub = None

    def log_message(self, *_):
        """Nothing is printed."""

    def _any(self):
        stub, parts = self.server_stub, urlsplit(self.path)
        path, query = unquote(parts.path), parse_qs(parts.query)
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        size = len(data)
        if self.headers.get("Content-Encoding") == "gzip":
            data = gzip.decompress(data)
        stub.requests.append((self.command, self.path, dict(self.headers)))
        if stub.login and self.headers.get("Authorization") != stub.login:
            self.answer(stub.denied, {"error": {"type": "x", "reason": "y"}, "status": stub.denied})
        elif path == "/_bulk" or path == "/_bulk/":
            stub.sizes.append((size, len(data)))
            self._bulk(data, query)
        elif self.command == "GET":
            self._get(path)
        elif self.command == "PUT":
            self._put(path, json.loads(data))
        elif path.endswith("/_refresh"):
            known = path[1:].split("/")[0] in stub.streams | stub.plain
            self.answer(*(200, {"_shards": {"total": 1, "failed": 0}}) if known else (404, {"error": "no such index"}))
        elif path.endswith("/_search"):
            self._search(path[1:].split("/")[0], json.loads(data))
        else:
            self.answer(405, {"error": "no handler found"})

    do_GET = do_PUT = do_POST = do_HEAD = _any

    def _get(self, path):
        stub = self.server_stub
        name = path[1:]
        if path in ("/_index_template", "/_template"):
            found = [{"name": key, "index_template": body} for key, body in stub.templates.items()]
            self.answer(200, {"index_templates": found + stub.site_templates} if path == "/_index_template" else {})
        elif name in stub.plain | stub.streams | set(stub.aliases):
            body = {"mappings": {"properties": stub.mappings.get(name, {})},
                    "settings": {"index": stub.settings.get(name, {})}}
            behind = ".ds-%s-2026.11.21-000001" % name if name in stub.streams else stub.aliases.get(name, name)
            self.answer(200, {behind: body})
        elif path in ("/_lifecycle/stats", "/_ilm/status") and path not in stub.missing:
            self.answer(200, {})
        else:
            self.answer(404, {"error": {"type": "index_not_found_exception", "reason": "no such index"}, "status": 404})

    def _put(self, path, body):
        stub, names = self.server_stub, path[1:].split("/")
        if names[0] == "_index_template":
            why = stub.refuse(body)
            if why:
                self.answer(400, {"error": {"type": "illegal_argument_exception", "reason": why}, "status": 400})
                return
            stub.templates[names[1]] = body
        elif names[0] == "_ilm":
            stub.policies[names[2]] = body
        elif names[-1] == "_mapping":
            stub.mappings.setdefault(names[0], {}).update(body["properties"])
        else:
            stub.plain.add(names[0])
            stub.indices.setdefault(names[0], {})
            stub.mappings[names[0]] = body["mappings"]["properties"]
        self.answer(200, {"acknowledged": True})

    def _search(self, index, body):
        stub = self.server_stub
        wanted = set(body["query"]["ids"]["values"])
        found = [name for each, kept in stub.indices.items() if each.split("#")[0] == index for name in kept
                 if name in wanted]
        self.answer(200, {"hits": {"hits": [{"_id": name} for name in found]}, "_shards": {"failed": 0}})

    def _bulk(self, data, _):
        stub = self.server_stub
        lines = data.split(b"\n")[:-1]
        items = []
        for action, document in zip(lines[0::2], lines[1::2]):
            create = json.loads(action)["create"]
            items.append((create["_index"], create.get("_id"), json.loads(document)))
        with stub.lock:
            stub.bulks.append(items)
            act = stub.script.pop(0) if stub.script else None
        if act:
            act(self, items)
        else:
            self.store(items)

    def store(self, items):
        """Store `items` and answer as Elasticsearch does."""
        with self.server_stub.lock:
            found = [{"create": {"status": self.server_stub.create(item)}} for item in items]
        self.answer(200, {"errors": any(each["create"]["status"] > 299 for each in found), "items": found})

    def answer(self, status, value, kind="application/json", length=None):
        """Send `value`, JSON unless it is bytes; `length` is what the header says."""
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def status(code, kind="es_rejected_execution_exception", why="queue full"):
    """The whole request is refused."""
    return lambda handler, _: handler.answer(code, {"error": {"type": kind, "reason": why}, "status": code})


def page(code=200, stored=False):
    """A proxy's page in HTML; with `stored` the server behind it did its work."""
    def act(handler, items):
        if stored:
            for item in items:
                handler.server_stub.create(item)
        handler.answer(code, b"<html><body>Bad Gateway</body></html>", "text/html")
    return act


def cut(keep=30):
    """All is stored, but the connection ends after the first bytes of the answer."""
    def act(handler, items):
        for item in items:
            handler.server_stub.create(item)
        handler.answer(200, b'{"errors":false,"items":[{"create":{"status":201}}'[:keep], length=5000)
        handler.close_connection = True
    return act


def silent(seconds):
    """All is stored, and no answer comes for some time."""
    def act(handler, items):
        for item in items:
            handler.server_stub.create(item)
        time.sleep(seconds)
        handler.close_connection = True
    return act


def per_item(statuses, why=None):
    """The first items meet `statuses`, the others are stored."""
    def act(handler, items):
        found = []
        for place, item in enumerate(items):
            code = statuses[place] if place < len(statuses) else handler.server_stub.create(item)
            each = {"status": code}
            if code > 299 and code != 409:
                each["error"] = why or {"type": "some_exception", "reason": "because of %d" % code}
            found.append({"create": each})
        handler.answer(200, {"errors": True, "items": found})
    return act


def basic(user, password):
    """What a request with this login says."""
    return "Basic " + base64.b64encode(("%s:%s" % (user, password)).encode()).decode()
