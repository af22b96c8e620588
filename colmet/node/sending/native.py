"""The native wire as a node speaks it: hello, batches, acknowledgements over one DEALER (`colmet.common.wire`).

ZeroMQ takes messages for a peer that is gone; only acknowledgements tell what arrived. So each connection is
a new socket: what was in flight over the old one goes again.
"""
import zmq

from colmet.common import wire
from colmet.node.clock import SECOND
from colmet.node.log import log
from colmet.node.sending.sockets import OUT, Endpoint

PATIENCE = 10 * SECOND          # for an acknowledgement, at least
LONGEST = 300 * SECOND
LULL = 8 * SECOND               # for which one need not be read while there is plenty of room, at most
LULL_TICKS = 3.5                # the same, in periods
ANSWERS = 64                    # read at once, at most
SILENCE = 10 * SECOND           # after which a socket that nobody answers is replaced
PAUSE = SECOND                  # the same, first, where a connection broke before the hello was answered
MAX_RANGES = 4096               # of one acknowledgement
SPARE = 8                       # messages that are no batch, in ZeroMQ's queue besides the window


class NativeLink:
    """One way to a collector. `hello` has the fields node, cluster, session; `tables` are those whose batches
    may come; `period` is that of ticks (ns)."""

    def __init__(self, context, uri, outbox, hello, tables, period, faults):
        self.uri, self.outbox, self.hello, self.faults = uri, outbox, hello, faults
        self.tables = {table.fingerprint: table for table in tables}
        self.patience = max(PATIENCE, 2 * period)
        self._period, self._lull = period, min(LULL, int(LULL_TICKS * period))
        self._calm_until = 0            # ns: before, acknowledgements may wait for a batch that wakes us anyway
        self.answered = False           # the collector took the hello: batches may go
        self.mute_since = None          # ns: since when nobody answers
        self.epoch = None
        self._endpoint = Endpoint(context, zmq.DEALER, uri, outbox.window + SPARE)
        self._pause = PAUSE
        self._retry = 0
        self._greeted = self._blocked = False
        self._takers = {"hello": self._take_hello, "ack": self._take_ack, "need": self._take_need,
                        "refuse": self._take_refuse}
        self._given = set()             # fingerprints that were asked for and sent over this connection

    def polls(self, now):
        """Descriptors to wait for; None where there is something to do at once."""
        out = OUT if self._blocked or not self._greeted else 0
        if now < self._calm_until:
            return self._endpoint.polls(0, answers=False)
        return None if self._endpoint.pending(out) else self._endpoint.polls(out)

    def deadline(self, now):
        """When `step` is due though nothing comes (ns)."""
        if not self.answered:
            return self._retry
        if now < self._calm_until:
            return self._calm_until
        since = self.outbox.unanswered_since()
        return None if since is None else since + self.patience

    def step(self, now, ready=()):
        """Do all that can be done without waiting; `ready` are the descriptors that can be read."""
        if self._retry == 0:
            self._open(now)
        if self._endpoint.lost(ready):
            self._lost(now)
        if now + self._period >= self._calm_until:      # the next batch would come too late to read them then
            self._receive(now)
        if not self.answered and now >= self._retry:
            self._open(now)
        since = self.outbox.unanswered_since() if self.answered else None
        if since is not None and now - since > self.patience:
            self.patience = min(2 * self.patience, LONGEST)
            self._reopen(now, "no acknowledgement for %d s" % ((now - since) // SECOND))
        self._blocked = not self._send(now)
        self._calm_until = self._calm()

    def _calm(self):
        """Until when (ns) acknowledgements may lie unread, so that a batch and what it wakes us for is one wake, and
        most batches need no more: nothing else is to be sent, and there is plenty of room. 0: they may not."""
        since = self.outbox.eased_since() if self.answered else None
        return 0 if since is None else since + self._lull

    def _receive(self, now):
        for _ in range(ANSWERS):
            frames = self._endpoint.receive()
            if frames is None:
                break
            self._take(frames, now)

    def close(self):
        """Let go of the connection; nothing that it holds matters, the outbox has it."""
        self._endpoint.close(0)

    def _lost(self, now):
        if self.answered:
            self._reopen(now, "the connection broke")
        elif self._greeted:             # the hello went with it, or it was no collector: a new socket, soon
            self._retry = min(self._retry, now + self._pause)
            self._pause = min(2 * self._pause, SILENCE)

    def _reopen(self, now, why):
        log.info("%s: %s; connecting again, %d batches kept", self.uri, why, len(self.outbox))
        self._open(now)

    def _open(self, now):
        self._endpoint.open()
        self._retry = now + SILENCE
        if self.mute_since is None or self.answered:
            self.mute_since = now
        if self.answered:
            self.outbox.restart()
        self.answered = self._greeted = self._blocked = False
        self._calm_until, self._given = 0, set()

    def _send(self, now):
        """Send what may go; False when ZeroMQ took less than that."""
        if not self._greeted:
            fields = dict(self.hello, version=wire.PROTOCOL, sequence=self.outbox.last, oldest=self.outbox.oldest,
                          schemas=wire.schemas(self.tables.values()))
            self._greeted = self._endpoint.send(wire.message("hello", **fields))
        while self.answered:
            batch = self.outbox.next(now)
            if batch is None:
                break
            if not self._endpoint.send(wire.carry(self.hello["session"], batch.sequence, self.outbox.oldest,
                                                  batch.frames)):
                return False
            self.outbox.flying(batch, now)
        return True

    def _take(self, frames, now):
        """One message of the collector, whatever it is."""
        try:
            fields, _ = wire.parse(frames)
            taker = self._takers.get(fields["type"])
            if taker is None:
                raise wire.Malformed("message of an unknown type")
            taker(fields, now)
        except wire.Malformed as error:
            self.faults.add("malformed: %s" % error,
                            "%s: the collector's answer is unusable: %s; ignored" % (self.uri, error))

    def _take_hello(self, fields, now):
        if fields.get("version") != wire.PROTOCOL:
            raise wire.Malformed("hello of another version of the protocol")
        upto, ranges = self._reach(fields)
        epoch = _epoch(fields)
        if epoch != self.epoch:
            log.info("%s: a collector started", self.uri)
        self.epoch = epoch
        self.outbox.acknowledge(upto, ranges)
        self.outbox.restart()
        self.answered, self.mute_since, self._pause = True, None, PAUSE

    def _take_ack(self, fields, now):
        if not self.answered:
            return                      # an acknowledgement of the connection before
        upto, ranges = self._reach(fields)
        if _epoch(fields) != self.epoch:
            self._reopen(now, "the collector is another one")
        else:
            log.debug("%s: %d batches acknowledged", self.uri, self.outbox.acknowledge(upto, ranges))

    def _take_need(self, fields, now):
        wanted = fields.get("fingerprints")
        if not isinstance(wanted, list) or not all(isinstance(each, str) for each in wanted):
            raise wire.Malformed("fingerprints of a wrong shape")
        new = (set(wanted) & set(self.tables)) - self._given
        if not new or not self.answered:
            return                      # given before: if it did not help, the connection begins anew
        known = wire.schemas(self.tables[fingerprint] for fingerprint in sorted(new))
        if self._endpoint.send(wire.message("schemas", schemas=known)):
            self._given |= new
            self.outbox.resend()

    def _take_refuse(self, fields, now):
        reason = fields.get("reason")
        reason = reason if isinstance(reason, str) and len(reason) < 500 else "no reason given"
        if "sequence" not in fields:
            self.faults.add("refused: %s" % reason, "%s: the collector refuses this node: %s; batches are kept"
                            % (self.uri, _one_line(reason)))
        elif _is_count(fields["sequence"]) and self.outbox.refuse(fields["sequence"]):
            self.faults.add("refused batch: %s" % reason, "%s: the collector refuses a batch: %s; dropped"
                            % (self.uri, _one_line(reason)))

    def _reach(self, fields):
        """(upto, ranges) of a hello or an acknowledgement; raises Malformed."""
        upto, ranges = fields.get("upto"), fields.get("ranges")
        if fields.get("session") != self.hello["session"]:
            raise wire.Malformed("answer to another session")
        if not _is_count(upto) or not isinstance(ranges, list) or len(ranges) > MAX_RANGES:
            raise wire.Malformed("acknowledgement of a wrong shape")
        if not all(isinstance(pair, list) and len(pair) == 2 and all(map(_is_count, pair)) for pair in ranges):
            raise wire.Malformed("acknowledgement of a wrong shape")
        return upto, ranges


def _epoch(fields):
    epoch = fields.get("epoch")
    if type(epoch) not in (int, str):
        raise wire.Malformed("message without an epoch")
    return epoch


def _is_count(value):
    return type(value) is int and 0 <= value < 2 ** 63


def _one_line(text):
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
