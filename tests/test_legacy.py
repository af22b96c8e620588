"""Messages of Colmet 0.6: those recorded from it decode and encode byte for byte; hostile ones cost only themselves."""
import gzip
import json
import random
import struct
from pathlib import Path

import pytest

from colmet.collector import legacy
from colmet.common import wire06
from colmet.common.batch import Batch, pack_rows, row_struct
from colmet.common.metrics import TABLES
from colmet.common.schema import INT_MAX, MISSING

GOLDEN = Path(__file__).parent / "golden" / "0.6"
MESSAGES = sorted(GOLDEN.glob("*/*.bin.gz"))
LEGACY = [table for table in TABLES.values() if table.legacy]


def golden(path):
    """(message, its records as 0.6 decoded them)."""
    decoded = json.loads((path.parent / "messages.json").read_text())["messages"]
    return gzip.decompress(path.read_bytes()), decoded[int(path.name[:3])]


def records(batches):
    """Rows of `batches` as 0.6 names them, in order."""
    return [record(batch, block.table, row) for batch in batches for block in batch.blocks for row in block]


def record(batch, table, row):
    values = {"metric_backend": table.name, "hostname": batch.node, "timestamp": batch.time // 10 ** 9,
              "job_id": int(batch.jobs[row[0]]["job"])}
    for metric, value in zip(table.metrics, row[2:]):
        if metric.wire06:
            values[metric.name] = -1 if value == MISSING or value != value else value
    if table.involved_jobs == "wire":
        values["involved_jobs"] = json.dumps(sorted(int(job) for job in batch.present()))
    return values


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: "%s-%s" % (path.parent.name, path.name[:3]))
def test_recorded_messages_decode_and_encode_byte_for_byte(path):
    message, expected = golden(path)
    batches, faults = legacy.decode(message)
    assert faults == [] and records(batches) == expected
    assert all((batch.session, batch.sequence) == (0, 0) for batch in batches)
    assert b"".join(wire06.encode(batch)[0] for batch in batches) == message


def test_there_are_recorded_messages_of_most_tables():
    names = {each["metric_backend"] for path in MESSAGES for each in golden(path)[1]}
    assert len(MESSAGES) == 10 and len(names) >= 9


@pytest.mark.parametrize("table", LEGACY, ids=lambda table: table.name)
def test_extreme_values_survive(table):
    top = {"Q": INT_MAX, "I": 2 ** 32 - 2, "q": INT_MAX, "f": 2.0 ** 100, "": 5}
    rows = [(0, 0, [None] * len(table.metrics)), (1, 0, [top[metric.wire06] for metric in table.metrics])]
    batch = Batch("host", 5, 7, 9 * 10 ** 9, 1, [{"job": "0"}, {"job": "12"}], blocks=[pack_rows(table, rows)])
    (back,), faults = legacy.decode(wire06.encode(batch)[0])
    found = [row[2:] for row in back.blocks[0]]
    kept = [place for place, metric in enumerate(table.metrics) if metric.wire06]
    assert faults == [] and [row[0] for row in back.blocks[0]] == [0, back.jobs.index({"job": "12"})]
    assert [found[1][place] for place in kept] == [rows[1][2][place] for place in kept]
    assert all(found[0][place] == MISSING or found[0][place] != found[0][place] for place in range(len(found[0])))


def test_an_unsigned_value_beyond_int64_becomes_the_greatest():
    message = bytearray(golden(GOLDEN / "taskstats_only" / "001.bin.gz")[0])
    struct.pack_into("<Q", message, 526, 2 ** 64 - 2)
    (batch,), _ = legacy.decode(bytes(message))
    assert next(iter(batch.blocks[0]))[2] == INT_MAX


ONE = wire06.HEADER.pack(b"taskstats_default", b"node-1", 7, 1700000000) + bytes(236)
HOSTILE = {
    "empty": (b"", 0, []),
    "short": (b"xyz", 0, ["record cut short"]),
    "truncated": (ONE[:-1], 0, ["record cut short"]),
    "good, then truncated": (ONE + ONE[:300], 1, ["record cut short"]),
    "trailing NUL": (ONE + b"\0", 1, ["record cut short"]),
    "unknown backend": (ONE + b"unknownstat".ljust(762, b"\0"), 1, ["record of an unknown name"]),
    "a table that 0.6 had not": (b"cpu_default".ljust(762, b"\0"), 0, ["record of an unknown name"]),
    "backend not UTF-8": (b"\xff\xfe" + ONE[2:], 0, ["record of an unknown name"]),
    "host not UTF-8, then good": (ONE[:255] + b"\xff\xfe" + ONE[257:] + ONE, 1,
                                  ["host name that is empty or not UTF-8"]),
    "no host": (ONE[:255] + bytes(255) + ONE[510:] + ONE, 1, ["host name that is empty or not UTF-8"]),
    "NUL in the host": (ONE[:255] + b"a\0b".ljust(255, b"\0") + ONE[510:], 1, []),
    "huge time": (ONE + ONE[:518] + b"\xff" * 8 + ONE[526:] + ONE, 2, ["timestamp beyond all times"]),
    "path as host": (ONE[:255] + b"../../etc/passwd".ljust(255, b"\0") + ONE[510:], 1, []),
    "text": (b"GET / HTTP/1.1\r\n\r\n" * 100, 0, ["record of an unknown name"]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_good_records_of_a_bad_message_are_kept(name):
    message, usable, faults = HOSTILE[name]
    runs, found = legacy.scan(message)
    assert (sum(run.count for run in runs), found) == (usable, faults)
    batches, found = legacy.decode(message)
    assert (sum(block.rows for batch in batches for block in batch.blocks), found) == (usable, faults)


def test_several_hosts_and_seconds_come_as_batches_of_their_own():
    def one(host, second, job):
        return wire06.HEADER.pack(b"jobprocstats_default", host, job, second) + bytes(80)
    message = one(b"a", 1, 5) + one(b"a", 1, 6) + one(b"b", 1, 5) + one(b"a", 2, 5) + one(b"a", 1, 2 ** 64 - 1)
    batches, faults = legacy.decode(message)
    found = [(batch.node, batch.time // 10 ** 9, [batch.jobs[row[0]]["job"] for block in batch.blocks for row in block])
             for batch in batches]
    assert faults == []
    assert found == [("a", 1, ["5", "6", str(2 ** 64 - 1)]), ("b", 1, ["5"]), ("a", 2, ["5"])]


@pytest.mark.parametrize("text", [b"[1, 2", b"\xff", b"{}", b"7", b'["x", -1, true, 2.5, 99999999999999999999]',
                                  b"[" * 8000])
def test_unusable_lists_of_jobs_cost_only_themselves(text):
    table = TABLES["lustrestats_default"]
    message = wire06.HEADER.pack(table.name.encode(), b"n", 0, 1) + bytes(32) + text.ljust(8192, b"\0")
    (batch,), faults = legacy.decode(message)
    assert faults == [] and batch.jobs == [{"job": "0"}] and batch.blocks[0].rows == 1


@pytest.mark.parametrize("seed", range(30))
def test_messages_changed_at_random_never_raise(seed):
    dice = random.Random(seed)
    for path in MESSAGES[::3]:
        message = bytearray(golden(path)[0])
        for _ in range(dice.randint(1, 40)):
            message[dice.randrange(len(message))] = dice.randrange(256)
        del message[dice.randrange(len(message)):]
        batches, _ = legacy.decode(bytes(message))
        for batch in batches:
            for block in batch.blocks:
                assert len(block.data) == block.rows * row_struct(block.table).size
                assert all(0 <= row[0] < len(batch.jobs) for row in block)
