"""Finds the directories of jobs below the roots, and keeps track of them and of all below them as they come and go.

A directory is listed after its watch is set, so that nothing made meanwhile is missed. It is known by device and
inode: reached by two roots it is one, made again under its name it is another job.
"""
import os
from dataclasses import dataclass
from typing import Any, Optional

from colmet.node.job import UNREADABLE, Cgroup, directory_key, directory_status
from colmet.node.watch import GONE, LOST, MADE, WRITTEN


@dataclass(eq=False)
class Place:
    """A root, or with `single` a directory that is itself a job, as given. `real` is where it is now and `key` what
    (None: nowhere); `above` is the nearest directory over it that exists, `step` the name in there that leads on."""
    path: str
    single: bool = False
    real: str = ""
    key: Optional[tuple] = None
    above: str = ""
    step: str = ""

    def locate(self):
        """(real, key, above, step) as they are at this moment."""
        head, step = os.path.split(os.path.abspath(self.path))
        while directory_key(head) is None and head != "/":
            head, step = os.path.split(head)
        key = directory_key(self.path)
        return os.path.realpath(self.path) if key else "", key, os.path.realpath(head), step

    def covers(self, path):
        """Whether the directory `path` is, or would be if named so, one of its jobs."""
        return (path if self.single else os.path.dirname(path)) == self.real

    def moved(self):
        """Whether it is no longer what it was: come, gone, or another."""
        return directory_key(self.path) != self.key


@dataclass(eq=False)
class Found:
    """A directory of `job`: `cgroup`."""
    job: Any
    cgroup: Cgroup


class Finder:
    """Tells `jobs` of what it finds: ``join(id, user, status) -> Job`` for a directory whose stat(2) is given,
    ``look(job)`` when its directories changed or were written to, ``finish(job)`` when the last one went,
    ``closed(path)`` for one whose tasks may not be read. `identify(name)` gives (id, user) or None."""

    def __init__(self, places, identify, watches, jobs):
        self.places, self._identify, self._watches, self._jobs = places, identify, watches, jobs
        self.found = {}         # {path: Found}: directories that are jobs
        self._owners = {}       # {path: Found}: these and all below them
        self._keys = set()
        self.lost = 0           # times that the kernel dropped events

    def scan(self):
        """Look at everything, whatever the events said."""
        for place in self.places:
            self._settle(place)
        for found in list(self.found.values()):
            self._spread(found)

    def follow(self):
        """Take up what happened since the last call."""
        events = self._watches.read()
        if any(kind == LOST for kind, _, _ in events):
            self.lost += 1
            self.scan()
            events = self._watches.read()   # those before the scan are old news
        for kind, directory, name in events:
            self._take(kind, directory, name)

    def settle(self):
        """Take up roots that are no longer what they were, which may come without an event."""
        for place in self.places:
            if place.moved():
                self._settle(place)

    def calm(self, job):
        """`job` has had its first task: writes to its files tell nothing any more."""
        for part in job.parts:
            for path in part.directories:
                self._watches.add(path)

    def _take(self, kind, directory, name):
        path = directory + "/" + name
        owner = self._owners.get(directory)
        if kind == GONE and path in self.found:
            if not self.found[path].cgroup.alive():
                self._remove(path)
        if kind == MADE and self._is_root(directory):
            self._adopt(path)
        if owner and kind in (MADE, GONE):
            if kind == GONE:
                self._shrink(owner, path)
            self._grow(owner, path)             # though gone it may be there again
        if owner and kind in (MADE, WRITTEN):
            self._jobs.look(owner.job)
        for place in self.places:
            if kind in (MADE, GONE) and (place.above, place.step) == (directory, name):
                self._settle(place)

    def _is_root(self, directory):
        return any(place.real == directory and not place.single for place in self.places)

    def _settle(self, place):
        """See where `place` is now; watch it and the directory above it, and take up what is in it."""
        before, old = place.locate(), place.above
        while True:
            place.real, place.key, place.above, place.step = before
            for path in (place.above, place.real):
                if path and path not in self._owners:
                    self._watches.add(path)
            after = place.locate()
            if after == before:
                break
            before = after
        if old not in {path for each in self.places for path in (each.above, each.real)} and old not in self._owners:
            self._watches.drop(old)
        self._list(place)

    def _list(self, place):
        for path, found in list(self.found.items()):
            if not found.cgroup.alive() or not any(each.covers(path) for each in self.places):
                self._remove(path)
        if place.key and place.single:
            self._adopt(place.real, single=True)
        elif place.key:
            paths = [os.path.join(place.real, name) for name in _folders(place.real) if self._identify(name)]
            for _, path in sorted((directory_key(path) or (0, 0), path) for path in paths):    # inodes of cgroups grow
                self._adopt(path)

    def _adopt(self, path, single=False):
        """Take up the directory `path` if it is a job's and not known yet."""
        name = os.path.basename(path)
        identity = self._identify(name) or (single and (name, ""))
        status = directory_status(path)
        if not identity or not status:
            return
        key = status.st_dev, status.st_ino
        if path in self.found and self.found[path].cgroup.key != key:
            self._remove(path)
        if key in self._keys:
            return
        job = self._jobs.join(identity[0], identity[1], status)
        found = self.found[path] = Found(job, Cgroup(path, key))
        self._keys.add(key)
        job.parts += (found.cgroup,)
        self._spread(found)
        if found.cgroup.closed():
            self._jobs.closed(path)
        self._jobs.look(job)

    def _spread(self, found):
        """Watch and list a job's directory and all below it again."""
        directories = self._walk(found, found.cgroup.path)
        for path in set(found.cgroup.directories).difference(directories):
            self._forget(path)
        found.cgroup.directories = tuple(directories)

    def _grow(self, found, path):
        """The directory `path` was made below a job's: take it up with what is in it."""
        if directory_key(path):
            known = found.cgroup.directories
            found.cgroup.directories = known + tuple(set(self._walk(found, path)).difference(known))

    def _shrink(self, found, path):
        """The directory `path` below a job's is gone."""
        gone = {each for each in found.cgroup.directories if each == path or each.startswith(path + "/")}
        for each in gone:
            self._forget(each)
        found.cgroup.directories = tuple(each for each in found.cgroup.directories if each not in gone)

    def _walk(self, found, top):
        waiting, directories = [top], []
        while waiting:
            path = waiting.pop()
            directories.append(path)
            self._watches.add(path, writes=not found.job.started)
            self._owners.setdefault(path, found)
            waiting += [os.path.join(path, name) for name in _folders(path)]
        return directories

    def _remove(self, path):
        found = self.found.pop(path)
        self._keys.discard(found.cgroup.key)
        for each in found.cgroup.directories:
            self._forget(each)
        rest = tuple(part for part in found.job.parts if part is not found.cgroup)
        if rest:
            found.job.parts = rest
        else:
            self._jobs.finish(found.job)

    def _forget(self, path):
        self._owners.pop(path, None)
        self._watches.drop(path)


def _folders(path):
    """Names of the directories in `path`; none when it is gone or not for us."""
    try:
        with os.scandir(path) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError as error:
        if error.errno in UNREADABLE:
            return []
        raise
