"""Finds the directories of jobs below the roots, and keeps track of them and of all below them as they come and go.

A directory is listed after its watch is set, so that nothing made meanwhile is missed. It is known by device and
inode: reached by two roots it is one, made again under its name it is another job.
"""
import os
from dataclasses import dataclass
from typing import Any

from colmet.node.jobs.job import Cgroup, directory_key, directory_status, folders
from colmet.node.jobs.places import Place
from colmet.node.jobs.trails import job_of_sluid
from colmet.node.jobs.watch import GONE, LOST, MADE, WRITTEN


@dataclass(eq=False)
class Found:
    """A directory of `job`: `cgroup`, in `place`."""
    job: Any
    cgroup: Cgroup
    place: Place


class Finder:
    """Tells `jobs` of what it finds: ``join(id, user, status, scheduler, uid) -> Job`` for a directory whose stat(2)
    is given, ``look(job)`` when its directories changed or were written to, ``finish(job)`` when the last one went,
    ``closed(path)`` for one whose tasks may not be read. `identify(name)` gives (id, user) or None for a
    directory in one of `places`; `trails` leads to others, `proc` is where processes are told of."""

    def __init__(self, places, identify, watches, jobs, trails, proc):
        self.trails, self._proc = trails, proc
        self._unnamed = {}      # {path: Place}: directories of jobs whose id is not known yet
        self.places, self._identify, self._watches, self._jobs = places, identify, watches, jobs
        self.found = {}         # {path: Found}: directories that are jobs
        self._owners = {}       # {path: Found}: these and all below them
        self._keys = set()
        self.lost = 0           # times that the kernel dropped events

    def scan(self):
        """Look at everything, whatever the events said."""
        for place in self.places:
            self._settle(place)
        self._hold(self.trails.scan())
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
        """Take up roots that are no longer what they were, and jobs that have an id now: both may come without an
        event."""
        for place in list(self.places):
            if place.moved():
                self._settle(place)
        for path in list(self._unnamed):
            self._name(path)                # a process may say by now what it is

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
        if kind == MADE:
            for place in self._roots(directory):
                self._adopt(path, place)
            self._hold(self.trails.enter(directory, name))
        elif kind == GONE and not directory_key(path) and self.trails.gone(path):
            self._release(path)
        if self._unnamed:
            self._name(directory)
        if owner and kind in (MADE, GONE):
            if kind == GONE:
                self._shrink(owner, path)
            self._grow(owner, path)             # though gone it may be there again
        if owner and kind in (MADE, WRITTEN):
            self._jobs.look(owner.job)
        for place in self.places:
            if kind in (MADE, GONE) and (place.above, place.step) == (directory, name):
                self._settle(place)

    def _roots(self, directory):
        return [place for place in self.places if place.real == directory and not place.single]

    def _hold(self, holding):
        """Take up the directories of jobs that `Trails` found: pairs (path, Mark)."""
        known = {(place.path, place.mark.rule) for place in self.places if place.mark}
        for path, mark in holding:
            if (path, mark.rule) not in known:
                self.places.append(Place(path, scheduler=mark.rule.scheduler, mark=mark))
                self._settle(self.places[-1])

    def _release(self, path):
        """The directory `path` led to jobs and is gone."""
        for place in [place for place in self.places if place.mark and place.path == path]:
            self._settle(place)
            self.places.remove(place)
        if path not in self._owners:
            self._watches.drop(path)

    def _identity(self, path, place):
        """(id, user, uid) of the job whose directory is `path`, or None; it may come to be known later."""
        name = os.path.basename(path)
        if not place.mark:
            identity = self._identify(name) or (place.single and (name, ""))
            return identity and (*identity, None)
        rule, level, groups = place.mark
        found = rule.fits(level, name)
        told = found is not None and rule.identity(dict(groups, **found))
        if not told:
            return None
        job = told.job or self._named(path, place)
        return job and (job, told.user or told.uid or "", None if told.user else told.uid)

    def _named(self, path, place):
        """The id of the job whose directory `path` bears a SLUID; None as long as nothing tells it. It is looked for
        when all is watched: what comes meanwhile tells of itself."""
        waiting = [path]
        while waiting:
            directory = waiting.pop()
            self._watches.add(directory, writes=True)
            waiting += [os.path.join(directory, name) for name in folders(directory)]
        job = job_of_sluid(path, self._proc)
        if not job:
            self._unnamed[path] = place
        return job

    def _name(self, directory):
        """Something happened in `directory`: see whether a job without id, which it is part of, has one now."""
        for path, place in list(self._unnamed.items()):
            if (directory + "/").startswith(path + "/") or not directory_key(path):
                del self._unnamed[path]
                self._adopt(path, place)

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
            self._adopt(place.real, place)
        elif place.key:
            paths = [os.path.join(place.real, name) for name in folders(place.real)
                     if (place.mark.rule.fits(place.mark.level, name) is not None if place.mark
                         else self._identify(name))]
            for _, path in sorted((directory_key(path) or (0, 0), path) for path in paths):    # inodes of cgroups grow
                self._adopt(path, place)

    def _adopt(self, path, place):
        """Take up the directory `path` if it is a job's and not known yet."""
        status = directory_status(path)
        if place.mark and self.trails.superseded(path):
            return
        if status and self.found.get(path) and self.found[path].cgroup.key == (status.st_dev, status.st_ino):
            return
        identity = status and self._identity(path, place)
        if not identity or not status:
            return
        key = status.st_dev, status.st_ino
        if path in self.found and self.found[path].cgroup.key != key:
            self._remove(path)
        if key in self._keys:
            return
        id, user, uid = identity
        job = self._jobs.join(id, user, status, place.scheduler, uid)
        found = self.found[path] = Found(job, Cgroup(path, key), place)
        self._keys.add(key)
        job.parts += (found.cgroup,)
        self._spread(found)
        self._supersede(job)
        if found.cgroup.closed():
            self._jobs.closed(path)
        self._jobs.look(job)

    def _supersede(self, job):
        """Leave what was found of `job` in other hierarchies, before the preferred one had anything."""
        for path, found in list(self.found.items()) if len(job.parts) > 1 else ():
            if found.job is job and found.place.mark and self.trails.superseded(path):
                self._remove(path)

    def _spread(self, found):
        """Watch and list a job's directory and all below it again."""
        directories = self._walk(found, found.cgroup.path)
        for path in set(found.cgroup.directories).difference(directories):
            self._forget(path)
        found.cgroup.directories = tuple(directories)

    def _grow(self, found, path):
        """The directory `path` was made below a job's: take it up with what is in it."""
        if directory_key(path):
            known = dict.fromkeys(found.cgroup.directories + tuple(self._walk(found, path)))
            found.cgroup.directories = tuple(known)
        elif not os.path.lexists(path):
            self._name_step(found, path)        # it came and went unseen

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
            self._name_step(found, path)
            waiting += [os.path.join(path, name) for name in folders(path)]
        return directories

    def _name_step(self, found, path):
        """Note which step of the job the directory `path` below its own is, if any."""
        if found.place.mark and path != found.cgroup.path:
            step, _ = found.place.mark.rule.step(path[len(found.cgroup.path) + 1:].split("/"))
            found.job.steps.update([step] if step else [])

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
