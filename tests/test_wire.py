"""The native wire: what was packed is unpacked, and no message of any kind does more than be refused."""
import json
import random
from dataclasses import replace

import pytest

from colmet.common import wire
from colmet.common.batch import Batch, Block, pack_rows
from colmet.common.description import table_from
from colmet.common.metrics import TABLES
from colmet.common.schema import INT_MAX, JOB, MISSING, Table, gauge
from e2e.peers import JOBPROC, batch

KNOWN = {table.fingerprint: table for table in TABLES.values()}


def whole():
    """A batch with a block of every table, instances, users, clusters and what JSON finds hard."""
    jobs = [{"job": "0"}, {"job": "123.4", "user": "al\u00efce", "cluster": "c"},
            {"job": "12[3]", "gone": 1, "twin": 1}]
    blocks = []
    for place, table in enumerate(TABLES.values()):
        rows = [(place % 3, 1 if table.instance else 0, [place - 5] * len(table.metrics)),
                (0, 0, [None] * len(table.metrics))]
        blocks.append(pack_rows(table, rows))
    return Batch("n\u0153ud", 2 ** 63 - 1, 1, 10 ** 18, 7, jobs, ["", "eth0\n\"\\"], blocks, "cluster")


def test_a_batch_comes_back_as_it_was():
    sent = whole()
    back, faults = wire.unpack(wire.split(wire.join(wire.pack(sent))), KNOWN)
    assert faults == [] and back == sent


def test_batch_after_batch_is_packed_as_each_by_itself():
    tail = wire.Tail()
    for changed in ({}, {"sequence": 2, "time": 8}, {"jobs": [{"job": "0"}, {"job": "9"}]}, {"strings": ["", "a", "b"]},
                    {"blocks": []}, {}):
        sent = replace(whole(), **changed)
        assert wire.pack(sent, tail) == wire.pack(sent)
        header = json.loads(wire.pack(sent, tail)[0])
        assert (header["sequence"], header["jobs"], len(header["blocks"])) == (
            sent.sequence, sent.jobs, len(sent.blocks))


def test_the_message_of_a_batch_is_like_the_others():
    frames = wire.pack(whole())
    fields, payload = wire.parse(wire.carry(5, 6, 7, frames))
    assert (fields, payload) == wire.parse(wire.message("batch", frames, session=5, sequence=6, oldest=7))


def test_missing_and_greatest_values_come_back():
    table = Table("t_default", JOB, "", (gauge("a", "", ""), gauge("b", "", "", code="d")))
    sent = batch(table=table)
    sent.blocks = [pack_rows(table, [(1, 0, [None, None]), (0, 0, [2 ** 70, 0.5]), (1, 0, [-5, 1e300])])]
    (block,) = wire.unpack(wire.pack(sent), {table.fingerprint: table})[0].blocks
    (_, _, a, b), second, third = block
    assert a == MISSING and b != b and second == (0, 0, INT_MAX, 0.5) and third == (1, 0, -5, 1e300)


def test_messages_have_a_type_and_fields():
    fields, payload = wire.parse(wire.message("ack", [b"x"], upto=5))
    assert fields == {"type": "ack", "upto": 5} and payload == [b"x"]


def test_unknown_schemas_are_named_each_once():
    with pytest.raises(wire.UnknownSchemas) as caught:
        wire.unpack(wire.pack(whole()), {})
    assert caught.value.fingerprints == sorted(KNOWN)


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_schemas_travel(table):
    described = json.loads(json.dumps(wire.schemas([table])))
    (fingerprint, back), = wire.read_schemas(described).items()
    assert fingerprint == table.fingerprint == back.fingerprint
    assert (back.metrics, back.scope, back.instance) == (table.metrics, table.scope, table.instance)
    assert back.legacy == table.legacy


def test_headers_read_in_halves_are_what_the_whole_is():
    """`Tails` keeps what was checked; no header may be taken, or taken for another, because of it."""
    tails, frames = wire.Tails(), wire.pack(whole())
    for _ in range(2):
        assert wire.unpack(frames, KNOWN, tails)[0] == whole()
    head, tail = frames[0].split(b',"jobs":')
    for bad in (b"{", b"", head[:-1], head + b",", head + b',"x":{', b'{"node":"x"', b'{"node":"x,', head + b"}"):
        with pytest.raises(wire.Malformed):
            wire.unpack([bad + b',"jobs":' + tail] + frames[1:], KNOWN, tails)
    blank = b" " * (wire.MAX_HEADER // 2)
    with pytest.raises(wire.Malformed, match="header too long"):
        wire.unpack([head + blank + b',"jobs":' + blank + tail] + frames[1:], KNOWN, tails)
    other = wire.unpack([head + b',"jobs":' + tail[:-1] + b',"node":"other"}'] + frames[1:], KNOWN, tails)[0]
    assert other.node == "other" and other.jobs == whole().jobs
    doubled = wire.unpack([head + b',"jobs":[],"jobs":' + tail] + frames[1:], KNOWN, tails)[0]
    assert doubled == whole() == wire.unpack(frames, KNOWN, tails)[0]


def test_the_halves_of_headers_take_bounded_room(monkeypatch):
    monkeypatch.setattr(wire, "MAX_TAILS", 1000)
    tails = wire.Tails()
    for number in range(100):
        each = batch()
        each.jobs.append({"job": str(number)})
        assert wire.unpack(wire.pack(each), KNOWN, tails)[0] == each
        assert sum(map(len, tails._known)) <= 1000


def changed(**fields):
    """Frames of a good batch with `fields` of its header replaced."""
    header, *data = wire.pack(batch())
    return [json.dumps(dict(json.loads(header), **fields)).encode()] + data


HEADERS = {
    "no frames": [],
    "no JSON": [b"{"],
    "not UTF-8": [b'{"node":"\xff"}'],
    "a list": [b"[]"],
    "too long": [b" " * (wire.MAX_HEADER + 1)],
    "nothing in it": [b"{}"],
    "no node": changed(node=""),
    "a long node": changed(node="x" * 256),
    "a node in many bytes": changed(node="\u0153" * 128),
    "a node that is a number": changed(node=5),
    "a node of half a surrogate": [wire.pack(batch())[0].replace(b"node-1", b"\\ud800")],
    "a session that is text": changed(session="7"),
    "a session that is true": changed(session=True),
    "a session that is negative": changed(session=-1),
    "a session too great": changed(session=2 ** 63),
    "a time that is a fraction": changed(time=1.5),
    "a time without end": changed(time=float("inf")),
    "jobs that are an object": changed(jobs={}),
    "no jobs": changed(jobs=[]),
    "no node job": changed(jobs=[{"job": "5"}]),
    "a job without id": changed(jobs=[{"job": "0"}, {}]),
    "a job that is a number": changed(jobs=[{"job": "0"}, {"job": 5}]),
    "a job that is text": changed(jobs=[{"job": "0"}, "5"]),
    "a long user": changed(jobs=[{"job": "0"}, {"job": "5", "user": "x" * 256}]),
    "no empty string": changed(strings=["x"]),
    "strings that are numbers": changed(strings=["", 5]),
    "blocks that are numbers": changed(blocks=[1]),
    "blocks of two": changed(blocks=[["a", "b"]]),
    "blocks of a list": changed(blocks=[["a", ["b"], 1]]),
}


@pytest.mark.parametrize("name", HEADERS)
def test_an_unusable_header_is_malformed(name):
    with pytest.raises(wire.Malformed) as caught:
        wire.unpack(HEADERS[name], KNOWN)
    assert not isinstance(caught.value, wire.UnknownSchemas) and 0 < len(str(caught.value)) < 80


def test_a_bad_block_costs_itself_only():
    good = batch().blocks[0].data
    for bad in (b"", good[:-1], good + b"x", good[:8] + b"\1" + good[9:], b"\xff" * 8 + good[8:], b"\2" + good[1:]):
        each = batch()
        each.blocks = [Block(JOBPROC, good), Block(JOBPROC, bad), Block(JOBPROC, good)]
        back, faults = wire.unpack(wire.pack(each), KNOWN)
        assert len(faults) == 1 and [block.data for block in back.blocks] == [good, good], bad


@pytest.mark.parametrize("name, rows", [("jobprocstats_default", 2), ("jobprocstats_default", -1), ("cpu_default", 1)])
def test_a_block_must_be_what_the_header_says(name, rows):
    back, faults = wire.unpack(changed(blocks=[[name, JOBPROC.fingerprint, rows]]), KNOWN)
    assert len(faults) == 1 and back.blocks == []


def test_blocks_and_frames_that_differ_in_number_are_told():
    frames = wire.pack(batch())
    for wrong in (frames[:1], frames + [b"x"]):
        assert wire.unpack(wrong, KNOWN)[1] == ["blocks and frames differ in number"]


DESCRIBED = JOBPROC.describe()
DESCRIPTIONS = [
    None, [], "x", {}, dict(DESCRIBED, metrics=5), dict(DESCRIBED, metrics=[]), dict(DESCRIBED, metrics=[["a"]]),
    dict(DESCRIBED, metrics=DESCRIBED["metrics"] * 2), dict(DESCRIBED, name="../x"), dict(DESCRIBED, name=""),
    dict(DESCRIBED, name="x" * 61), dict(DESCRIBED, name=5), dict(DESCRIBED, name="a/b"), dict(DESCRIBED, name="a\0"),
    dict(DESCRIBED, scope="all"), dict(DESCRIBED, doc="x" * 5000), dict(DESCRIBED, instance=None),
    dict(DESCRIBED, metrics=[["a", "", "counter", "", "x", "", "add"]]),
    dict(DESCRIBED, metrics=[["a", "", "counter", "", "", "", "add"]]),
    dict(DESCRIBED, metrics=[["a", "", "other", "", "q", "", "add"]]),
    dict(DESCRIBED, metrics=[["a", "", "counter", "", "q", "", "mean"]]),
    dict(DESCRIBED, metrics=[["a b", "", "counter", "", "q", "", "add"]]),
    dict(DESCRIBED, metrics=[["m%d" % n, "", "counter", "", "q", "", "add"] for n in range(1001)]),
]


@pytest.mark.parametrize("description", DESCRIPTIONS, ids=lambda value: str(value)[:40])
def test_descriptions_that_no_colmet_sends_are_refused(description):
    with pytest.raises(ValueError):
        table_from(description)
    with pytest.raises(wire.Malformed):
        wire.read_schemas({"0" * 16: description})


@pytest.mark.parametrize("data", [b"\0", b"\0\0\0", b"\1\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\0\5\0\0\0abcd"])
def test_joined_frames_of_a_wrong_length_are_malformed(data):
    with pytest.raises(wire.Malformed):
        wire.split(data)


def unpacked(frames):
    """What a receiver does with `frames`: it may only refuse."""
    try:
        fields, payload = wire.parse(frames)
        batch_or_fault = wire.unpack(payload, KNOWN)
        wire.read_schemas(fields.get("schemas", {}))
        for block in batch_or_fault[0].blocks:
            assert all(0 <= row[0] < len(batch_or_fault[0].jobs) for row in block)
        return True
    except wire.Malformed:
        return False


@pytest.mark.parametrize("seed", range(40))
def test_messages_changed_at_random_are_read_or_malformed(seed):
    dice = random.Random(seed)
    good = wire.message("batch", wire.pack(whole()), schemas=wire.schemas([JOBPROC]))
    assert unpacked(good)
    for _ in range(100):
        frames = [bytearray(frame) for frame in good]
        for _ in range(dice.randint(1, 8)):
            frame = dice.choice(frames[:3] if dice.random() < 0.7 else frames)
            if frame:
                frame[dice.randrange(len(frame))] = dice.choice(b'{}[]",:0-\\\xff\0a') if dice.random() < 0.8 else 7
        if dice.random() < 0.3:
            dice.shuffle(frames)
        unpacked([bytes(frame) for frame in frames][:dice.randint(0, 20)])


@pytest.mark.parametrize("seed", range(20))
def test_headers_of_random_values_are_read_or_malformed(seed):
    """Every field in turn becomes what JSON can say."""
    dice = random.Random(seed)
    values = [None, True, 0, -1, 2 ** 64, 1.5, "", "x" * 300, [], [[]], {}, [None], {"job": "0"}, [{"job": "0"}], [""],
              "\ud800"]
    names = list(json.loads(wire.pack(batch())[0]))
    for _ in range(300):
        fields = {dice.choice(names): dice.choice(values) for _ in range(dice.randint(1, 3))}
        unpacked(wire.message("batch", changed(**fields)))
