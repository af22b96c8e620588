"""The options for Prometheus: addresses, what is said of them, and that nothing is loaded without them."""
import subprocess
import sys

import pytest

from colmet.collector import settings as collector
from colmet.common.options import Usage
from colmet.common.prometheus import Unbound, address, address_fault, listen, where
from colmet.node import settings as node
from colmet.node.log import log

OPEN = ", to whoever reaches it: unencrypted, without a password"


def options(*argv):
    """The settings of a node."""
    return node.settings(list(argv), ())


@pytest.mark.parametrize("text, expected", [
    ("9100", ("127.0.0.1", 9100)), ("localhost:1", ("localhost", 1)), ("0.0.0.0:65535", ("0.0.0.0", 65535)),
    ("[::1]:9100", ("::1", 9100)), ("[::]:9100", ("::", 9100)), ("n1.example.org:80", ("n1.example.org", 80))])
def test_addresses(text, expected):
    assert address(text) == expected and address_fault(text) == ""


@pytest.mark.parametrize("text", ["", "0", "65536", ":9100", "host:", "host", "::1:9100", "[::1]", "[x]:1", "1:2:3",
                                  "http://host:1", "host:1/metrics", "-1", "９100", "tcp://h:1"])
def test_what_is_no_address_is_refused_by_both_programs(text):
    for settings in (options, lambda *argv: collector.settings(list(argv) + ["--hdf5-filepath", "x"])):
        with pytest.raises(Usage, match="--prometheus-bind .*must be HOST:PORT"):
            settings("--prometheus-bind=" + text)


def test_a_bound_of_series_must_be_above_0():
    with pytest.raises(Usage, match="--prometheus-series 0"):
        options("--prometheus-series", "0")


@pytest.mark.parametrize("text, expected", [
    ("9100", "http://127.0.0.1:9100/metrics"), ("[::1]:9100", "http://[::1]:9100/metrics"),
    ("localhost:9100", "http://localhost:9100/metrics"), ("0.0.0.0:9100", "http://0.0.0.0:9100/metrics" + OPEN),
    ("[::]:9100", "http://[::]:9100/metrics" + OPEN), ("n1:9100", "http://n1:9100/metrics" + OPEN)])
def test_the_start_message_says_when_it_is_open_to_others(text, expected):
    assert where(options("--prometheus-bind", text)) == expected


def test_without_the_option_nothing_listens_and_nothing_is_loaded():
    assert listen(options(), log) is None
    program = "import sys, colmet.node.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, universal_newlines=True, check=True)
    assert not {"http.server", "socketserver", "prometheus_client"} & set(done.stdout.split())


def test_an_address_of_another_machine_is_refused_in_one_line():
    with pytest.raises(Unbound, match=r"--prometheus-bind 192\.0\.2\.1:9100: .*; give another$"):
        listen(options("--prometheus-bind", "192.0.2.1:9100"), log)
    with pytest.raises(Unbound, match="--prometheus-bind no-such-host.invalid:9100: "):
        listen(options("--prometheus-bind", "no-such-host.invalid:9100"), log)
