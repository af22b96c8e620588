"""Hostile messages on both wires of a live collector: counted, told once; good ones before and after are stored."""
import gzip
import json
import os
import re
from pathlib import Path

import pytest

import stored
from colmet.common import wire, wire06
from colmet.common.schema import JOB, Table, gauge
from e2e.peers import JOBPROC, Node, batch, push, record06
from programs import wait_for

pytest_plugins = ("harness",)
PATIENCE = 60
GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "0.6" / "jobs" / "001.bin.gz"
SAFE = re.compile(r"job_[A-Za-z0-9_.@\[\]-]{1,200}")
IDS = ["../x", "../../../../tmp/evil", "a/b", "a\0b", "\0", "/", ".", "..", "", "job_0", "é" * 100, "x" * 255,
       "\x1b[2J", "-1", "[", "@@", "9" * 200]
ODD = [None, 7, [], {}, "x" * 10240, "\ud800", True]        # in the place of a job's id: refused


@pytest.fixture(name="collector")
def _collector(uri, start, tmp_path):
    (tmp_path / "out").mkdir()
    running = start("collector", "-v", "-s", "0.1", "--zeromq-bind-uri", uri, "--journal-dir", tmp_path / "journal",
                    "--hdf5-filepath", tmp_path / "out" / "new")
    wait_for(lambda: "limits" in running.errors(), PATIENCE, "start of the collector")
    running.legacy = uri
    running.native = "tcp://127.0.0.1:%d" % (int(uri.rpartition(":")[2]) + 1)
    return running


def header(**changes):
    """The frames of a batch of one row, with `changes` in its header."""
    frames = wire.pack(batch())
    return [json.dumps(dict(json.loads(frames[0]), **changes)).encode()] + frames[1:]


def hostile(sequence):
    """(payload of a batch message, fields) of malformed batches, each with a sequence of its own."""
    good = wire.pack(batch(sequence=sequence))
    deep = b"[" * 100000
    yield from ([], [b""], [b"{}"], [b"null", good[1]], [deep, good[1]], [b"\xff\xfe", good[1]], [good[0]],
                [good[0], good[1][:-1]], [good[0], good[1] + b"\0"], [good[0], b""], [good[0], b"\xff" * len(good[1])])
    yield from (header(session=name) for name in (-1, 2 ** 64, "7", None, 7.5, True))
    yield from (header(node=name) for name in ("", "n" * 10240, 7, None, ["x"], "\ud800"))
    yield from (header(jobs=[{"job": "0"}, {"job": name}]) for name in ODD)
    yield from (header(jobs=[{"job": "0"}, {"job": "12", "user": name}]) for name in (7, ["x"], "u" * 10240))
    yield from (header(jobs=value) for value in (None, 5, [], [{}], [{"job": "5"}], ["0"], {"job": "0"}))
    name, digest = JOBPROC.name, JOBPROC.fingerprint
    blocks = [["x", digest, 1]], [[name, digest, -1]], [[name, digest, 2 ** 40]], [[name, "0" * 16, 1]]
    yield from (header(blocks=value) for value in (None, 5, [5], [[]]) + blocks)
    yield from (header(strings=value) for value in (None, ["x"], ["", 5], ["", "s" * 10240]))


def test_malformed_batches_cost_only_themselves(collector, tmp_path):
    with Node(collector.native) as node:
        node.hello(tables=[JOBPROC])
        node.send(1)
        node.acknowledged(1)
        for number, payload in enumerate(hostile(100), 100):
            node.say("batch", payload, session=7, sequence=number, oldest=1)
        node.send(2)
        node.acknowledged(2)
    assert collector.stop() == 0
    rows = stored.rows(stored.files(tmp_path / "out"), "12", JOBPROC.name)
    assert len(rows) == 2
    told = [line for line in collector.errors().splitlines() if "it is counted" in line]
    assert len(told) == len(set(told)) and 3 <= len(told) <= 20 and "Traceback" not in collector.errors()


def test_hostile_job_ids_are_stored_under_safe_names(collector, tmp_path):
    with Node(collector.native) as node:
        node.hello(tables=[JOBPROC])
        for sequence, name in enumerate(IDS, 1):
            made = batch(sequence=sequence)
            made.jobs[1] = {"job": name, "user": "../evil", "twin": 1}
            node.say("batch", wire.pack(made), session=7, sequence=sequence, oldest=1)
        node.acknowledged(len(IDS))
    assert collector.stop() == 0
    tables = [(job, rows) for path in stored.files(tmp_path / "out") for (job, _), rows in stored.tables(path).items()]
    assert sum(len(rows) for _, rows in tables) == len(IDS) and len({job for job, _ in tables}) == len(IDS)
    assert all(SAFE.fullmatch("job_" + job) for job, _ in tables)
    everything = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*")}
    assert everything <= {"out", "journal", "collector.out", "collector.err"}


def test_hostile_schemas_are_not_learnt(collector, tmp_path):
    good = Table("new_default", JOB, "Of another release.", (gauge("a", "bytes", "x"),))
    names = "../x", "a/b", "", "a\0b", "x" * 10240, 7, None, "hostname; drop"
    columns = [], 7, [["a"]], [["a", "", "gauge", "", "s", "", "add"]], [["../a", "b", "gauge", "x", "q", "", "add"]]
    bad = [dict(good.describe(), name=name) for name in names]
    bad += [dict(good.describe(), metrics=metrics) for metrics in columns]
    with Node(collector.native) as node:
        node.hello()
        for description in bad:
            digest = good.fingerprint
            node.say("schemas", schemas={digest: description})
            node.say("hello", version=wire.PROTOCOL, node="node-1", cluster="", session=7, sequence=0, oldest=1,
                     schemas={digest: description})
        node.send(1, table=good)
        assert node.expect("need")["fingerprints"] == [good.fingerprint]
        node.say("schemas", schemas=wire.schemas([good]))
        node.send(1, table=good)
        node.acknowledged(1)
    assert collector.stop() == 0
    assert len(stored.rows(stored.files(tmp_path / "out"), "12", "new_default")) == 1
    assert collector.errors().count("unusable schema") >= 1


def test_messages_of_0_6_that_are_hostile_cost_only_themselves(collector, tmp_path):
    good = gzip.decompress(GOLDEN.read_bytes())
    table = wire06.layout(JOBPROC)
    bad = [b"", b"\0", b"xyz" * 5000, good[:-1], good + b"\0", os.urandom(4096), b"\xff" * table.size,
           record06(b"\xff\xfe"), record06(second=2 ** 64 - 1), b"x" * (9 << 20), record06(b"../x"), record06(b"a\0b"),
           record06(job=2 ** 64 - 1), record06(b"h" * 255)]
    push(collector.legacy, [good] + bad * 3 + [good, record06(b"the-last")])
    wait_for(lambda: journal_has(tmp_path, b"the-last"), PATIENCE, "the last message")
    assert collector.stop() == 0
    files = stored.files(tmp_path / "out")
    hosts = [row["hostname"] for job in stored.jobs(files) for row in stored.rows(files, job, JOBPROC.name)]
    assert hosts.count(b"the-last") == 1 and hosts.count(b"../x") == 3 and hosts.count(b"h" * 255) == 3
    assert not any(b"\xff" in host for host in hosts)
    told = [line for line in collector.errors().splitlines() if "it is counted" in line]
    assert len(told) == len(set(told)) and told and "Traceback" not in collector.errors()
    assert len(stored.rows(files, "0", "procstats_default")) >= 2


def journal_has(folder, text):
    """Whether `text` has come to the journal."""
    return any(text in path.read_bytes() for path in (folder / "journal").glob("*.journal"))


OVERSIZED = {
    "no magic": [b"x" * 2 ** 20] * 3,
    "many frames": [b"CLM1"] * 300,
    "long header": [b"CLM1", b"{" * 2 ** 20],
    "long frame": [b"CLM1", b'{"type":"batch","session":7,"sequence":1,"oldest":1}', b"x" * (70 << 20)],
}


@pytest.mark.parametrize("name", OVERSIZED)
def test_oversized_messages_of_the_native_wire(name, collector, tmp_path):
    with Node(collector.native) as node, Node(collector.native, "node-2", 8) as other:
        other.hello(tables=[JOBPROC])
        node.socket.send_multipart(OVERSIZED[name])
        for sequence in (1, 2, 3):
            other.send(sequence)
        other.acknowledged(3)
    assert collector.stop() == 0
    assert len(stored.rows(stored.files(tmp_path / "out"), "12", JOBPROC.name)) == 3
