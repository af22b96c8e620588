"""What was stored of each session of each node, so that a batch sent twice is stored once.

`Sequences` is kept in a checkpoint beside the journal and completed from the journal at start: together they know
every batch whose acknowledgement can have left.
"""
import itertools
import json
import os
import time
from collections import OrderedDict
from pathlib import Path

FILE = "sequences.json"
FORGOTTEN_AFTER = 7 * 86400         # s without a batch
MAX_SESSIONS = 200000               # remembered in all; the one longest unused is forgotten first
MAX_RANGES = 1000                   # of one session


class Session:
    """One session: all batches up to `upto` (they begin at 1) are stored or lost, above it those of `ranges`,
    sorted [first, last]. `lost` counts those that the node gave up before they came; it is None until the node
    said for the first time which are its oldest, as nobody knows what became of those before."""

    def __init__(self, upto=0, ranges=(), seen=0.0, lost=None):
        self.upto = upto
        self.ranges = [list(each) for each in ranges]
        self.seen = seen
        self.lost = lost

    def __contains__(self, sequence):
        if not self.ranges:             # mostly
            return sequence <= self.upto
        return sequence <= self.upto or any(first <= sequence <= last for first, last in self.ranges)

    def accepts(self, sequence):
        """Whether `sequence` can be remembered: the number of gaps is bounded."""
        return sequence == self.upto + 1 or len(self.ranges) < MAX_RANGES

    def add(self, sequence):
        """Remember `sequence`, which is not in it and which it accepts."""
        if not self.ranges and sequence == self.upto + 1:
            self.upto = sequence
            return
        place = len(self.ranges)
        while place and self.ranges[place - 1][0] > sequence:
            place -= 1
        if place and self.ranges[place - 1][1] == sequence - 1:
            self.ranges[place - 1][1] = sequence
        elif sequence == self.upto + 1 and not place:
            self.upto = sequence
        else:
            self.ranges.insert(place, [sequence, sequence])
            place += 1
        if place and place < len(self.ranges) and self.ranges[place][0] == self.ranges[place - 1][1] + 1:
            self.ranges[place - 1][1] = self.ranges.pop(place)[1]
        self._join()

    def give_up(self, oldest):
        """The node has nothing below `oldest` any more: what of it never came is lost. Returns how many are new."""
        lost = 0
        while self.upto < oldest - 1:
            following = self.ranges[0][0] if self.ranges else oldest
            lost += min(following, oldest) - 1 - self.upto
            self.upto = min(following, oldest) - 1
            self._join()
        lost = lost if self.lost is not None else 0
        self.lost = (self.lost or 0) + lost
        return lost

    def _join(self):
        while self.ranges and self.ranges[0][0] == self.upto + 1:
            self.upto = self.ranges.pop(0)[1]


class Sequences:
    """All sessions, by (node, session); `clock` gives seconds of the wall clock."""

    def __init__(self, clock=time.time):
        self._sessions = OrderedDict()      # the one longest unused first
        self._clock = clock
        self.forgotten = 0                  # sessions that had to make room

    def get(self, node, session):
        """The `Session`; an empty one, remembered when it is given to `keep`, where there was none."""
        return self._sessions.get((node, session)) or Session()

    def keep(self, node, session, state):
        """Remember `state`, used now."""
        key = (node, session)
        state.seen = self._clock()
        self._sessions[key] = state
        self._sessions.move_to_end(key)
        if len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)
            self.forgotten += 1

    def __len__(self):
        return len(self._sessions)

    def heard(self, seconds):
        """How many nodes sent a batch within the last `seconds`."""
        limit = self._clock() - seconds
        recent = itertools.takewhile(lambda item: item[1].seen >= limit, reversed(self._sessions.items()))
        return len({node for (node, _), _ in recent})

    def forget(self):
        """Drop the sessions that sent nothing for a week."""
        limit = self._clock() - FORGOTTEN_AFTER
        while self._sessions and next(iter(self._sessions.values())).seen < limit:
            self._sessions.popitem(last=False)

    def save(self, directory, position, extra):
        """Write the checkpoint into `directory`: it holds all batches of entries below `position`. `extra` is
        kept with it (JSON values). Raises OSError; the checkpoint before then stays."""
        self.forget()
        sessions = [[node, session, state.upto, state.ranges, state.seen, state.lost]
                    for (node, session), state in self._sessions.items()]
        text = json.dumps({"position": position, "extra": extra, "sessions": sessions})
        replace(Path(directory) / FILE, text)

    def load(self, directory):
        """Read the checkpoint of `directory`; returns (position, extra), or (0, {}) where there is none. Raises
        ValueError where it cannot be read."""
        try:
            text = (Path(directory) / FILE).read_text()
        except FileNotFoundError:
            return 0, {}
        try:
            saved = json.loads(text)
            for node, session, upto, ranges, seen, lost in saved["sessions"]:
                self._sessions[node, session] = Session(upto, ranges, seen, lost)
            return saved["position"], saved["extra"]
        except (KeyError, TypeError) as error:
            raise ValueError("not a checkpoint: %r" % error) from None


def replace(path, text):
    """Write `text` as `path` so that after any crash the old or the new is there, whole."""
    draft = path.with_name(path.name + ".new")
    with open(draft, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
