"""The outbox: batches wait here, in memory, from their tick until the collector has them on disk.

The sampler puts, the sender takes; neither ever waits for the other. When it is full the oldest batch goes,
and is counted. It knows nothing of sockets or of what is in a frame.
"""
import bisect
import os
import threading
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import List

MEMORY = 32 * 2 ** 20           # bytes kept at most
WINDOW_BATCHES = 64             # in flight at most, unacknowledged
WINDOW_BYTES = 16 * 2 ** 20
FRAME_OVERHEAD = 64             # bytes that Python needs for a frame besides its content
BATCH_OVERHEAD = 512


@dataclass
class Kept:
    """A batch as it will be sent: `ready` is the earliest CLOCK_BOOTTIME (ns) for it to go, `sent` when it
    last went (0: never)."""
    sequence: int
    frames: List[bytes]
    size: int
    ready: int = 0
    sent: int = 0


@dataclass
class Counts:
    """What became of batches since the start; they are columns of the table `colmet`."""
    sent: int = 0
    resent: int = 0
    acknowledged: int = 0
    dropped_full: int = 0
    dropped_refused: int = 0
    jobs_cut: int = 0


class Outbox:
    """Batches by sequence. `most` is how many are kept (0: as many as the memory takes), `delay` ns by which a
    fresh batch is held back, so that the nodes of a cluster do not all send at one instant."""

    def __init__(self, most=0, delay=0, memory=MEMORY):
        self.most, self.delay, self.memory = most, delay, memory
        self.window = min(WINDOW_BATCHES, most or WINDOW_BATCHES)
        self.counts = Counts()
        self.size = 0               # bytes of all kept
        self.last = 0               # the last sequence put
        self._kept = OrderedDict()  # sequence: Kept, oldest first
        self._fresh = deque()       # sequences put since the connection began, not yet sent over it
        self._backlog = deque()     # older ones that this connection has not carried yet
        self._flying = {}           # sequence: Kept, sent over this connection and not acknowledged
        self._hurried = False       # by `hurry`
        self._lock = threading.Lock()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    # -- the sampler's side

    def put(self, sequence, frames, now):
        """Keep a new batch, made at `now` (CLOCK_BOOTTIME, ns); returns how many old ones it pushed out."""
        size = BATCH_OVERHEAD + sum(len(frame) + FRAME_OVERHEAD for frame in frames)
        with self._lock:
            self._kept[sequence] = Kept(sequence, frames, size, now + self.delay)
            self._fresh.append(sequence)
            self.size += size
            self.last = sequence
            dropped = 0
            while len(self._kept) > 1 and (self.size > self.memory or 0 < self.most < len(self._kept)):
                self._forget(next(iter(self._kept)))
                dropped += 1
            self.counts.dropped_full += dropped
        self.wake()
        return dropped

    def wake(self):
        """Make `fileno` readable: whoever polls it looks again."""
        try:
            os.write(self._wake_write, b"\0")
        except BlockingIOError:
            pass                    # full of wakes already

    # -- the sender's side

    def fileno(self):
        """Readable when something was put; `calm` empties it."""
        return self._wake_read

    def calm(self):
        """Take the wakes that came so far."""
        try:
            while len(os.read(self._wake_read, 4096)) == 4096:
                pass
        except BlockingIOError:
            pass

    def __len__(self):
        return len(self._kept)

    @property
    def oldest(self):
        """The lowest sequence still here, or the next one to come: what lies below and was not received is lost."""
        with self._lock:
            return next(iter(self._kept), self.last + 1)

    def hurry(self):
        """Hold nothing back any more."""
        with self._lock:
            self.delay, self._hurried = 0, True
            for batch in self._kept.values():
                batch.ready = 0
        self.wake()

    def restart(self):
        """A connection begins: all that is kept has to go over it, those that were in flight too."""
        with self._lock:
            self._flying.clear()
            self._fresh.clear()
            self._backlog = deque(self._kept)

    def resend(self):
        """What is in flight has to go again over the same connection."""
        with self._lock:
            self._backlog.extendleft(sorted(self._flying, reverse=True))
            self._flying.clear()

    def next(self, now):
        """The batch to send next, or None: fresh ones first, the backlog takes the rest of the window."""
        with self._lock:
            for queue in (self._fresh, self._backlog):
                while queue and queue[0] not in self._kept:
                    queue.popleft()
                if queue and self._kept[queue[0]].ready <= now and self._fits(self._kept[queue[0]]):
                    return self._kept[queue[0]]
            return None

    def next_ready(self, now):
        """When the first fresh batch that is still held back may go (CLOCK_BOOTTIME, ns), or None."""
        with self._lock:
            times = (self._kept[sequence].ready for sequence in self._fresh if sequence in self._kept)
            return next((time for time in times if time > now), None)

    def flying(self, batch, now):
        """`batch`, which `next` gave, was handed to the connection at `now`."""
        with self._lock:
            self._sent(batch, now)
            if batch.sequence in self._kept:
                self._flying[batch.sequence] = batch

    def delivered(self, batch, now):
        """`batch` was handed to a wire without acknowledgement: it is not kept any longer."""
        with self._lock:
            self._sent(batch, now)
            self._forget(batch.sequence)

    def unanswered_since(self):
        """When the batch longest in flight was sent (ns), or None when there is none."""
        with self._lock:
            return next((batch.sent for batch in self._flying.values()), None)      # they lie in order of sending

    def eased_since(self):
        """When the batch longest in flight was sent (ns), if it matters little when acknowledgements are read: all that
        is kept is in flight, that is less than half of what may be, and nobody hurries. Else None."""
        with self._lock:
            if self._hurried or not len(self._kept) == len(self._flying) < self.window / 2:
                return None
            return next((batch.sent for batch in self._flying.values()), None)

    def acknowledge(self, upto, ranges):
        """The collector has all up to `upto` and those within `ranges` (low, high), both included. What was never
        sent stays, whatever the collector says. Returns how many this let go."""
        with self._lock:
            sequences = list(self._kept)
            done = sequences[:bisect.bisect_right(sequences, upto)]
            for low, high in ranges:
                done += sequences[bisect.bisect_left(sequences, low):bisect.bisect_right(sequences, high)]
            done = [sequence for sequence in set(done) if self._kept[sequence].sent]
            for sequence in done:
                self._forget(sequence)
            self.counts.acknowledged += len(done)
            return len(done)

    def refuse(self, sequence):
        """The collector will never take this one; True when it was here and had been sent."""
        with self._lock:
            batch = self._kept.get(sequence)
            if batch is None or not batch.sent:
                return False
            self._forget(sequence)
            self.counts.dropped_refused += 1
            return True

    def close(self):
        """Free the wake's descriptors."""
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _fits(self, batch):
        room = WINDOW_BYTES - sum(flying.size for flying in self._flying.values())
        return not self._flying or (len(self._flying) < self.window and batch.size <= room)

    def _sent(self, batch, now):
        self.counts.sent += 1
        self.counts.resent += bool(batch.sent)
        batch.sent = now
        for queue in (self._fresh, self._backlog):
            if queue and queue[0] == batch.sequence:
                queue.popleft()

    def _forget(self, sequence):
        batch = self._kept.pop(sequence, None)
        if batch is not None:
            self.size -= batch.size
            self._flying.pop(sequence, None)
