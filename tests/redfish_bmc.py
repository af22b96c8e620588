"""A BMC with a Redfish service over TLS, on loopback: what it answers is told by the test."""
import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ROOT = "/redfish/v1/Chassis"
USER, PASSWORD = "colmet", "p:w\u00f6rd"


def old(watts):
    """Answers of a BMC that has the resource Power only."""
    return {ROOT: members("1"), ROOT + "/1": {"Id": "1", "Power": at("1/Power")},
            ROOT + "/1/Power": {"PowerControl": [{"MemberId": "0", "PowerConsumedWatts": watts},
                                                 {"MemberId": "CPU", "PowerConsumedWatts": 80}]}}


def new(watts, kilowatt_hours):
    """Answers of one that has EnvironmentMetrics, and a chassis without meters."""
    return {ROOT: members("Self", "Riser"), ROOT + "/Riser": {"Id": "Riser"},
            ROOT + "/Self": {"Id": "Self", "Power": at("Self/Power"),
                             "EnvironmentMetrics": at("Self/EnvironmentMetrics")},
            ROOT + "/Self/Power": {"PowerControl": [{"PowerConsumedWatts": 1}]},
            ROOT + "/Self/EnvironmentMetrics": {"PowerWatts": {"Reading": watts},
                                                "EnergykWh": {"Reading": kilowatt_hours}}}


def at(path):
    """A link."""
    return {"@odata.id": "%s/%s" % (ROOT, path)}


def members(*names):
    """A collection."""
    return {"Members": [at(name) for name in names]}


class RedfishBmc:
    """Listens with the `certificate` (``elastic/certificates.py``) and answers `answers`, {path: JSON value, bytes as
    they are, or an HTTP status}; `asked` are the paths in their order. While `go` is not set it takes requests
    and does not answer."""

    def __init__(self, certificate, answers):
        self.answers, self.asked, self.go = answers, [], threading.Event()
        self.go.set()
        bmc = self

        class Handler(BaseHTTPRequestHandler):
            """One connection."""
            protocol_version = "HTTP/1.1"
            timeout = 60        # s, of a client that keeps its connection

            def do_GET(self):
                """Answers, to whom it knows."""
                bmc.asked.append(self.path)
                bmc.go.wait()
                known = base64.b64encode(("%s:%s" % (USER, PASSWORD)).encode()).decode()
                answer = bmc.answers.get(self.path, 404)
                if self.headers.get("Authorization") != "Basic " + known:
                    answer = 401
                body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(answer if isinstance(answer, int) else 200)
                if isinstance(answer, int) and answer == 302:
                    self.send_header("Location", "https://127.0.0.1:1/")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False     # `close` waits for them
        self._server.handle_error = lambda *_: None     # a client that does not trust us
        self._server.socket = certificate.context().wrap_socket(self._server.socket, server_side=True,
                                                                do_handshake_on_connect=False)
        self.url = "https://127.0.0.1:%d" % self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        """Listens no more."""
        self.go.set()
        self._server.shutdown()
        self._server.server_close()
