"""What all tests share: markers, skips that are printed with their reason, and Colmet 0.6.10 to compare with.

    slow      takes long, or is alike on each Python: run on the checkout's own only; so is what is in e2e/, save
              `EVERYWHERE`
    system    installs packages or starts system services: run by ``make test SYSTEM=1`` only
    root      needs root, for taskstats, cgroups or a change of user

With several workers (``-n 3 --dist loadgroup``) the tests of one file stay together, save those of e2e/, which mostly
wait: each goes where there is room. What would disturb each other stays together too: system tests, and those that
look which cgroups `colmet run` leaves on the machine.

When CI is set, a skip that no line of ``tests/expected-skips`` expects makes the run fail.
"""
import logging
import os
import re
from pathlib import Path

import pytest

from checkout import CHECKOUT, expected, unexpected

MARKERS = {
    "slow": "takes long, or is alike on each Python",
    "system": "installs packages or starts system services",
    "root": "needs root",
    "xdist_group": "one worker takes all tests of this name",
}
GROUP = re.compile(r"@[^@\]]*$")        # of a name after the last parameter
EVERYWHERE = ("test_new_backend.py", "test_known_load.py")


def pytest_configure(config):
    """Declare the markers."""
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", "%s: %s" % (name, meaning))


def pytest_ignore_collect(collection_path, config):
    """Where nothing slow is wanted, what is slow by its place need not be read."""
    return slow_by_place(collection_path) and config.option.markexpr == "not slow" or None


def slow_by_place(path):
    """Whether the tests in the file `path` are slow for they are in e2e/."""
    return path.parent.name == "e2e" and path.suffix == ".py" and path.name not in EVERYWHERE


@pytest.hookimpl(tryfirst=True)         # before -m chooses by marker
def pytest_collection_modifyitems(items):
    """Skip, by name, what this run or this user cannot do; mark what takes long."""
    for item in items:
        if slow_by_place(item.path):
            item.add_marker("slow")
        if item.get_closest_marker("system") and os.environ.get("SYSTEM") != "1":
            item.add_marker(pytest.mark.skip(reason="needs SYSTEM=1: %s" % MARKERS["system"]))
        if item.get_closest_marker("root") and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason=MARKERS["root"]))
        if not item.get_closest_marker("xdist_group") and group(item):
            item.add_marker(pytest.mark.xdist_group(group(item)))


def group(item):
    """The name of the tests that `item` stays together with; "" where it goes alone."""
    if item.get_closest_marker("system"):
        return "system"
    if "place" in item.fixturenames:
        return "colmet run"
    if "started" in item.fixturenames:
        return "servers"                # each worker would start its own
    return item.path.name if item.path.parent.name != "e2e" else ""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report):
    """Show a test by the name that it can be run by, without the group that pytest-xdist appends."""
    if hasattr(report, "node"):         # it comes from a worker
        report.nodeid = GROUP.sub("", report.nodeid)


@pytest.fixture(autouse=True)
def _logs_as_before():
    """A test that has a program of ours show its log in this process does not change what the next ones see."""
    yield
    for name in ("colmet-collector", "colmet-node"):
        log = logging.getLogger(name)
        log.handlers.clear()
        log.propagate = True


@pytest.fixture(scope="session")
def old_colmet():
    """The folder of the programs of Colmet 0.6.10: $COLMET_06, else where ``make test`` puts them."""
    folder = Path(os.environ.get("COLMET_06") or CHECKOUT / ".cache" / "colmet-0.6.10" / "bin")
    if not (folder / "colmet-node").exists():
        pytest.skip("needs Colmet 0.6.10: make test installs it, or set COLMET_06 to the folder of its programs")
    return folder


def skips(config):
    """(test, reason) of each skip of this run."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    for report in reporter.stats.get("skipped", []) if reporter else []:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        yield report.nodeid, reason[len("Skipped: "):] if reason.startswith("Skipped: ") else reason


def pytest_sessionfinish(session):
    """In CI an unexpected skip makes the run fail."""
    if os.environ.get("CI") and session.exitstatus == 0 and unexpected(skips(session.config), expected()):
        session.exitstatus = 1


def pytest_terminal_summary(terminalreporter, config):
    """Print every skip with its reason, and in CI which of them nobody expected."""
    found = list(skips(config))
    for test, reason in found:
        terminalreporter.write_line("skipped: %s: %s" % (test, reason))
    for text in unexpected(found, expected()) if os.environ.get("CI") else []:
        terminalreporter.write_line("UNEXPECTED SKIP, not in tests/expected-skips: %s" % text, red=True)
