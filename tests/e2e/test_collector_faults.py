"""The real collector when something breaks: killed at any moment, a full disk, writers that are stuck or gone."""
import os
import random
import re
import resource
import signal
import subprocess
import sys

import pytest

from e2e.peers import Collector, Node, push, record06
from e2e.programs import free_port, wait_for


@pytest.fixture
def collector(tmp_path):
    with Collector(tmp_path, "-s", "0.1") as running:
        yield running


@pytest.mark.slow
def test_kill_9_at_twenty_moments_stores_every_batch_once(tmp_path):
    dice, port = random.Random(9), free_port()
    last, done = 0, 0
    for _ in range(20):
        with Collector(tmp_path, "--journal-size", "1M", port=port) as running, Node(running.native) as node:
            answer = node.hello(oldest=done + 1, sequence=last)
            assert answer["upto"] >= done
            first = answer["upto"] + 1
            moment = dice.randint(1, 60)
            for number in range(first, first + 60):
                node.send(number, oldest=done + 1, rows=dice.randint(1, 5))
                last = max(last, number)
                if number - first == moment:
                    os.kill(running.pid, signal.SIGKILL)
                    break
                acks = [fields for fields in iter(lambda: node.hear(0), None) if fields["type"] == "ack"]
                done = max([done] + [ack["upto"] for ack in acks])
            running.process.kill()
            running.process.wait()
    with Collector(tmp_path, port=port) as running, Node(running.native) as node:
        upto = node.hello(oldest=done + 1, sequence=last)["upto"]
        for number in range(upto + 1, last + 1):
            node.send(number, oldest=done + 1)
        node.send(last + 1, oldest=done + 1)
        node.acknowledged(last + 1)
        assert running.stored() == [(7, number) for number in range(1, last + 2)]
        assert running.stop() == 0


def test_a_restart_has_another_epoch_and_knows_what_is_stored(tmp_path):
    port = free_port()
    epochs = set()
    for turn in range(3):
        with Collector(tmp_path, port=port) as running, Node(running.native) as node:
            answer = node.hello()
            epochs.add(answer["epoch"])
            assert answer["upto"] == turn
            node.send(1)
            node.send(turn + 1)
            node.acknowledged(turn + 1)
            assert running.stop(signal.SIGINT if turn else signal.SIGTERM) == 0
    assert len(epochs) == 3 and running.stored() == [(7, 1), (7, 2), (7, 3)]


def test_a_full_disk_stops_acknowledging_and_it_goes_on_when_there_is_room(collector):
    """RLIMIT_FSIZE stands for the disk: writing fails in the middle of an entry."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Node(collector.native) as node:
        node.hello()
        node.send(1)
        node.acknowledged(1)
        size = max(path.stat().st_size for path in collector.journal.glob("*.journal"))
        resource.prlimit(collector.pid, resource.RLIMIT_FSIZE, (size + 100, most))
        node.send(2)
        push(collector.legacy, [record06(value=number) for number in range(50)])
        wait_for(lambda: "nothing is acknowledged" in collector.errors(), 60, "complaint")
        node.send(3)
        assert node.hear(1) is None
        resource.prlimit(collector.pid, resource.RLIMIT_FSIZE, (most, most))
        wait_for(lambda: "room again" in collector.errors(), 60, "recovery")
        node.send(2)
        node.send(3)
        node.acknowledged(3)
    assert collector.stop() == 0
    assert collector.stored() == [(7, 1), (7, 2), (7, 3)] and collector.printed() == 53
    assert collector.errors().count("nothing is acknowledged") == collector.errors().count("room again") == 1


def test_a_writer_that_is_stuck_loses_the_oldest_at_the_journals_limit_and_others_go_on(tmp_path):
    """Nobody reads standard output here, so the writer stops when the pipe is full."""
    port = free_port()
    command = [sys.executable, "-m", "colmet.collector.main", "--enable-stdout-backend", "--journal-dir", "j",
               "--journal-size", "1M", "--zeromq-bind-uri", "tcp://127.0.0.1:%d" % port]
    with open(tmp_path / "err", "w") as errors:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=errors)
    try:
        with Node("tcp://127.0.0.1:%d" % (port + 1)) as node:
            node.hello()
            for number in range(1, 61):
                node.send(number, rows=400, oldest=number)
            node.acknowledged(60)
            line = r"above --journal-size \(1048576 bytes\): the stdout writer lost \d+ messages, \d+ in all\n"
            wait_for(lambda: re.search(line, (tmp_path / "err").read_text()), 60, "loss")
            wait_for(lambda: used(tmp_path / "j") < 1.2e6, 60, "room")
            node.send(61, oldest=61)
            node.acknowledged(61)
    finally:
        process.kill()
        process.communicate()


def used(folder):
    """Bytes of the segments of a journal that a collector frees meanwhile."""
    sizes = 0
    for path in folder.glob("*.journal"):
        try:
            sizes += path.stat().st_size
        except FileNotFoundError:
            continue
    return sizes


def test_without_anybody_to_read_its_only_output_it_ends(tmp_path):
    port = free_port()
    command = [sys.executable, "-m", "colmet.collector.main", "--enable-stdout-backend", "--journal-dir", "j",
               "-s", "0.1", "--zeromq-bind-uri", "tcp://127.0.0.1:%d" % port]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    push("tcp://127.0.0.1:%d" % port, [record06()])
    errors = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(60) == 1
    assert "standard output: Broken pipe" in errors and "not all is stored" in errors and "Traceback" not in errors
