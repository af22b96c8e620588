"""Prometheus: the options that both programs have for it, and the page they let it scrape.

With the standard library alone, because a node has to stay small: prometheus-client would bring a second registry of
metrics, and a server that takes any number of connections for any time.
"""
import ipaddress

from colmet.common.options import Option, at_least

DEFAULT_HOST = "127.0.0.1"
PATH = "/metrics"


class Unbound(Exception):
    """Nothing can listen where --prometheus-bind says; the text is one line: where, why, what to do."""


def address(text):
    """(host, port) of "HOST:PORT", "[IPv6]:PORT" or "PORT" alone, which is on loopback. Raises ValueError."""
    host, _, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = str(ipaddress.IPv6Address(host[1:-1]))
    elif ":" in host or (not host and text.startswith(":")):
        raise ValueError("IPv6 without brackets, or no host")
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError("no port")
    return host or DEFAULT_HOST, int(port)


def address_fault(text):
    """A check: "" or why nothing can be bound to `text`."""
    try:
        address(text)
    except ValueError:
        return "must be HOST:PORT, [IPv6]:PORT or PORT, with a port from 1 to 65535"
    return ""


OPTIONS = (
    Option(("--prometheus-bind",), "let Prometheus scrape http://HOST:PORT/metrics; on loopback where only a port is "
           "given", metavar="[HOST:]PORT", group="Prometheus", check=address_fault),
    Option(("--prometheus-jobs",), "show there the last values of the jobs too", False, bool, group="Prometheus"),
    Option(("--prometheus-series",), "most series of them; values above it are left out, and counted", 50000, int,
           "series", "N", group="Prometheus", check=at_least(1)),
)


def listen(options, log):
    """A `colmet.common.scraping.Server` that listens where `options` say, None where they do not. Raises Unbound."""
    if not options.prometheus_bind:
        return None
    from colmet.common.scraping import Server       # 2 MB that a program without this option need not have
    host, port = address(options.prometheus_bind)
    try:
        return Server(host, port, log)
    except OSError as error:
        raise Unbound("--prometheus-bind %s: %s; give another" % (
            options.prometheus_bind, error.strerror or error)) from None


def where(options):
    """What the start message says of it."""
    host, port = address(options.prometheus_bind)
    url = "http://%s:%d%s" % ("[%s]" % host if ":" in host else host, port, PATH)
    return url if _loopback(host) else url + ", to whoever reaches it: unencrypted, without a password"


def _loopback(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
