"""A real collector for tests, and peers that say to it exactly what a test wants: a native node, and one of 0.6."""
import time

import zmq

from colmet.collector.entries import Entries
from colmet.common import wire, wire06
from colmet.common.batch import Batch, pack_rows
from colmet.common.journal import read, segments
from colmet.common.metrics import TABLES
from e2e.programs import Program, free_port, wait_for

JOBPROC = TABLES["jobprocstats_default"]


def batch(node="node-1", session=7, sequence=1, rows=1, table=JOBPROC):
    """A batch with one block of `rows`, all of job 12."""
    block = pack_rows(table, [(1, 0, [5] * len(table.metrics))] * rows)
    jobs = [{"job": "0"}, {"job": "12"}]
    return Batch(node, session, sequence, 1700000000 * 10 ** 9 + sequence, 5, jobs, blocks=[block])


def record06(host=b"node-6", job=3, second=1700000000, value=0):
    """One record of Colmet 0.6 (jobprocstats_default); `value` is its rchar."""
    return wire06.HEADER.pack(b"jobprocstats_default", host, job, second) + value.to_bytes(8, "little") + bytes(72)


class Node:
    """A DEALER that speaks the native wire."""

    def __init__(self, uri, node="node-1", session=7):
        self.node, self.session = node, session
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.connect(uri)

    def say(self, kind, payload=(), **fields):
        """Send a message."""
        self.socket.send_multipart(wire.message(kind, payload, **fields))

    def hear(self, seconds=30):
        """The fields of the next message, None after `seconds`."""
        if not self.socket.poll(seconds * 1000):
            return None
        return wire.parse(self.socket.recv_multipart())[0]

    def expect(self, kind, seconds=30):
        """The fields of the next message of type `kind`; others are passed over."""
        end = time.monotonic() + seconds
        while True:
            fields = self.hear(max(0, end - time.monotonic()))
            assert fields is not None, "no %s within %s s" % (kind, seconds)
            if fields["type"] == kind:
                return fields

    def hello(self, oldest=1, sequence=0, tables=(), version=wire.PROTOCOL):
        """Say hello and return the answer."""
        self.say("hello", version=version, node=self.node, cluster="", session=self.session, sequence=sequence,
                 oldest=oldest, schemas=wire.schemas(tables))
        return self.hear()

    def send(self, sequence, oldest=1, **options):
        """Send a batch."""
        packed = wire.pack(batch(self.node, self.session, sequence, **options))
        self.say("batch", packed, session=self.session, sequence=sequence, oldest=oldest)

    def acknowledged(self, upto, seconds=30):
        """Wait for an acknowledgement of all up to `upto` and return it."""
        end = time.monotonic() + seconds
        while True:
            fields = self.expect("ack", max(0, end - time.monotonic()))
            if fields["upto"] >= upto:
                return fields

    def close(self):
        """Let go of the connection."""
        self.socket.close()
        self.context.term()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def push(uri, messages):
    """Send `messages` as Colmet 0.6 does, and return when the system has all of them."""
    context = zmq.Context()
    channel = context.socket(zmq.PUSH)
    channel.sndhwm = 0
    channel.connect(uri)
    for message in messages:
        channel.send(message)
    channel.close(60000)
    context.term()


class Collector(Program):
    """A collector that prints what it stores; `legacy` and `native` are its URIs, `journal` its directory."""

    def __init__(self, folder, *arguments, port=None, **options):
        port = port or free_port()
        self.folder = folder
        self.legacy, self.native = "tcp://127.0.0.1:%d" % port, "tcp://127.0.0.1:%d" % (port + 1)
        self.journal = folder / "j"
        self.port = port
        given = ("--enable-stdout-backend", "--journal-dir", self.journal, "--zeromq-bind-uri", self.legacy)
        super().__init__("colmet.collector.main", given + arguments, folder, **options)
        wait_for(lambda: "limits" in self.errors() or self.process.poll() is not None, 60, "start message")

    def printed(self):
        """Number of records on stdout."""
        return self.out.read_text().count("\n}\n")

    def stored(self):
        """(session, sequence) of each native batch in the journal, in order."""
        return [(batch.session, batch.sequence) for batch in batches(self.journal) if batch.session]


def batches(journal):
    """All batches in a journal; every segment must be readable by itself."""
    found = []
    starts = segments(journal)
    for start, end in zip(starts, starts[1:] + [None]):
        entries = Entries()
        entries.tables = {}
        for entry in read(journal, start):
            if end is not None and entry.position >= end:
                break
            found += entries.batches(entry)
        assert entries.faults == {}
    return found
