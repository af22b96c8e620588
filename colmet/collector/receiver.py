"""The receiver's loop: take all that waits, store it in groups, sync the journal, acknowledge.

A group is synced as soon as somebody waits for its acknowledgement or --buffer-size records are held, else
after --sample-period; but at most 20 times a second, as everything that came meanwhile goes along.
"""
import os
import time

import zmq

from colmet.collector.log import log
from colmet.collector.sockets import receive

SYNC_EVERY = 0.05       # s between syncs, at least, unless --sample-period is shorter
QUICK = 20000           # messages a second that one sender is thought to send at most
MORE_FOLLOW, NO_WAIT = int(zmq.SNDMORE | zmq.NOBLOCK), int(zmq.NOBLOCK)      # pyzmq joins its own flags slowly
TURN = 200              # messages taken from one socket before the other has its turn
TICK = 1.0              # s between calls of the writers' housekeeping
LAST_LOOKS = 10         # in a row that found no message, after which nothing waits in the sockets any more
PAUSE = 0.03            # s between two of them, in which ZeroMQ can read what the system has
LAST_CALL = 5.0         # s that this may take in all, as nodes go on sending


class Receiver:
    """`router` and `pull` are the sockets, either may be None; `options` gives sample_period and buffer_size and
    may be replaced; `synced(position)` is called whenever all entries below `position` are durable."""

    def __init__(self, intake, router, pull, options, synced):
        self.intake, self.router, self.pull, self.options = intake, router, pull, options
        self.full = False               # the journal cannot take more for now
        self.syncs, self.sync_seconds = 0, 0.0
        self._synced = synced
        self._held = None               # a 0.6 message that did not fit; it cannot be asked for again
        self._again = 0.0               # when messages of 0.6 are tried again (monotonic s)
        self._dirty_since = None        # when the first entry since the last sync was written
        self._last_sync = 0.0
        self._told = (0, 0)

    def run(self, stopping, tick, wake):
        """Receive until `stopping()`; `tick()` is called about once a second and after `wake` became readable:
        file descriptors, which are emptied. Raises OSError where the journal cannot be synced."""
        poller, wakers = zmq.Poller(), zmq.Poller()
        for descriptor in wake:
            poller.register(descriptor, zmq.POLLIN)
            wakers.register(descriptor, zmq.POLLIN)
        if self.router:
            poller.register(self.router, zmq.POLLIN)
        next_tick = 0.0
        while not stopping():
            self._listen(poller)
            now = time.monotonic()
            ready = dict(poller.poll(max(0.0, min(next_tick, self._due(now)) - now) * 1000))
            count = self.take(now + SYNC_EVERY)
            now = time.monotonic()
            if now >= self._due(now):
                self.push()
            if now >= next_tick or any(descriptor in ready for descriptor in wake):
                tick()
                next_tick = now + TICK
            if count:
                self._doze(wakers, next_tick)

    def take(self, until):
        """Take what waits, until nothing does or `until` (monotonic s); returns the number of messages."""
        if self._held is not None and self._open() and self._try(self._legacy, self._held):
            self._held = None
        count, more = 0, True
        while more and time.monotonic() < until:
            taken = self._turn(self.router, self._native) + self._turn(self.pull, self._legacy)
            count += taken
            more = taken > 0
        return count

    def push(self):
        """Sync the journal, then acknowledge what it holds."""
        began = time.monotonic()
        self.intake.journal.sync()
        self._dirty_since, self._last_sync = None, time.monotonic()
        self.syncs += 1
        self.sync_seconds += self._last_sync - began
        self._synced(self.intake.journal.end)
        for identity, frames in self.intake.answers():
            self._send(identity, frames)
        self._tell()

    def drain(self):
        """Take the last messages that nodes have handed over, at the end. The sockets stay bound: unbinding
        them would cut the connections and lose what is on its way."""
        end = time.monotonic() + LAST_CALL
        looks = LAST_LOOKS
        while looks and time.monotonic() < end and not self.full:
            if self.take(end):
                looks = LAST_LOOKS
            else:
                looks -= 1
                time.sleep(PAUSE)
        if self._held is not None:
            log.error("the journal is full: a message of %d bytes is lost", len(self._held))
        self.push()

    def _doze(self, wakers, until):
        """Let messages gather until the next sync can be, as no acknowledgement leaves before: to be woken by each
        costs more than to take it. `wakers` and the time `until` (monotonic s) end it, or --zeromq-hwm does where
        it is so low that senders might be held back meanwhile."""
        now = time.monotonic()
        most = min(SYNC_EVERY, self.options.sample_period, (self.options.zeromq_hwm or QUICK) / QUICK)
        until = min(until, self._due(now), now + most)
        if now < until:
            wakers.poll((until - now) * 1000)

    def _listen(self, poller):
        """Leave messages of 0.6 where they are while the journal is full: ZeroMQ holds their senders back."""
        if self.pull and self._open():
            poller.register(self.pull, zmq.POLLIN)
        elif self.pull and self.pull in poller:
            poller.unregister(self.pull)

    def _open(self):
        """Whether messages of 0.6 are taken now: while the journal is full, only a try now and then."""
        return not self.full or time.monotonic() >= self._again

    def _due(self, now):
        """When the next sync is due (monotonic s)."""
        if self._dirty_since is None and not self.intake.waiting:
            return float("inf")
        period = self.options.sample_period
        soonest = self._last_sync + min(SYNC_EVERY, period)
        if self.intake.waiting or self.intake.held >= self.options.buffer_size:
            return soonest
        return max(soonest, self._dirty_since + period)

    def _turn(self, channel, take):
        count = 0
        while channel and count < TURN and (channel is self.router or (self._held is None and self._open())):
            frames = receive(channel)
            if frames is None:
                break
            if not self._try(take, frames) and channel is self.pull:
                self._held = frames
            count += 1
        return count

    def _try(self, take, frames):
        """Whether the journal took the message."""
        journal = self.intake.journal
        before = journal.end
        try:
            take(frames)
        except OSError as error:
            if not self.full:
                log.error("%s: %s; nothing is acknowledged until there is room", self.intake.journal.directory,
                          os.strerror(error.errno))
            self.full, self._again = True, time.monotonic() + TICK
            return False
        if journal.end != before:
            if self._dirty_since is None:
                self._dirty_since = time.monotonic()
            if self.full:
                log.error("%s: there is room again; going on", self.intake.journal.directory)
            self.full = False
        return True

    def _native(self, frames):
        answer = self.intake.native(frames[0], frames[1:], time.time_ns())
        if answer:
            self._send(frames[0], answer)

    def _legacy(self, frames):
        self.intake.legacy(b"".join(frames), time.time_ns())

    def _send(self, identity, frames):
        try:
            self.router.send(identity, MORE_FOLLOW)
            for frame in frames[:-1]:
                self.router.send(frame, MORE_FOLLOW)
            self.router.send(frames[-1], NO_WAIT)
        except zmq.ZMQError as error:
            log.debug("an answer could not be sent: %s", error)

    def _tell(self):
        counts = self.intake.counts
        received, stored = counts.received - self._told[0], counts.stored - self._told[1]
        if received:
            log.debug("%d records received, %d stored", received, stored)
        self._told = (counts.received, counts.stored)
