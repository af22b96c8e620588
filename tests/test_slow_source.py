"""A source with a thread of its own, as the ticks see it."""
import os
import threading

import pytest

from colmet.node.clock import SECOND
from colmet.node.source import OLDEST, SlowSource
from programs import wait_for

ROWS = {"table": [(None, "", [9])]}


class Hanging:
    """A backend whose second reading, and each after it, waits for `gate`."""

    def __init__(self):
        self.readings, self.entered, self.gate = 0, threading.Event(), threading.Event()

    def sample(self, jobs):
        self.readings += 1
        if self.readings > 1:
            self.entered.set()
            self.gate.wait(60)
        return ROWS

    def close(self):
        """Nothing is held."""


def guard(_source, _meter, work, *arguments):
    """In place of `Sampler.guard`."""
    return work(*arguments)


def tick(slow):
    """What a tick does: the rows of the reading before."""
    rows = slow.rows([])
    slow.start(guard, [])
    return rows


def test_what_was_read_before_it_hangs_is_not_given_for_ever():
    backend = Hanging()
    slow = SlowSource("slow", backend, (), SECOND)
    tick(slow)
    wait_for(lambda: slow._read_at, 60, "first reading")
    assert tick(slow) == ROWS
    assert backend.entered.wait(60) and tick(slow) == ROWS
    slow._read_at -= 2 * OLDEST             # as if that time went by
    assert tick(slow) == {} and slow.age > OLDEST
    backend.gate.set()
    wait_for(lambda: tick(slow) == ROWS, 60, "rows after it")
    slow.close()
    slow._thread.join(60)
    assert not slow._thread.is_alive()


def test_rows_of_a_long_period_live_as_long_as_three_of_it():
    backend, period = Hanging(), 3 * OLDEST
    backend.gate.set()
    slow = SlowSource("slow", backend, (), period)
    tick(slow)
    wait_for(lambda: slow._read_at, 60, "first reading")
    slow.close()
    slow._thread.join(60)
    slow._read_at -= 2 * period
    assert slow.rows([]) == ROWS
    slow._read_at -= 2 * period
    assert slow.rows([]) == {}


@pytest.mark.root
def test_it_goes_not_before_the_jobs_as_the_thread_that_samples_does():
    class Backend:
        """Notes its niceness."""
        niceness = None

        def sample(self, jobs):
            self.niceness = os.getpriority(os.PRIO_PROCESS, 0)
            return ROWS

        def close(self):
            """Nothing is held."""
    backend = Backend()
    slow, kept = SlowSource("slow", backend, (), SECOND), []

    def sampling():
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), -5)
        tick(slow)
        kept.append(os.getpriority(os.PRIO_PROCESS, 0))
    thread = threading.Thread(target=sampling)
    thread.start()
    thread.join(60)
    wait_for(lambda: slow._read_at, 60, "a reading")
    slow.close()
    slow._thread.join(60)
    assert (backend.niceness, kept) == (0, [-5])
