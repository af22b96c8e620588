"""The sender: a thread of its own that brings what the outbox keeps to the collector, by either wire.

`auto` tries the native wire. When nobody answers there, but a peer completes ZeroMQ's handshake at the
0.6 address, that is a 0.6 collector (or a firewall stands before the native port): it gets 0.6 messages
until a native hello comes.
"""
import logging
import select
import threading

import zmq

from colmet.node.clock import MS, SECOND, boottime
from colmet.node.log import TELL, Faults, log
from colmet.node.sending.legacy import LegacyLink
from colmet.node.sending.native import NativeLink

FOREVER = -1
GRACE = 5 * SECOND              # for the 0.6 address to answer, before it is said that nobody does
LONGEST_POLL = 60 * SECOND
NOBODY = "no answer yet, batches are kept"
REACHED = ("acknowledged", "0.6 wire, unacknowledged")


class Sender(threading.Thread):
    """`settings` has wire, zeromq_uri, native_uri, zeromq_hwm, zeromq_linger, wire_timeout, sample_period;
    `hello` the node, cluster and session that the native wire opens with; `tables` those that may be sent."""

    def __init__(self, settings, outbox, hello, tables):
        super().__init__(name="sender", daemon=True)
        self.outbox, self.faults = outbox, Faults()
        self.wire_timeout = int(settings.wire_timeout * SECOND)
        self.linger = settings.zeromq_linger
        self._context = zmq.Context(io_threads=1)
        period = int(settings.sample_period * SECOND)
        self.native = self.legacy = None
        if settings.wire != "0.6":
            self.native = NativeLink(self._context, settings.native_uri, outbox, hello, tables, period, self.faults)
        if settings.wire != "native":
            self.legacy = LegacyLink(self._context, settings.zeromq_uri, outbox, tables, settings.zeromq_hwm)
            self.legacy.sending = settings.wire == "0.6"
        self.reached = False            # somebody listened at least once
        self.announce = False           # the start message told that nobody listens: say when one does
        self._told = NOBODY             # the last thing that was said of who listens
        self._mute = False              # that nobody answers was told
        self._end = None                # ns: when the flush gives up; None while it has not begun
        self._poll, self._polled = None, ()     # what waits, and for which descriptors

    def where(self):
        """Who gets the batches and whether anybody listens, as the start message says it."""
        if self.native and (self.native.answered or self.legacy is None or not self.legacy.sending):
            return self.native.uri, REACHED[0] if self.native.answered else NOBODY
        return self.legacy.uri, REACHED[1] if self.legacy.reached else NOBODY

    def open(self):
        """Open the sockets, in the thread that reports what is wrong with them: raises zmq.ZMQError."""
        now = boottime()
        for link in self._links(now):
            link.step(now)

    def learn(self, tables):
        """Batches of these `tables` may come too."""
        more = {table.fingerprint: table for table in tables}
        for link in filter(None, (self.native, self.legacy)):
            link.tables = dict(link.tables, **more)     # the thread may be reading the old one

    def flush(self, linger):
        """Send what is kept at once; the thread ends when all is acknowledged or after `linger` ms (-1: never)."""
        self._end = float("inf") if linger == FOREVER else boottime() + linger * 10 ** 6
        self.outbox.hurry()

    def run(self):
        """The thread: until `flush` is done."""
        ready = ()
        while True:
            now = boottime()
            links = self._links(now)
            for link in links:
                link.step(now, ready)
            self._choose(now)
            self._tell(now)
            if self._end is not None and (not len(self.outbox) or now >= self._end):
                break
            ready = self._wait(now, links)
        self._close()

    def _links(self, now):
        watched = self.native is None or (self.legacy and self._wants_legacy(now))
        return [link for link in (self.native, self.legacy if watched else None) if link]

    def _wants_legacy(self, now):
        """Whether `auto` should look at the 0.6 address: the native one has been mute for too long."""
        mute = self.native.mute_since
        return self.legacy.sending or (mute is not None and now - mute >= self._patience())

    def _patience(self):
        """How long the native wire may be mute (ns); half of the time that is left to one that shall end."""
        if self._end is None or self.linger == FOREVER:
            return self.wire_timeout
        return min(self.wire_timeout, self.linger * 10 ** 6 // 2)

    def _choose(self, now):
        if self.native is None or self.legacy is None:
            return
        if self.native.answered:
            self.legacy.close(self.linger)
        elif self.legacy.reached and not self.legacy.sending:
            port = self.native.uri.rpartition(":")[2]
            log.error("%s: mute, while %s answers: a 0.6 collector, or a firewall before %s; sending by the 0.6 wire, "
                      "unacknowledged", self.native.uri, self.legacy.uri, "port " + port if port.isdigit() else "it")
            self.legacy.sending = True
            self.legacy.step(now)

    def _tell(self, now):
        """Say what changed of who listens: always when it is the first time that anybody does."""
        uri, state = self.where()
        since = self.native and self.native.mute_since
        mute = bool(since) and now - since > self.wire_timeout + GRACE and state == NOBODY
        if mute and not self._mute:
            log.error("%s: nobody answers for %d s; batches are kept", uri, (now - since) // SECOND)
        self._mute = mute
        if state == self._told:
            return
        first = state in REACHED and not self.reached
        self.reached = self.reached or state in REACHED
        log.log(TELL if first and self.announce else logging.WARNING, "%s: %s", uri, state)
        self._told = state

    def _wait(self, now, links):
        """Wait until there is something to do; the descriptors that are ready."""
        times = [link.deadline(now) for link in links] + [self.outbox.next_ready(now), self._end, now + LONGEST_POLL]
        if self.native and self.legacy and self.native.mute_since is not None and len(links) < 2:
            times.append(self.native.mute_since + self._patience())
        fds = [self.outbox.fileno()]
        for link in links:
            own = link.polls(now)
            if own is None:
                times.append(now)
            fds += own or ()
        if fds != self._polled:
            self._poll, self._polled = select.poll(), fds
            for fd in fds:
                self._poll.register(fd, select.POLLIN)
        first = min(time for time in times if time is not None)
        ready = [fd for fd, _ in self._poll.poll(max(0, first - now) / MS)]
        if self.outbox.fileno() in ready:
            self.outbox.calm()
        return ready

    def _close(self):
        left = 0 if self._end is None else self._end - boottime()
        for link in (self.native, self.legacy):
            if link is self.legacy and link:
                link.close(FOREVER if left == float("inf") else max(0, int(left // 10 ** 6)))
            elif link:
                link.close()
        self._context.term()
