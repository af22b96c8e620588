"""The real collector's HDF5 files: sealed on a signal, whole at every instant, each batch in them once."""
import os
import random
import signal
import threading
from pathlib import Path

import h5py
import pytest

from colmet.common.metrics import TABLES
from e2e.peers import Collector, Node
from e2e.programs import free_port, wait_for


def files(folder):
    """The finished files of a collector."""
    return sorted(path for path in folder.glob("*.hdf5") if not path.name.startswith("."))


def sequences(folder):
    """Sequences of all batches in the files; each batch has one row of the table `job`."""
    found = []
    for path in files(folder):
        with h5py.File(path) as file:
            found += [number for group in file.values() for number in group["job"]["sequence"].tolist()]
    return sorted(found)


def writer_of(collector):
    """The process id of a collector's HDF5 writer, 0 while it has none."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == collector.pid and b"colmet.collector.hdf5.writer" in (folder / "cmdline").read_bytes():
                return int(folder.name)
        except OSError:     # it ended meanwhile
            continue
    return 0


class Watcher(threading.Thread):
    """Opens every finished file in a folder again and again, as a reader would; `faults` are those that failed."""

    def __init__(self, folder):
        super().__init__()
        self.folder, self.faults, self.opened = folder, [], 0
        self._end = threading.Event()

    def run(self):
        while not self._end.wait(0.002):
            for path in files(self.folder):
                try:
                    with h5py.File(path) as file:
                        assert all(len(group["job"]) for group in file.values())
                    self.opened += 1
                except (OSError, KeyError, AssertionError) as error:
                    self.faults.append("%s: %s" % (path.name, error))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self.join()


def send(node, numbers):
    """Send batches of the table `job` with these sequences, and wait until they are acknowledged."""
    for number in numbers:
        node.send(number, oldest=1, table=TABLES["job"])
    node.acknowledged(numbers[-1], 60)


@pytest.mark.parametrize("name", ["w", "c.hdf5"])
def test_sighup_and_sigterm_seal_what_came(tmp_path, name):
    with Collector(tmp_path, "--hdf5-filepath", tmp_path / name, "-s", "0.1") as running, Node(running.native) as node:
        node.hello()
        send(node, range(1, 6))
        os.kill(running.pid, signal.SIGHUP)
        wait_for(lambda: files(tmp_path) and sequences(tmp_path) == [1, 2, 3, 4, 5], 60, "file after SIGHUP")
        send(node, range(6, 9))
        assert running.stop() == 0
    assert sequences(tmp_path) == list(range(1, 9))
    assert len(files(tmp_path)) == (1 if name.endswith(".hdf5") else 2)
    assert not list(tmp_path.glob(".*.tmp"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["w", "c.hdf5"])
@pytest.mark.parametrize("victim", ["collector", "writer"])
def test_kill_9_at_any_moment_stores_every_batch_once_in_files_that_open(tmp_path, name, victim):
    dice, port, last = random.Random(5), free_port(), 0
    arguments = ("--hdf5-filepath", tmp_path / name, "--hdf5-window", "0.3", "-s", "0.05")
    with Watcher(tmp_path) as watcher:
        for _ in range(5):
            with Collector(tmp_path, *arguments, port=port) as running, Node(running.native) as node:
                last = max(last, node.hello(sequence=last)["upto"])
                for _ in range(3):
                    send(node, range(last + 1, last + 11))
                    last += 10
                    os.kill(running.pid, signal.SIGHUP)
                threading.Event().wait(dice.uniform(0, 0.3))
                if victim == "writer":
                    os.kill(wait_for(lambda: writer_of(running), 60, "writer"), signal.SIGKILL)
                    assert running.stop(timeout=120) in (0, 1)      # 1: it had died; the journal has the rest
                else:
                    os.kill(running.pid, signal.SIGKILL)
                    running.process.wait()
        with Collector(tmp_path, *arguments, port=port) as running, Node(running.native) as node:
            node.hello(sequence=last)           # then it is ready
            assert running.stop() == 0
    assert sequences(tmp_path) == list(range(1, last + 1))
    assert watcher.faults == [] and watcher.opened > 0
