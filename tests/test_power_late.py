"""Meters that take their time, fail or hang, each in a thread: nobody waits for them."""
import threading
import time

import pytest

from colmet.node.backends import Unavailable
from colmet.node.clock import SECOND
from colmet.node.power.late import MISSED, Late
from colmet.node.power.reading import Reading, Silent
from colmet.node.source import OLDEST
from e2e.programs import wait_for


class Hanging:
    """A reader that waits for its test."""
    name, whole = "slow", ("slow",)

    def __init__(self):
        self.go, self.closed, self.value = threading.Semaphore(0), threading.Event(), 1.0
        self.read_times = 0

    def read(self):
        self.read_times += 1
        self.go.acquire()
        if isinstance(self.value, Exception):
            raise self.value
        return {"slow": Reading(self.value, None, None, 5)}

    def stop(self):
        """Nothing to stop."""

    def close(self):
        self.closed.set()


def test_a_meter_that_hangs_keeps_nobody_waiting_and_its_last_value_ends(monkeypatch):
    reader = Hanging()
    late = Late(reader)
    assert [late.read() for _ in range(100)] == [{}] * 100
    reader.go.release()
    assert late.answered.wait(60) and late.read() == {"slow": Reading(1.0, None, None, 5)}
    later = time.clock_gettime_ns(time.CLOCK_BOOTTIME) + OLDEST + SECOND
    wait_for(lambda: reader.read_times == 2, 60, "second reading")
    monkeypatch.setattr("colmet.node.power.late.boottime", lambda: later)
    given = [bool(late.read()) for _ in range(MISSED + 2)]
    assert given[0] and not given[-1] and reader.read_times == 2
    late.close()
    reader.go.release()
    assert reader.closed.wait(60)


@pytest.mark.parametrize("fault", [OSError(5, "Input/output error"), Silent("no"), Unavailable("never; do this")])
def test_what_a_late_reader_raises_comes_with_the_next_reading_and_passes(fault):
    reader = Hanging()
    reader.value = fault
    late = Late(reader)
    reader.go.release()
    assert late.answered.wait(60)
    with pytest.raises(type(fault)):
        late.read()
    reader.value = 2.0
    for _ in range(2):
        reader.go.release()

    def again():
        try:
            return late.read()
        except type(fault):
            return {}
    wait_for(again, 60, "reading")
    late.close()
    reader.go.release()
    assert reader.closed.wait(60)
