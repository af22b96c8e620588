"""The wire of Colmet 0.6 as a node speaks it: a PUSH socket and no acknowledgements (`colmet.common.wire06`).

A batch counts as delivered when ZeroMQ took it; what ZeroMQ holds when the collector dies is lost, as with 0.6.
"""
import zmq

from colmet.common import wire, wire06
from colmet.node.sending.sockets import OUT, Endpoint


class LegacyLink:
    """One way to a collector of 0.6; `tables` are those whose batches may come, `most` is ZeroMQ's high water mark."""

    def __init__(self, context, uri, outbox, tables, most):
        self.uri, self.outbox = uri, outbox
        self.tables = {table.fingerprint: table for table in tables}
        self.sending = False            # else it only looks whether somebody is there
        self._endpoint = Endpoint(context, zmq.PUSH, uri, most)
        self._opened = self._blocked = False

    @property
    def reached(self):
        """Whether a collector completed ZeroMQ's handshake."""
        return self._endpoint.connected

    def polls(self, now):
        """Descriptors to wait for; None where there is something to do at once."""
        if self._blocked and self._endpoint.pending(OUT):
            return None
        return self._endpoint.polls(OUT if self._blocked else 0)

    def deadline(self, now):
        """Nothing is due by itself."""
        return None

    def step(self, now, ready=()):
        """Do all that can be done without waiting; `ready` are the descriptors that can be read."""
        if not self._opened:
            self._endpoint.open()
            self._opened = True
        self._endpoint.lost(ready)
        self._blocked = self.sending and not self._send(now)

    def close(self, linger=0):
        """Close the socket; ZeroMQ goes on sending what it took for `linger` ms."""
        self._endpoint.close(linger)
        self._opened = self._blocked = self.sending = False

    def _send(self, now):
        while True:
            kept = self.outbox.next(now)
            if kept is None:
                return True
            batch, _ = wire.unpack(kept.frames, self.tables)
            message, cut = wire06.encode(batch)
            if message and not self._endpoint.send([message]):
                return False
            self.outbox.counts.jobs_cut += cut
            self.outbox.delivered(kept, now)
