"""The real collector, from outside: what is acknowledged is stored, once, whatever happens to it."""
import gzip
import json
import os
import random
import re
import signal
import socket
from pathlib import Path

import pytest

from colmet.common import wire
from colmet.common.journal import NATIVE, SCHEMAS, read
from colmet.common.metrics import TABLES
from colmet.common.schema import JOB, Table, gauge
from e2e.peers import Collector, Node, push, record06
from e2e.programs import free_port, wait_for

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "0.6"


@pytest.fixture
def collector(tmp_path):
    with Collector(tmp_path, "-s", "0.1") as running:
        yield running


def test_start_message_and_ready(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(60)
        environ = dict(os.environ, NOTIFY_SOCKET=str(tmp_path / "notify"))
        with Collector(tmp_path, env=environ) as running:
            assert listener.recv(100) == b"READY=1"
            lines = running.errors().splitlines()
            assert len(lines) <= 10 and lines[0].startswith("colmet-collector ")
            assert running.stop() == 0
            assert listener.recv(100) == b"STOPPING=1"


def test_messages_of_0_6_are_printed_as_it_did_with_exact_values(collector):
    message = gzip.decompress((GOLDEN / "jobs" / "001.bin.gz").read_bytes())
    expected = json.loads((GOLDEN / "jobs" / "messages.json").read_text())["messages"][1]
    push(collector.legacy, [message])
    wait_for(lambda: collector.printed() == len(expected), 60, "records")
    text = collector.out.read_text()
    for record in expected:
        head = "%(timestamp)d  Job(%(job_id)d)/ %(metric_backend)s -> Host(%(hostname)s) -> {\n" % record
        body = text[text.index(head):].split("\n}\n")[0]
        for metric in TABLES[record["metric_backend"]].metrics:
            if metric.wire06 and metric.code == "q":
                assert re.search(r"^\t *%s : %d \(.*\)$" % (metric.name, record[metric.name]), body, re.M)
    assert collector.stop() == 0


def test_2000_messages_at_the_defaults_are_all_stored_and_sigterm_stores_what_waits(tmp_path):
    """0.6 took 100 messages in 5 s, and lost at SIGTERM what waited."""
    with Collector(tmp_path) as running:
        push(running.legacy, [record06(value=number) for number in range(2000)])
        assert running.stop() == 0
    values = [int(value) for value in re.findall(r"rchar : (\d+)", running.out.read_text())]
    assert sorted(values) == list(range(2000))


def test_good_records_of_bad_messages_are_kept_and_each_fault_is_told_once(tmp_path):
    with Collector(tmp_path, "-v", "-s", "0.1") as running:
        bad = [b"", b"xyz", record06() + record06()[:100], b"\xff" * 5000, record06() + b"\0"]
        push(running.legacy, bad * 3 + [record06(b"last")])
        wait_for(lambda: "Host(last)" in running.out.read_text(), 60, "last record")
        assert running.stop() == 0
        assert running.printed() == 7
        told = [line for line in running.errors().splitlines() if "counted" in line]
        assert len(told) == 3 and len(set(told)) == 3


def test_batches_are_acknowledged_stored_and_never_twice(collector):
    with Node(collector.native) as node:
        answer = node.hello(tables=TABLES.values())
        assert (answer["type"], answer["version"], answer["upto"], answer["ranges"]) == ("hello", 1, 0, [])
        for sequence in (1, 2, 2, 5, 1):
            node.send(sequence)
        ack = node.expect("ack")
        while not ack["ranges"]:
            ack = node.expect("ack")
        assert (ack["upto"], ack["ranges"], ack["epoch"]) == (2, [[5, 5]], answer["epoch"])
        node.send(6, oldest=5)
        assert node.acknowledged(6)["ranges"] == []
    assert collector.stored() == [(7, 1), (7, 2), (7, 5), (7, 6)]
    assert collector.stop() == 0
    assert collector.printed() == 4 and "node-1 gave up 2 batches" in collector.errors()


def test_an_unknown_table_is_asked_for_then_stored(collector):
    columns = (gauge("a", "bytes", "x"), gauge("b", "s", "y", code="d"))
    table = Table("new_default", JOB, "Of another release.", columns)
    with Node(collector.native) as node:
        node.hello()
        node.send(1, table=table)
        need = node.expect("need")
        assert need["fingerprints"] == [table.fingerprint]
        node.say("schemas", schemas=wire.schemas([table]))
        node.send(1, table=table)
        node.acknowledged(1)
    assert collector.stop() == 0
    assert "new_default" in collector.out.read_text() and collector.stored() == [(7, 1)]
    schemas = [entry.payload.decode() for entry in read(collector.journal) if entry.kind == SCHEMAS]
    assert schemas and all(table.fingerprint in text for text in schemas)


def test_what_can_never_be_stored_is_refused_by_its_sequence(collector):
    with Node(collector.native) as node:
        assert node.hello(version=99)["type"] == "refuse"
        node.say("batch", [b"{", b""], session=7, sequence=3, oldest=1)
        refusal = node.expect("refuse")
        assert refusal["sequence"] == 3 and refusal["reason"]
        node.send(4)
        assert node.expect("ack")["ranges"] == [[4, 4]]
    assert collector.stop() == 0


def test_noise_on_both_ports_never_stops_it(tmp_path):
    dice = random.Random(4)
    with Collector(tmp_path, "-v", "-s", "0.1") as running:
        for uri in (running.native, running.legacy):
            with socket.create_connection(("127.0.0.1", int(uri.rpartition(":")[2]))) as raw:
                raw.sendall(b"GET / HTTP/1.1\r\n\r\n" + dice.randbytes(10000))
        with Node(running.native) as node:
            for _ in range(200):
                frames = [dice.choice([b"", b"CLM1", b"{}", b'{"type":"batch"}', b'{"type":"hello","version":1}',
                                       b'{"type":"schemas","schemas":[1]}', b'{"type":7}', os.urandom(20)])
                          for _ in range(dice.randint(1, 6))]
                node.socket.send_multipart(frames)
            node.send(1)
            node.acknowledged(1)
        assert running.stop() == 0
        assert "Traceback" not in running.errors() and len(running.errors().splitlines()) < 30


def test_a_derived_native_port_that_is_taken_is_told_and_the_rest_works(tmp_path):
    port = free_port()
    with socket.socket() as other:
        other.bind(("127.0.0.1", port + 1))
        other.listen()
        with Collector(tmp_path, "-s", "0.1", port=port) as running:
            assert "port %d is in use by process %d" % (port + 1, os.getpid()) in running.errors()
            push(running.legacy, [record06()])
            wait_for(lambda: running.printed() == 1, 60, "record")
            assert running.stop() == 0


def test_ipc_and_no_legacy(tmp_path):
    with Collector(tmp_path, "--zeromq-bind-uri", "ipc://%s/s" % tmp_path, "--no-legacy") as running:
        with Node("ipc://%s/s.native" % tmp_path) as node:
            node.hello()
            node.send(1)
            node.acknowledged(1)
        assert not (tmp_path / "s").exists()
        assert running.stop() == 0


def test_sighup_reads_the_configuration_again(tmp_path):
    path = tmp_path / "c.ini"
    path.write_text("[colmet-collector]\nsample-period = 0.1\n")
    with Collector(tmp_path, "--config", path) as running:
        path.write_text("[colmet-collector]\nverbose = 3\nsample-period = 0.2\nzeromq-hwm = 5\n")
        os.kill(running.pid, signal.SIGHUP)
        wait_for(lambda: "--zeromq-hwm: takes effect at the next start" in running.errors(), 60, "notice")
        push(running.legacy, [record06() * 3])
        wait_for(lambda: "3 records received, 3 stored" in running.errors(), 60, "debug line")
        path.write_text("[colmet-collector]\nsample-period = soon\n")
        os.kill(running.pid, signal.SIGHUP)
        wait_for(lambda: "nothing was changed" in running.errors(), 60, "complaint")
        push(running.legacy, [record06(b"later")])
        wait_for(lambda: "Host(later)" in running.out.read_text(), 60, "record")
        assert running.stop() == 0


def test_names_from_the_wire_are_harmless_on_a_terminal(collector):
    push(collector.legacy, [record06(b"\x1b[2J../evil"), record06(b"a\0b")])
    with Node(collector.native, node="n\x1b]0;x\x07" + "y" * 200) as node:
        node.hello()
        node.send(1)
        node.acknowledged(1)
    assert collector.stop() == 0
    text = collector.out.read_text()
    assert collector.printed() == 3 and "\x1b" not in text and "\0" not in text
    assert sum(entry.kind == NATIVE for entry in read(collector.journal)) == 1
