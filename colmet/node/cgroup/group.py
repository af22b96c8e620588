"""One cgroup of a job: which of its files are open, and what each of its metrics is read from."""
import errno
import os
from functools import lru_cache
from itertools import chain

from colmet.common.metrics.cgroup import TABLE
from colmet.common.mounts import V2
from colmet.node.clock import SECOND, boottime
from colmet.node.cgroup.files import FILES
from colmet.node.numbers import Field

METRICS = [metric.name for metric in TABLE.metrics]
FIELDS = [Field(place, *number[1:]) for place, file in enumerate(FILES) for number in file.numbers]
TELLS = [(place, METRICS.index(number[0])) for place, file in enumerate(FILES) for number in file.numbers]
SPENT = (errno.EMFILE, errno.ENFILE)
_TOLD = [{metric for place, metric in TELLS if place == file} for file in range(len(FILES))]
_RETRY_NS = 60 * SECOND         # most time between two looks for files that are not there


@lru_cache(maxsize=256)
def _picks(there):
    """For each metric, which of `FIELDS` tells it where the open files are `there` (a frozenset of places): the first.
    Where none does, one past the last."""
    found = [len(TELLS)] * len(METRICS)
    for field, (file, metric) in reversed(list(enumerate(TELLS))):
        if file in there:
            found[metric] = field
    return tuple(found)


class Group:
    """The directories `where` are [(controller, directory)]; `wanted` are places in `FILES`, `sets` the
    `colmet.node.cgroup.sets.Sets` that read them. `row` is that of the last reading."""

    def __init__(self, where, wanted, sets):
        self.where, self.missing, self._sets = where, wanted, sets
        self.place = sets.add()
        self.there = frozenset()        # places of those that were opened
        self.here = []                  # of `where`, what was there at the last look
        self.row = None
        self.retry = self.began = boottime()
        self._whole = True              # none of them is gone
        sets.pick(self.place, _picks(self.there))

    def open(self, known):
        """Open what is there by now; `known` are (st_dev, st_ino) of the files of the whole job: each counts once.
        Raises OSError when no more can be."""
        here = [each for each in self.where if os.path.isdir(each[1])]
        fresh = {controller for controller, _ in here if here != self.here or controller == V2}
        try:
            for place in sorted(self.missing) if fresh else ():
                if FILES[place].controller in fresh and not self._needless(place):
                    self._open(place, here, known)
        finally:
            self._sets.pick(self.place, _picks(self.there))
        self.here = here                # files of v1 come with their directory, of v2 whenever they are enabled
        now = boottime()
        self.retry = now + min((now - self.began) // 2, _RETRY_NS)

    def want(self, files):
        """From now on these too."""
        more = files - self.missing - self.there
        if more:
            self.missing, self.here, self.retry = self.missing | more, [], 0

    def lose(self, file):
        """That file is gone with its cgroup: another under its path would be another's."""
        self._sets.lose(self.place, file)
        self._whole = False

    def alive(self):
        """Whether all that was opened still answers."""
        return bool(self.there) and self._whole

    def close(self):
        """Free the descriptors."""
        self._sets.remove(self.place)

    def _needless(self, place):
        """Whether files that come before tell all that this one does."""
        return _TOLD[place].issubset(chain.from_iterable(_TOLD[file] for file in self.there))

    def _open(self, place, where, known):
        for controller, folder in where:
            if controller == FILES[place].controller:
                try:
                    fd = os.open("%s/%s" % (folder, FILES[place].name), os.O_RDONLY | os.O_CLOEXEC)
                except OSError as error:
                    if error.errno in SPENT:
                        raise
                    continue                # not in this kernel, or not made yet
                status = os.fstat(fd)
                self.missing = self.missing - {place}
                key = status.st_dev, status.st_ino
                if key in known:
                    os.close(fd)
                    return
                known.add(key)
                self._sets.put(self.place, place, fd)
                self.there |= {place}
                return
