"""Where Elasticsearch is and who we are to it, as the options say: hosts, credentials, certificates.

What is wrong with the words of the command line is a `Usage`; what is wrong with a file is a `Refused`.
"""
import os
import re
import stat
from typing import NamedTuple
from urllib.parse import unquote

from colmet.collector.log import tell
from colmet.collector.writers import Refused
from colmet.common.options import Usage

PORT = 9200             # of a host that is given without a scheme; with one its own, as in 0.6
_HOST = re.compile(r"(?:(?P<scheme>https?)://)?(?:(?P<login>.*)@)?(?P<host>\[[0-9a-fA-F:.]+\]|[\w.-]+)"
                   r"(?::(?P<port>\d+))?(?P<path>/[\w./~%-]*)?", re.ASCII | re.IGNORECASE)
_PREFIX = re.compile(r"[^\s\"*\\<>|,/?#:A-Z]*")
_AGE = re.compile(r"[1-9]\d*(?:d|h|m|s)")


class Host(NamedTuple):
    """One node of the cluster: `url` has no login and no slash at its end; `login` is "USER:PASSWORD" or ""."""
    url: str
    login: str = ""


def hosts(texts):
    """`Host`s from the values of --elastic-host, each of which may name several. Raises Usage."""
    found = [_host(text.strip()) for value in texts for text in value.split(",") if text.strip()]
    if not found:
        raise Usage("--elastic-host: names no host; give ADDRESS:PORT or a URL")
    return found


def _host(text):
    match = _HOST.fullmatch(text)
    port = match and match.group("port")
    if not match or (port and not 0 < int(port) < 65536):
        shown = "***@" + text.rpartition("@")[2] if "@" in text else text
        raise Usage("--elastic-host %s: must be ADDRESS:PORT or http(s)://ADDRESS:PORT" % shown)
    scheme = (match.group("scheme") or "http").lower()
    if not match.group("scheme"):
        port = port or PORT
    place = "%s:%s" % (match.group("host"), port) if port else match.group("host")
    path = (match.group("path") or "").rstrip("/")
    return Host("%s://%s%s" % (scheme, place, path), unquote(match.group("login") or ""))


def prefix(text):
    """A check of --elastic-index-prefix: the rules of Elasticsearch for names of indices."""
    if not _PREFIX.fullmatch(text) or text.startswith((".", "-", "_", "+")) or len(text.encode()) > 100:
        return ("cannot begin the name of an index: small letters, digits, _ and -, at most 100, beginning with a "
                "letter or digit")
    return ""


def age(text):
    """A check of --elastic-retention."""
    return "" if _AGE.fullmatch(text) else "must be a number and d, h, m or s, as in 90d"


def check_usage(options):
    """Raise Usage where the options of Elasticsearch contradict each other; returns the `Host`s, [] for none."""
    if options.no_check_certificates and options.elastic_ca:
        raise Usage("--elastic-ca: verifies certificates, --no-check-certificates does not; give one of them")
    if options.elastic_plain_index and options.elastic_time_series:
        raise Usage("--elastic-time-series: needs data streams, which --elastic-plain-index forbids; give one of them")
    return hosts(options.elastic_host) if options.elastic_host else []


def check_files(options):
    """Raise Refused where a file that the options name cannot be used."""
    for option, path in (("--elastic-ca", options.elastic_ca), ("--http-credentials", options.http_credentials)):
        if path:
            _readable(option, path)
    if options.elastic_ca:
        with open(options.elastic_ca, "rb") as file:
            if b"-----BEGIN CERTIFICATE-----" not in file.read():
                raise Refused("--elastic-ca %s: holds no certificate; it must be PEM" % options.elastic_ca)
    if options.http_credentials:
        credentials(options.http_credentials)


def warn(options):
    """Say what others could read, as the options are."""
    if options.http_credentials:
        if os.stat(options.http_credentials).st_mode & (stat.S_IRGRP | stat.S_IROTH):
            tell("--http-credentials %s: others can read it; chmod 600 it" % options.http_credentials)
    if any(host.login for host in options.elastic_hosts):
        tell("--elastic-host: a password on the command line is seen by all who are on this machine; "
             "put it in a file and give --http-credentials FILE")
    if options.no_check_certificates:
        tell("--no-check-certificates: whoever is on the way to Elasticsearch can read and change "
             "all, the password too")


def credentials(path):
    """("basic", user, password) or ("key", API key) from the file `path`. Raises Refused."""
    _readable("--http-credentials", path)
    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read().strip()
    word, _, key = text.partition(" ")
    if word.lower() == "apikey" and key.strip().isascii() and len(key.split()) == 1:
        return "key", key.strip()
    user, colon, password = text.partition(":")
    if not colon or not user or "\n" in text or "\ufffd" in text:
        raise Refused("--http-credentials %s: must hold USER:PASSWORD or ApiKey KEY, in one line of UTF-8" % path)
    return "basic", user, password


def _readable(option, path):
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise Refused("%s %s: %s; give another file" % (option, path, error.strerror)) from None
