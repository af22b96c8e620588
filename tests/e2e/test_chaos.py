"""The collector is killed at random moments of running jobs: every tick is stored once, every file always opens."""
import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

import stored
import watcher
from programs import wait_for

pytest_plugins = ("harness",)
pytestmark = [pytest.mark.root, pytest.mark.slow]
KILLS = 20
SEED = 20261121
LONGEST = 1.5           # s of a collector's life: it ends before it is ready, or when it has sealed several times
SEALING = 0.2           # s from SIGHUP, at which it writes its file, to the kill, at most
PATIENCE = 120
MODES = {"windows": ("new", r"new\.\d+\.hdf5"), "fixed": ("new.hdf5", r"new\.hdf5")}


@pytest.fixture(name="watched")
def _watched(tmp_path):
    """watched(regex) starts the watcher of tmp_path/out; its call returns what the watcher has seen, at the end."""
    processes = []

    def begin(regex):
        report = tmp_path / "watched.json"
        process = subprocess.Popen([sys.executable, watcher.__file__, tmp_path / "out", regex, report],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"looking\n"
        processes.append(process)

        def end():
            process.stdin.close()
            assert process.wait(PATIENCE) == 0
            return json.loads(report.read_text())
        return end
    yield begin
    for process in processes:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def sequences(files, table):
    """How often each (host, session, sequence, row) is in the table `table`, over all jobs and files."""
    found = Counter()
    for path in files:
        for (_, name), rows in stored.tables(path).items():
            if name == table:
                found.update(zip(*(rows[column].tolist() for column in ("hostname", "session", "sequence", "row"))))
    return found


@pytest.mark.parametrize("mode", MODES)
def test_kill_9_of_the_collector_at_20_random_moments(mode, root, uri, start, watched, tmp_path):
    dice = random.Random(SEED)
    target, regex = MODES[mode]
    (tmp_path / "out").mkdir()
    job = root.job(4217)
    job.run("sleep", "600")
    wait_for(job.tasks, PATIENCE, "the job's process")

    def node(name, period):
        return start("node", "--cpuset_rootpath", root.path, "-s", period, "--zeromq-uri", uri, "--hostname", name,
                     "--zeromq-linger", "60000")

    def collector():
        return start("collector", "--zeromq-bind-uri", uri, "--hdf5-filepath", tmp_path / "out" / target, "-s", "0.1",
                     "--hdf5-window", "0.7")

    nodes, ended, ready = [node("first", 0.2), node("second", 0.3)], [], 0
    seen = watched(regex)
    for kill in range(KILLS):
        running = collector()
        if kill % 3:                    # else it may die before it is ready
            wait_for(lambda: running.errors().count("limits") > ready, PATIENCE, "collector that is ready")
        time.sleep(dice.uniform(0.0, LONGEST))
        if running.errors().count("limits") > ready:
            ready += 1
            running.process.send_signal(signal.SIGHUP)
            time.sleep(dice.uniform(0.0, SEALING))
        running.stop(signal.SIGKILL)
        if kill == KILLS // 2:          # a session that ends while nobody listens, and another that begins
            ended.append(nodes.pop(0))
            ended[0].process.terminate()
            nodes.append(node("third", 0.25))
    running = collector()
    print("seed", SEED)
    assert ended[0].process.wait(PATIENCE) == 0         # a second signal would end it at once
    assert [each.stop(timeout=PATIENCE) for each in nodes] == [0, 0]
    assert running.stop(timeout=PATIENCE) == 0
    report = seen()
    assert report["failed"] == [] and report["opened"] > KILLS and ready > KILLS // 4
    check(stored.files(tmp_path / "out"), ended[0])


def check(files, node):
    """Every tick of the three sessions is stored once, in every table."""
    assert "reached no collector" not in node.errors()
    found = sequences(files, "colmet")
    assert set(found.values()) == {1}
    ticks = {}
    for host, session, sequence, _ in found:
        ticks.setdefault((host, session), set()).add(sequence)
    assert {host for host, _ in ticks} == {b"first", b"second", b"third"} and len(ticks) == 3
    for numbers in ticks.values():
        assert numbers == set(range(1, len(numbers) + 1)) and len(numbers) > KILLS
    for host, numbers in ((host, numbers) for (host, _), numbers in ticks.items()):
        for job, table in (("0", "procstats_default"), ("4217", "taskstats_default")):
            rows = [row for row in stored.rows(files, job, table) if row["hostname"] == host]
            assert len(rows) == len(numbers), (host, table)


def test_a_reader_that_looks_on_a_broken_file_says_so(tmp_path, watched):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "new.1.hdf5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    seen = watched(MODES["windows"][1])
    report = seen()
    assert report["failed"] and not report["opened"]
