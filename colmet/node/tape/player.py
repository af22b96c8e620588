"""Gives the answers of a recording again: to each thread its own, to all of them in the order of the recording.

A thread that was given its answer goes on alone until it asks for the next one, so that what threads share is what it
was. Within a tick a thread may ask in another order, or for less; where it asks for what is not there, that is an
error.
"""
from contextlib import contextmanager

from colmet.node.tape.recorder import END
from colmet.node.tape.tape import Diverged, Ended, Tape, unpack_fault

STANDS_STILL = 60               # s without any answer given, after which a replay is given up
TICK = "tick"
_FIRST = 0                      # the thread that ticks, and reads the file


class _Queue:
    """Entries of one thread: (place in the recording, kind, key, fault, answer)."""

    def __init__(self):
        self.entries, self.next, self.passed = [], 0, []

    @property
    def place(self):
        """Of its next entry, None where it has none yet."""
        return self.entries[self.next][0] if self.next < len(self.entries) else None

    def add(self, entry):
        """One more, the last."""
        self.entries.append(entry)

    def compact(self):
        """Let go of those before the next."""
        del self.entries[:self.next]
        self.next = 0

    def find(self, kind, key):
        """(fault, answer) of the first entry for that; None where there is none. Those before it may be asked for
        until `forget`."""
        for place, entry in enumerate(self.passed):
            if entry[1:3] == (kind, key):
                return self.passed.pop(place)[3:]
        for place in range(self.next, len(self.entries)):
            if self.entries[place][1:3] == (kind, key):
                self.passed += self.entries[self.next:place]
                self.next = place + 1
                return self.entries[place][3:]
        return None

    def has_passed(self, kind, key):
        """Whether the answer is one of those that were left."""
        return any(entry[1:3] == (kind, key) for entry in self.passed)

    def told(self):
        """What was to come next."""
        return "%s of %s" % self.entries[self.next][1:3] if self.next < len(self.entries) else "nothing"


class Player(Tape):
    """From `reader`, a `colmet.node.tape.recording.Reader`."""
    replays = True

    def __init__(self, reader):
        super().__init__()
        self._reader, self._away = reader, 0    # threads that are apart
        self._queues, self._count = {_FIRST: _Queue()}, 0
        self._given = 0
        self.fault = ""                 # what was asked for that the recording does not have
        self.whole = False              # whether its end was read, and it was recorded as such
        self._over = False              # nobody gets an answer any more

    def ask(self, kind, key, work=None):
        thread, key = self.thread, _comparable(key)
        self.rest()
        with self._turn:
            queue = self._queues.setdefault(thread, _Queue())
            self._await(thread, queue, queue.has_passed(kind, key))
            if kind == TICK:
                queue.passed = []           # nobody asks for that any more
            found = queue.find(kind, key)
            if found is None:
                self._stop(Diverged, "%s, tick %d: asks for %s of %s, which the recording does not have there; next in "
                           "it is %s" % (self.source, self.ticks, kind, key, queue.told()))
            self._running = thread
            self._given += 1
        fault, answer = found
        if fault:
            raise unpack_fault(answer)
        return answer

    def note(self, kind, key=""):
        """As in `Recorder`."""
        self.ask(kind, key)

    @contextmanager
    def apart(self):
        self._away += 1
        with super().apart():
            yield
        self._away -= 1

    def go_on(self):
        with self._turn:
            self._turn.wait_for(lambda: self._running is None or self._over)
            self._running = self.thread

    def flush(self):
        """Nothing."""

    def stop(self, fault):
        """It cannot go on."""
        with self._turn:
            self._stop(Diverged, fault)

    def close(self):
        """Nothing is on the tape any more; who asks ends."""
        with self._turn:
            while not self._over and not self.whole and self._take():
                pass
            self._over = True
            self._turn.notify_all()
        self.rest()
        self.join(None)
        self._reader.close()

    def _await(self, thread, queue, passed):
        """Wait until it is this thread's turn, or with `passed` until no other goes on."""
        while True:
            if self._over:
                raise Ended("it is over")
            if passed and self._running is None:
                return
            if thread == _FIRST and queue.place is None and self._running is None:
                self._load(queue)
                self._turn.notify_all()
            places = [each.place for each in self._queues.values() if each.place is not None]
            if self._running is None and queue.place is not None and queue.place == min(places):
                return
            given = self._given
            if not self._turn.wait(STANDS_STILL) and given == self._given and not self._away:
                self._stop(Diverged, "%s, tick %d: the replay stands still: nobody asks for what comes next in the "
                           "recording: %s" % (self.source, self.ticks, "; ".join(
                               "%s by thread %d" % (each.told(), number) for number, each in self._queues.items())))

    def _load(self, first):
        """Take up blocks until the thread that ticks has an entry. Raises Ended."""
        while first.place is None:
            if not self._take():
                self._stop(Ended, "", "the recording ends before its first tick")

    def _take(self):
        """Take up one block; False where there is none any more."""
        with self.inside():
            block = self._reader.block()
        for queue in self._queues.values():
            queue.compact()
        for thread, kind, key, fault, answer in block or ():
            self._count += 1
            self.whole = self.whole or kind == END
            if kind != END:
                self._queues.setdefault(thread, _Queue()).add((self._count, kind, _comparable(key), fault, answer))
        return block is not None

    def _stop(self, kind, fault, text=""):
        self.fault, self._over = self.fault or fault, True
        self._turn.notify_all()
        raise kind(fault or text)


def _comparable(key):
    return tuple(map(_comparable, key)) if isinstance(key, (list, tuple)) else key
