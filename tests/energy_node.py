"""A made-up machine's RAPL as the node reads it, by a clock that a test sets: a plugin of pytest."""
from types import SimpleNamespace

import pytest

from colmet.node.backends import rapl
from colmet.node.clock import SECOND
from energy_tree import START


class Clock:
    """The clock of the node, set by hand."""

    def __init__(self):
        self.now, self.asleep = 10 ** 12, 0

    def __call__(self):
        return self.now, self.asleep, START + self.now

    def boottime(self):
        return self.now

    def wait(self, seconds):
        self.now += int(seconds * SECOND)


@pytest.fixture(name="clock")
def _clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(rapl, "clock", clock)
    monkeypatch.setattr(rapl, "boottime", clock.boottime)
    return clock


@pytest.fixture(name="opened")
def _opened(clock):
    """opened(root) makes the backend; its thread sleeps longer than a test takes."""
    made = []

    def make(root, folder=None, tables=None):
        made.append(rapl.Backend(root, SimpleNamespace(tables=tables, mapping_dir=folder)))
        return made[-1]
    yield make
    for backend in made:
        backend.close()
