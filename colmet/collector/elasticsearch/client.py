"""Requests to Elasticsearch over one session: whichever of its hosts answers, and what went wrong in one line.

An answer is read to its end and parsed, or it counts as unread: then nobody knows what the server did.
"""
import gzip
import json
from typing import Any, NamedTuple
from urllib.parse import quote

import requests
import urllib3
from requests.auth import AuthBase, HTTPBasicAuth

from colmet.collector.elasticsearch import target
from colmet.collector.writers import Refused

CONNECT = 10.0              # s to reach a host
READ = 60.0                 # s until an answer
SHOWN = 200                 # characters of a server's own words in a message
GZIP_LEVEL = 1
TOO_LARGE = 413             # HTTP: the request is
JSON, LINES = "application/json", "application/x-ndjson"


class Trouble(Exception):
    """No usable answer; the text is one line, who and why. `unread`: the server may have done what it was asked;
    `busy`: it only asks to come again later."""

    def __init__(self, text, unread=True, busy=False):
        super().__init__(text)
        self.unread, self.busy = unread, busy


class Answer(NamedTuple):
    """What a server said: the HTTP status, 200 to 299 or one of 4xx that is about this request, and its JSON."""
    status: int
    value: Any

    @property
    def fine(self):
        """Whether it did what it was asked."""
        return self.status < 300

    @property
    def reason(self):
        """Its words on what is wrong, in one line."""
        error = self.value.get("error", "") if isinstance(self.value, dict) else ""
        return reason(error) or "HTTP %d" % self.status


class _Key(AuthBase):
    """An API key in each request; given as `auth`, so that no ~/.netrc takes its place."""

    def __init__(self, key):
        self._key = key

    def __call__(self, request):
        request.headers["Authorization"] = "ApiKey " + self._key
        return request


class Client:
    """The cluster whose nodes are the `elastic_hosts` of `settings`."""

    def __init__(self, settings, timeout=(CONNECT, READ)):
        self._hosts, self._at = settings.elastic_hosts, 0
        self._file, self._timeout, self._gzip = settings.http_credentials, timeout, settings.elastic_gzip
        self._verify = not settings.no_check_certificates and (settings.elastic_ca or True)
        if not self._verify:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)     # said once, at start, by us
        self._session = requests.Session()
        self._auth, self._asked = None, False

    @property
    def host(self):
        """URL of the host in use."""
        return self._hosts[self._at].url

    @property
    def hosts(self):
        """How many hosts there are."""
        return len(self._hosts)

    def ask(self, method, path, body=None, kind=JSON, enough=None):
        """The `Answer` to a request; `body` is a JSON value or, for LINES, bytes. Raises Trouble, and then the next
        request goes to the next host. Statuses 400, 404, 405, 409 and 413 are answers. Where `enough(bytes)` of an
        answer is true all went well, and its value is None."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": kind} if data is not None else {}
        if self._gzip and data:
            data, headers["Content-Encoding"] = gzip.compress(data, GZIP_LEVEL), "gzip"
        try:
            response = self._session.request(method, self.host + path, data=data, headers=headers, auth=self._login(),
                                             verify=self._verify, timeout=self._timeout, allow_redirects=False)
            return self._read(response, enough)
        except requests.RequestException as error:
            trouble = Trouble("%s: %s" % (self.host, self._why(error)))
            self._at = (self._at + 1) % len(self._hosts)
            raise trouble from None
        except Trouble:
            self._at = (self._at + 1) % len(self._hosts)
            raise

    def strange(self, what):
        """One line on an answer that is JSON of another shape than Elasticsearch's."""
        return "%s: its answer to %s is not that of Elasticsearch; is it a proxy?" % (self.host, what)

    def close(self):
        """Let go of the connections."""
        self._session.close()

    def _login(self):
        """Who we are; the file is read again after it was refused, as a password may have been changed."""
        if self._file and self._auth is None:
            try:
                kind, *words = target.credentials(self._file)
            except Refused as refused:
                raise Trouble(str(refused), unread=False) from None
            self._auth = _Key(*words) if kind == "key" else HTTPBasicAuth(*[word.encode() for word in words])
        if self._auth is None and self._hosts[self._at].login:
            user, _, password = self._hosts[self._at].login.partition(":")
            return HTTPBasicAuth(user.encode(), password.encode())
        return self._auth

    def _read(self, response, enough):
        status = response.status_code
        if status == 200 and enough and enough(response.content):
            return Answer(status, None)
        if status == 401:
            self._auth = None
            raise Trouble("%s: 401, it does not know who this is; %s" % (self.host, self._remedy()), unread=False)
        if status == TOO_LARGE:             # said by a proxy, mostly
            return Answer(status, None)
        try:
            value = json.loads(response.content) if response.content else None
        except (ValueError, RecursionError):
            raise Trouble("%s: HTTP %d with an answer that is no JSON (it begins with %s); is this Elasticsearch, or a "
                          "proxy before it?" % (self.host, status, _shown(response.content))) from None
        answer = Answer(status, value)
        if status == 403:
            raise Trouble("%s: 403, not allowed: %s; give the user the privileges of docs/elasticsearch.rst"
                          % (self.host, answer.reason), unread=False)
        if status == 429:
            raise Trouble("%s: 429, it is overloaded: %s" % (self.host, answer.reason), unread=False,
                          busy=True)
        if not 200 <= status < 300 and status not in (400, 404, 405, 409):
            raise Trouble("%s: HTTP %d: %s" % (self.host, status, answer.reason))
        return answer

    def _remedy(self):
        return ("mend %s" % self._file if self._file else "give --http-credentials FILE")

    def _why(self, error):
        text = str(error)
        if isinstance(error, requests.exceptions.SSLError) or "SSL" in text or "CERTIFICATE" in text:
            return _tls(text)
        if isinstance(error, requests.exceptions.Timeout):
            return "no answer within %.0f s" % self._timeout[1]
        for sign, words in (("refused", "connection refused; is it running?"),
                            ("Name or service not known", "no such host"), ("resolve", "no such host"),
                            ("No route to host", "no route to it"), ("unreachable", "network unreachable"),
                            ("reset by peer", "it cut the connection"), ("IncompleteRead", "its answer was cut off"),
                            ("without response", "it cut the connection"), ("aborted", "it cut the connection")):
            if sign in text:
                return words
        return type(error).__name__ + ": " + _shown(text)


def path(*parts):
    """A path of `parts`, which are names: quoted for a URL."""
    return "/" + "/".join(quote(part, safe="") for part in parts)


def reason(error):
    """One line from the "error" of an answer or of an item, a text or an object."""
    if isinstance(error, dict):
        cause = error.get("caused_by") if isinstance(error.get("caused_by"), dict) else {}
        words = [error.get("type"), error.get("reason"), cause.get("reason")]
        error = ": ".join(str(word) for word in words if word)
    return _shown(str(error)) if error else ""


def _tls(text):
    for sign, words in (
            ("unable to get local issuer", "its certificate is of an authority that is not known here; give "
             "--elastic-ca FILE with that authority's certificate"),
            ("self-signed", "its certificate is of an authority that is not known here; give --elastic-ca FILE "
             "with that authority's certificate"),
            ("self signed", "its certificate is of an authority that is not known here; give --elastic-ca FILE "
             "with that authority's certificate"),
            ("certificate has expired", "its certificate has expired; renew it on the server"),
            ("not yet valid", "its certificate is not valid yet; look at the clocks"),
            ("Hostname mismatch", "its certificate is for another name; use that name in --elastic-host"),
            ("IP address mismatch", "its certificate is for another address; use its name in --elastic-host"),
            ("doesn't match", "its certificate is for another name; use that name in --elastic-host"),
            ("WRONG_VERSION_NUMBER", "it does not speak TLS; use http:// in --elastic-host"),
            ("record layer failure", "it does not speak TLS; use http:// in --elastic-host")):
        if sign in text:
            return "TLS: " + words
    return "TLS: " + _shown(text)


def _shown(text):
    if isinstance(text, bytes):
        text = text[:SHOWN].decode("utf-8", "replace")
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(text.split())[:SHOWN]
