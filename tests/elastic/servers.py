"""Real Elasticsearch and OpenSearch on loopback, from ``scripts/servers.sh``: one node each, small, ended with us.

Elasticsearch refuses to be root, so every server runs in a user namespace (unshare(1)) whose user is nobody special;
outside it stays who started the tests. The kernel kills it when we die (PR_SET_PDEATHSIG, through setpriv(1)).
"""
import base64
import hashlib
import json
import os
import shutil
import signal
import subprocess
import time

import requests

from checkout import CHECKOUT
from e2e.programs import free_port, pairs

FETCHED = CHECKOUT / ".cache" / "servers"
NOBODY = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL")
HEAP = "512m"
JAVA = ("-Xms" + HEAP, "-Xmx" + HEAP, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
PORTS = pairs(3000, 9900)           # nothing else of the tests takes them while a server starts, or starts again
PATIENCE = 240          # s for a start, on a machine that does other things too
USERS = {               # name: (password, roles in `ROLES` or built in)
    "admin": ("a-word-for-the-tests", "superuser"),
    "colmet": ("s3cret-of:colmet", "superuser"),
    "reader": ("may-only-read", "reader"),
}
ROLES = 'reader:\n  cluster: ["monitor"]\n  indices: [{names: ["*"], privileges: ["read"]}]\n'


def lacking():
    """What this machine lacks to start servers; "" where nothing does."""
    if not (FETCHED / "made").exists():
        return "needs Elasticsearch: scripts/servers.sh fetches it (apt install maven default-jdk-headless before)"
    if subprocess.run(NOBODY + ("true",), capture_output=True, check=False).returncode:
        return "needs user namespaces: unshare --user is refused here (sysctl user.max_user_namespaces)"
    return ""


class Server:
    """One node in `folder`, that keeps its port and its data over restarts. Subclasses say what to start.
    `verify` and `auth` are what requests needs to speak with it."""
    scheme, verify, auth = "http", True, None

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port(PORTS)
        self.url = "%s://127.0.0.1:%d" % (self.scheme, self.port)
        self.process = None
        self._http = requests.Session()
        self._http.trust_env = False
        self.prepare()

    def prepare(self):
        """Write what the server reads."""

    def command(self):
        """(program and arguments, environment added)."""
        raise NotImplementedError

    def start(self):
        """Begin to start it; `wait` for the rest."""
        command, environment = self.command()
        with open(self.folder / "start.log", "ab") as log:
            self.process = subprocess.Popen(NOBODY + DIES_WITH_US + command, env=dict(os.environ, **environment),
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                                            start_new_session=True)

    def wait(self, seconds=PATIENCE):
        """Return when it serves; fails with the end of its log."""
        end = time.monotonic() + seconds
        while True:
            try:
                if self.call("GET", "/_cluster/health?wait_for_status=yellow&timeout=2s").status_code == 200:
                    return self
            except requests.ConnectionError:
                pass
            assert time.monotonic() < end and self.process.poll() is None, \
                "%s did not start:\n%s" % (self.url, (self.folder / "start.log").read_text(errors="replace")[-3000:])
            time.sleep(0.1)

    def stop(self, sign=signal.SIGTERM):
        """End it with all its processes; after a minute the hard way."""
        if self.process is None:
            return
        for each in (sign, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, each)
                self.process.wait(60)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
            if each == signal.SIGKILL:
                break
        self.process.wait()
        self.process = None

    def kill9(self):
        """End it at once, as a crash does."""
        self.stop(signal.SIGKILL)

    def restart(self):
        """End it in order and have it back."""
        self.stop()
        self.start()
        return self.wait()

    def call(self, method, path, body=None, **options):
        """One request; the response as it is. `body`: a value for JSON, or text of lines."""
        headers = {"Content-Type": "application/x-ndjson" if isinstance(body, str) else "application/json"}
        data = json.dumps(body) if body is not None and not isinstance(body, str) else body
        return self._http.request(method, self.url + path, data=data, headers=headers if data else None,
                                  verify=self.verify, auth=self.auth, timeout=60, **options)

    def ask(self, method, path, body=None, **options):
        """The answer's JSON; fails on any status that is not 2xx."""
        answer = self.call(method, path, body, **options)
        assert answer.ok, "%s %s: %s %s" % (method, path, answer.status_code, answer.text)
        return answer.json()

    def indices(self, pattern="*"):
        """Names of the indices, those behind data streams too (".ds-..."), in order."""
        answer = self.ask("GET", "/_cat/indices/%s?format=json&expand_wildcards=all&h=index" % pattern)
        return sorted(each["index"] for each in answer)

    def search(self, index, **body):
        """The answer to a search of `index` (or pattern), everything written so far included."""
        self.ask("POST", "/%s/_refresh" % index)
        return self.ask("POST", "/%s/_search" % index, dict({"size": 10000, "track_total_hits": True}, **body))

    def hits(self, index):
        """All hits (_index, _id, _source), at most 10000."""
        answer = self.search(index)["hits"]
        assert answer["total"]["value"] == len(answer["hits"]), "more than fit one answer: use search"
        return answer["hits"]

    def documents(self, index):
        """_source of each hit."""
        return [hit["_source"] for hit in self.hits(index)]

    def count(self, index):
        """Number of documents in `index` (or pattern), 0 where none matches or what matches is not ready yet."""
        self.call("POST", "/%s/_refresh" % index)
        answer = self.call("GET", "/%s/_count" % index)
        return answer.json()["count"] if answer.ok else 0

    def close(self):
        """End it for good; its folder goes too."""
        self.kill9()
        self._http.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Elasticsearch(Server):
    """Elasticsearch 8."""
    settings = {"xpack.security.enabled": False}

    def prepare(self):
        [self.home] = FETCHED.glob("elasticsearch-*")
        self.config = self.folder / "config"
        for name in ("config/jvm.options.d", "data", "logs", "tmp"):
            (self.folder / name).mkdir(parents=True)
        shutil.copy(self.home / "config" / "log4j2.properties", self.config)
        lines = (self.home / "config" / "jvm.options").read_text().splitlines(keepends=True)
        (self.config / "jvm.options").write_text("".join(line for line in lines if "gc" not in line.lower()))
        (self.config / "jvm.options.d" / "tests.options").write_text("\n".join(JAVA) + "\n")
        settings = {
            "cluster.name": "colmet-tests", "node.name": "colmet", "discovery.type": "single-node",
            "path.data": str(self.folder / "data"), "path.logs": str(self.folder / "logs"),
            "network.host": "127.0.0.1", "http.port": self.port, "transport.port": self.port + 1,
            "node.store.allow_mmap": False, "cluster.routing.allocation.disk.threshold_enabled": False,
        }
        (self.config / "elasticsearch.yml").write_text(json.dumps(dict(settings, **self.settings)))  # JSON is YAML

    def command(self):
        java = os.path.realpath(shutil.which("java"))
        return (str(self.home / "bin" / "elasticsearch"),), {
            "ES_JAVA_HOME": os.path.dirname(os.path.dirname(java)), "ES_PATH_CONF": str(self.config),
            "ES_TMPDIR": str(self.folder / "tmp"), "CLI_JAVA_OPTS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx64m",
        }


class SecureElasticsearch(Elasticsearch):
    """The same with HTTPS, by a certificate of `authority` for localhost and 127.0.0.1, and with `USERS`."""
    scheme, auth = "https", ("admin", USERS["admin"][0])
    settings = {
        "xpack.security.enabled": True, "xpack.security.http.ssl.enabled": True,
        "xpack.security.http.ssl.key": "http.key", "xpack.security.http.ssl.certificate": "http.crt",
    }

    def __init__(self, folder, authority):
        self._authority = authority
        super().__init__(folder)
        self.verify = str(authority.file)

    def prepare(self):
        super().prepare()
        self._authority.issue("127.0.0.1", "localhost").write(self.config / "http.crt", self.config / "http.key")
        hashes = {name: base64.b64encode(hashlib.sha1(word.encode()).digest()).decode()
                  for name, (word, _) in USERS.items()}
        (self.config / "users").write_text("".join("%s:{SHA}%s\n" % each for each in hashes.items()))
        (self.config / "users_roles").write_text("".join("%s:%s\n" % (USERS[name][1], name) for name in USERS))
        (self.config / "roles.yml").write_text(ROLES)

    def credentials(self, user, folder):
        """A file for --http-credentials."""
        path = folder / (user + ".credentials")
        path.write_text("%s:%s\n" % (user, USERS[user][0]))
        path.chmod(0o600)
        return path


class OpenSearch(Server):
    """OpenSearch 2."""

    def command(self):
        return ("java",) + JAVA + ("--add-opens=java.base/java.io=ALL-UNNAMED", "-Djava.io.tmpdir=%s" % self.folder,
                                   "-cp", "%s/classes:%s/opensearch/*" % (FETCHED, FETCHED), "OpenSearchNode",
                                   str(self.port), str(self.port + 1), str(self.folder / "node")), {}
