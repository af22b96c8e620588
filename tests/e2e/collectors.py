"""Collectors made of a few lines, for tests of the node: each answers exactly as a test tells it."""
import time
from typing import NamedTuple

import zmq

from colmet.common import wire, wire06
from colmet.common.metrics import TABLES

BY_FINGERPRINT = {table.fingerprint: table for table in TABLES.values()}


class Sink:
    """A socket of `kind` on `uri`, all of whose messages, as lists of frames, are given to `take`."""

    def __init__(self, kind, uri):
        self._context = zmq.Context()
        self._socket = self._context.socket(kind)
        self._socket.linger = 0
        self._socket.bind(uri)

    def serve(self, until, seconds=60, what="what the test waits for"):
        """Take what comes until `until()` is true; its value."""
        end = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < end, "after %s s still not %s" % (seconds, what)
            if self._socket.poll(50):
                self.take(self._socket.recv_multipart())
        return until()

    def close(self):
        """Go away as after kill -9: nothing more is said."""
        self._context.destroy(linger=0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Native(Sink):
    """The native port of a collector on `uri`. `acks` says whether batches are acknowledged, `epoch` who it is;
    `hellos` and `batches` (fields, Batch) are what came, `received` the sequences of all connections."""

    def __init__(self, uri, epoch=1, acks=True, hello=True):
        self.epoch, self.acks, self.hello = epoch, acks, hello
        self.hellos, self.batches, self.schemas = [], [], []
        self.received = set()
        self.peers = []
        super().__init__(zmq.ROUTER, uri)

    @property
    def sequences(self):
        """Sequences in the order in which they came, those sent again included."""
        return [batch.sequence for _, batch in self.batches]

    def send(self, peer, frames):
        """Any frames to one peer."""
        self._socket.send_multipart([peer] + frames)

    def state(self, session):
        """The fields of an acknowledgement of all that was received."""
        upto = 0
        while upto + 1 in self.received:
            upto += 1
        ranges = [[each, each] for each in sorted(self.received) if each > upto]
        return {"epoch": self.epoch, "session": session, "upto": upto, "ranges": ranges}

    def idle(self, seconds):
        """Take what comes for some time."""
        end = time.monotonic() + seconds
        self.serve(lambda: time.monotonic() > end)

    def greet(self, session):
        """Answer the hello of the last peer."""
        self.send(self.peers[-1], wire.message("hello", version=wire.PROTOCOL, **self.state(session)))

    def acknowledge(self, session, sequences):
        """Acknowledge `sequences` to the last peer."""
        self.received |= sequences
        self.send(self.peers[-1], wire.message("ack", **self.state(session)))

    def take(self, message):
        """One message of a node."""
        peer, (fields, payload) = message[0], wire.parse(message[1:])
        if peer not in self.peers:
            self.peers.append(peer)
        if fields["type"] == "hello":
            self.hellos.append(fields)
            wire.read_schemas(fields["schemas"])
            if self.hello:
                self.send(peer, wire.message("hello", version=wire.PROTOCOL, **self.state(fields["session"])))
        elif fields["type"] == "batch":
            batch, faults = wire.unpack(payload, BY_FINGERPRINT)
            assert not faults and batch.sequence == fields["sequence"]
            self.batches.append((fields, batch))
            if self.acks:
                self.received.add(batch.sequence)
                self.send(peer, wire.message("ack", **self.state(fields["session"])))
        elif fields["type"] == "schemas":
            self.schemas.append(wire.read_schemas(fields["schemas"]))


class Record(NamedTuple):
    """The head of one record of 0.6; `time` in s."""
    table: str
    node: str
    job: int
    time: int


class Old(Sink):
    """A collector of 0.6 on `uri`: a PULL that keeps what comes."""

    def __init__(self, uri):
        self.messages = []
        super().__init__(zmq.PULL, uri)

    def take(self, message):
        """One message of a node, which has one frame."""
        self.messages += message

    def records(self):
        """A `Record` for the head of each message, which is its first record's."""
        for message in self.messages:
            name, node, job, seconds = wire06.HEADER.unpack_from(message)
            yield Record(name.rstrip(b"\0").decode(), node.rstrip(b"\0").decode(), job, seconds)
