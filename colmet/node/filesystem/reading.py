"""What a client of a shared file system tells, and the names under which its file systems go."""
from typing import NamedTuple, Optional

from colmet.common.wire import MAX_NAME
from colmet.node.clock import SECOND

JITTER = 2 * SECOND         # by which a `since` may be another though it is the same: ages are told in seconds


class Reading(NamedTuple):
    """One file system: `key` stays as long as it is mounted, `kind` ("nfs") and `place` (where it is mounted, or what
    it is called) are for people, `since` is Unix time in ns, None where it does not tell, `values` are those of its
    metrics that it counts; None: not now."""
    key: tuple
    kind: str
    place: str
    since: Optional[int]
    values: dict


class Names:
    """A name for each file system, which stays while it is mounted: "nfs:/home"; of several that would have the same,
    the second is "nfs:/home 2"."""

    def __init__(self):
        self._names = {}

    def give(self, readings):
        """[(name, Reading)]; those that are not among `readings` give their names back."""
        keys = {reading.key for reading in readings}
        self._names = {key: name for key, name in self._names.items() if key in keys}
        taken = set(self._names.values())
        for reading in readings:
            if reading.key not in self._names:
                self._names[reading.key] = name = _free(_base(reading), taken)
                taken.add(name)
        return [(self._names[reading.key], reading) for reading in readings]


class Beginnings:
    """From when on each file system counts, by what it tells and by counters that fell."""

    def __init__(self):
        self._before = {}       # {name: (since, when it was read, its values)}

    def since(self, name, reading, now):
        """Unix time in ns, None where it is not known, or nothing is; `now` is that of the reading."""
        if all(value is None for value in reading.values.values()):
            return None
        since, at, values = self._before.get(name, (None, now, {}))
        fell = any(value is not None and values.get(metric) is not None and value < values[metric]
                   for metric, value in reading.values.items())
        if reading.since is not None:
            since = since if since is not None and not fell and abs(reading.since - since) < JITTER else reading.since
        elif fell:
            since = at
        self._before[name] = since, now, reading.values
        return since


def printable(text):
    """`text` for a name: what would not show is "?"."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(each if each.isprintable() else "?" for each in text)


def _base(reading):
    text = printable("%s:%s" % (reading.kind, reading.place))
    return text.encode("utf-8", "replace")[:MAX_NAME - 8].decode("utf-8", "ignore").strip()


def _free(base, taken):
    name, count = base, 1
    while name in taken:
        count += 1
        name = "%s %d" % (base, count)
    return name
