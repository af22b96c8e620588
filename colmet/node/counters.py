"""The counters of the cgroups of jobs, v1, v2 and both, from files that stay open; all in one call of C (lib_files).

A kept descriptor costs a sixth of a fresh open, and answers ENODEV once its cgroup was removed: then its last numbers
stand. A counter that is hierarchical is read at the top of the job only; the others in all directories of the job.
"""
import errno
import os
import resource
from array import array
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

from colmet.common.metrics.cgroup import TABLE
from colmet.common.mounts import V1, V2, directories, mounted
from colmet.common.schema import COUNTER, MISSING
from colmet.node import compiled
from colmet.node.backends import Unavailable
from colmet.node.clock import SECOND, boottime
from colmet.node.group_files import CONTROLLERS, FILES, LOCAL
from colmet.node.job import Cgroup
from colmet.node.log import Faults
from colmet.node.numbers import Field, in_c

METRICS = [metric.name for metric in TABLE.metrics]
_ALL = frozenset(METRICS)
_FOLDS = [max if metric.fold == "max" else lambda one, other: one + other for metric in TABLE.metrics]
_LASTING = [metric.kind == COUNTER or metric.fold == "max" for metric in TABLE.metrics]     # when a cgroup is gone
_LIMIT = METRICS.index("memory_limit")
_UNLIMITED = 2 ** 62            # v1 has no word for it, but a number of pages just below 2^63 bytes
_FIELDS = [Field(place, *number[1:]) for place, file in enumerate(FILES) for number in file.numbers]
_CELLS = [(place, METRICS.index(number[0])) for place, file in enumerate(FILES) for number in file.numbers]
_TOLD = [{metric for place, metric in _CELLS if place == file} for file in range(len(FILES))]
_NONE = [MISSING]               # what a metric is read from that no open file gives: one cell past the last
_RETRY_NS = 60 * SECOND         # most time between two looks for files that are not there
_SHARE = 3, 4                   # of all files that this process may open, those that may be kept here
_SPENT = (errno.EMFILE, errno.ENFILE)


@lru_cache(maxsize=256)
def _picker(there):
    """Takes a row of metrics from the cells of a group whose open files are `there` (a frozenset of places)."""
    found = [len(_CELLS)] * len(METRICS)
    for cell, (file, metric) in reversed(list(enumerate(_CELLS))):      # the first that tells counts
        if file in there:
            found[metric] = cell
    return itemgetter(*found)


class Group:
    """One cgroup of a job. `missing` are the places in `FILES` of what is wanted and not open; the directories `where`
    are [(controller, directory)]."""

    def __init__(self, where, missing):
        self.where, self.missing = where, missing
        self.fds = array("i", [-1] * len(FILES))
        self.there = frozenset()        # places of those that were opened
        self.here = []                  # of `where`, what was there at the last look
        self.kept = {}                  # {cell: its last number} of files that are gone
        self.retry = self.began = boottime()
        self.row, self._pick = None, _picker(self.there)        # of the last reading; what makes it

    def open(self, known):
        """Open what is there by now; `known` are (st_dev, st_ino) of the files of the whole job: each counts once.
        Returns how many were opened. Raises OSError when no more can be."""
        before, here = len(self.there), [each for each in self.where if os.path.isdir(each[1])]
        fresh = {controller for controller, _ in here if here != self.here or controller == V2}
        for place in sorted(self.missing) if fresh else ():
            if FILES[place].controller in fresh and not self._needless(place):
                self._open(place, here, known)
        self.here = here                # files of v1 come with their directory, of v2 whenever they are enabled
        now = boottime()
        self.retry = now + min((now - self.began) // 2, _RETRY_NS)
        self._pick = _picker(self.there)
        return len(self.there) - before

    def take(self, cells, answers):
        """Note the numbers of a reading, of which `answers` (None where there were no faults) are 0 or -errno."""
        for place, answer in enumerate(answers or ()):
            if answer < 0:
                self._lose(place)
        for cell, value in self.kept.items():
            cells[cell] = value
        self.cells = cells
        self.row = self._pick(cells + _NONE)

    def alive(self):
        """Whether all that was opened still answers."""
        return bool(self.there) and not self.kept

    def close(self):
        """Free the descriptors; returns how many."""
        closed = [os.close(fd) for fd in self.fds if fd >= 0]
        self.fds = array("i", [-1] * len(FILES))
        return len(closed)

    def _needless(self, place):
        """Whether files that come before tell all that this one does."""
        return _TOLD[place].issubset(chain.from_iterable(_TOLD[file] for file in self.there))

    def _open(self, place, where, known):
        for controller, folder in where:
            if controller == FILES[place].controller:
                try:
                    fd = os.open("%s/%s" % (folder, FILES[place].name), os.O_RDONLY | os.O_CLOEXEC)
                except OSError as error:
                    if error.errno in _SPENT:
                        raise
                    continue                # not in this kernel, or not made yet
                status = os.fstat(fd)
                self.missing = self.missing - {place}
                key = status.st_dev, status.st_ino
                if key in known:
                    os.close(fd)
                    return
                known.add(key)
                self.fds[place] = fd
                self.there |= {place}
                return

    def _lose(self, place):
        """The file is gone with its cgroup: another under its path would be another's."""
        os.close(self.fds[place])
        self.fds[place] = -1
        for cell, (file, _) in enumerate(_CELLS):
            if file == place:
                self.kept[cell] = MISSING if self.row is None else self.cells[cell]


class Followed(NamedTuple):
    """A job: its groups by directory, what its directories were, the files that are known; of groups that are no more
    the row, and the places of their files."""
    groups: dict
    directories: list
    files: set
    closed: list
    past: set


class Counters:
    """Reads the metrics `names` of jobs that are cgroups, in the file system `root`. Where it cannot, `fault` says why:
    then no job has a row."""

    def __init__(self, root, names=_ALL):
        self._root, self.fault, self._jobs, self._faults = root, "", {}, Faults()
        try:
            helper = compiled.load("_files")
        except Unavailable as reason:
            self.fault = str(reason)
            return
        self._ffi, self._lib = helper.ffi, helper.lib
        opened = self._ffi.new("struct files **")
        compiled.check(self._lib.files_open(opened, b"/"))
        self._files = opened[0]
        self._fields, self._words = in_c(self._ffi, _FIELDS)
        self._wanted = frozenset(file for file, metric in _CELLS if METRICS[metric] in names)
        self._opened, self._most = 0, resource.getrlimit(resource.RLIMIT_NOFILE)[0] * _SHARE[0] // _SHARE[1]

    def read(self, jobs):
        """{job: row}, a list in the order of the table, of those of `jobs` that have a cgroup; `schema.MISSING` is
        "not known", as `since` and `memory_peak_interval` always are."""
        if self.fault:
            return {}
        hierarchies = None
        for job in jobs:
            known = self._jobs.get(job)
            if known is None or len(known.directories) != len(job.parts) \
                    or any(part.directories is not before for part, before in zip(job.parts, known.directories)):
                hierarchies = mounted(self._root) if hierarchies is None else hierarchies
                self._follow(job, hierarchies)
        followed = [self._jobs[job] for job in jobs]
        groups = [group for each in followed for group in each.groups.values()]
        self._open(followed)
        self._read(groups)
        return {job: self._row(each) for job, each in zip(jobs, followed) if each.groups}

    def alive(self, job):
        """Whether all its cgroups still answered when they were read last."""
        groups = [group for group in self._groups(job) if group.there]
        return bool(groups) and all(group.alive() for group in groups)

    def version(self, job, name):
        """V1 or V2: what tells the metric `name` of it; None where nothing does."""
        there = self._jobs[job].past.union(*(group.there for group in self._groups(job))) if job in self._jobs else ()
        controllers = (FILES[file].controller for file, metric in _CELLS if file in there and METRICS[metric] == name)
        return next((V2 if each == V2 else V1 for each in controllers), None)

    def forget(self, job):
        """Close all that is kept of `job`."""
        for group in self._groups(job):
            self._opened -= group.close()
        self._jobs.pop(job, None)

    def others(self, jobs):
        """Those that are followed and not among `jobs`."""
        return set(self._jobs).difference(jobs) if len(self._jobs) > len(jobs) else set()

    def close(self):
        """Free all."""
        for job in list(self._jobs):
            self.forget(job)
        if not self.fault:
            self._lib.files_close(self._files)
            self._files = self._ffi.NULL

    def _groups(self, job):
        return self._jobs[job].groups.values() if job in self._jobs else ()

    def _follow(self, job, hierarchies):
        """Take up its directories as they are now."""
        known = self._jobs.get(job) or Followed({}, [], set(), [], set())
        wanted = {}
        for part in job.parts:
            if not isinstance(part, Cgroup):
                continue
            where = directories(part.path, hierarchies, CONTROLLERS)
            wanted[part.path, part.key] = where, self._wanted
            for path in set(part.directories) - {part.path}:
                wanted[path, None] = (directories(path, hierarchies, CONTROLLERS), self._wanted & _local(where))
        for key in set(known.groups) - set(wanted):
            self._drop(known, key)
        for key, (where, files) in wanted.items():
            if key not in known.groups and files:
                known.groups[key] = Group(where, files)
        self._jobs[job] = known._replace(directories=[part.directories for part in job.parts])

    def _drop(self, known, key):
        """A group is no more: its counters stay in the sums."""
        group = known.groups.pop(key)
        self._opened -= group.close()
        known.past.update(group.there)
        if group.row is not None:
            lasting = [value if lasts else MISSING for value, lasts in zip(group.row, _LASTING)]
            known.closed[:] = _folded([known.closed, lasting] if known.closed else [lasting])

    def _open(self, followed):
        now = boottime()
        try:
            for each in followed:
                for group in each.groups.values():
                    if group.missing and now >= group.retry:
                        if self._opened + len(FILES) > self._most:
                            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
                        self._opened += group.open(each.files)
        except OSError as error:
            if error.errno not in _SPENT:
                raise
            self._faults.add("files", "no more files can be kept open for the counters of cgroups (%s): those of some "
                             "jobs are missing; raise the limit (LimitNOFILE=, ulimit -n)" % error.strerror)

    def _read(self, groups):
        fds = array("i")
        for group in groups:
            fds.extend(group.fds)
        files, cells = len(FILES), len(_CELLS)
        answers = self._ffi.new("int32_t[]", len(fds) or 1)
        numbers = self._ffi.new("int64_t[]", len(groups) * cells or 1)
        failed = compiled.check(self._lib.files_numbers(self._files, compiled.ids(self._ffi, fds), answers, len(groups),
                                                        files, self._fields, cells, numbers))
        found = self._ffi.unpack(numbers, len(groups) * cells) if groups else []
        faults = self._ffi.unpack(answers, len(fds)) if failed else None
        for place, group in enumerate(groups):
            group.take(found[place * cells:(place + 1) * cells],
                       faults and faults[place * files:(place + 1) * files])

    def _row(self, known):
        row = _folded([group.row for group in known.groups.values()] + [known.closed] * bool(known.closed))
        if row[_LIMIT] >= _UNLIMITED:
            row[_LIMIT] = MISSING
        return row


def _folded(rows):
    """Rows put together, metric by metric; what one does not know counts for nothing."""
    joined = list(rows[0])
    for row in rows[1:]:
        for place, value in enumerate(row):
            if value != MISSING:
                joined[place] = value if joined[place] == MISSING else _FOLDS[place](joined[place], value)
    return joined


def _local(where):
    """Places of the files that count for one directory alone."""
    flat = any(_first_line(folder + "/memory.use_hierarchy") == "0" for controller, folder in where
               if controller == "memory")
    return LOCAL | frozenset(place for place, file in enumerate(FILES) if flat and file.controller == "memory")


def _first_line(path):
    try:
        with open(path) as file:
            return file.readline().strip()
    except OSError:
        return ""
