"""Threads of a replay run in the order in which they ran, whatever they share."""
import os
import threading
import time

from colmet.node.tape.recorder import Recorder
from colmet.node.tape.recording import Reader
from test_tape import on, recorded, replayed


def race(folder):
    """What two threads and a third that wakes them leave in a list that they share: another order each time."""
    lock, go, shared, done = threading.Lock(), threading.Event(), [], []

    def run(name):
        go.wait()
        for turn in range(40):
            with lock:
                shared.append((name, turn, time.monotonic_ns(), os.path.exists(folder)))
        done.append(name)
    threads = [threading.Thread(target=run, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    go.set()
    for turn in range(40):
        with lock:
            shared.append(("main", turn, time.monotonic_ns(), len(shared)))
    for thread in threads:
        thread.join()
    return shared, done, [thread.is_alive() for thread in threads]


def test_what_they_share_is_the_same(tmp_path):
    found = recorded(tmp_path / "kept", lambda: race(tmp_path))
    assert len(found[0]) == 120
    for _ in range(5):
        assert replayed(tmp_path / "kept", lambda: race(tmp_path)) == found


def test_a_wait_is_as_long_as_it_was_and_takes_no_time(tmp_path):
    def work():
        never, waits = threading.Event(), []
        thread = threading.Thread(target=lambda: waits.append(never.wait(0.05)))
        thread.start()
        time.sleep(0.001)
        thread.join()
        return waits, never.is_set()
    assert recorded(tmp_path / "kept", work) == ([False], False) == replayed(tmp_path / "kept", work)


def test_threads_of_others_are_not_on_the_tape(tmp_path):
    asked = threading.Event()

    def work():
        with on_tape.apart():
            thread = threading.Thread(target=lambda: (os.path.exists("/none"), asked.set()))
            thread.start()
            thread.join()
        return os.path.exists("/none")
    with on(Recorder(str(tmp_path), 1, [])) as on_tape:
        assert work() is False
    assert asked.is_set()
    reader = Reader(tmp_path)
    assert [entry[1] for entry in reader.block()] == ["posixpath.exists", "end"]
    reader.close()
