"""The counters of the cgroups of jobs, v1, v2 and both, from files that stay open; all in one call of C (lib_files).

A kept descriptor costs a sixth of a fresh open, and answers ENODEV once its cgroup was removed: then its last numbers
stand. A counter that is hierarchical is read at the top of the job only; the others in all directories of the job.
"""
import errno
import os
import resource
from array import array
from contextlib import contextmanager
from typing import NamedTuple

from colmet.common.metrics.cgroup import TABLE
from colmet.common.mounts import V1, V2, directories, mounted
from colmet.common.schema import COUNTER, MISSING
from colmet.node import compiled
from colmet.node.backends import Unavailable
from colmet.node.clock import boottime
from colmet.node.cgroup.group import FIELDS, METRICS, SPENT, TELLS, Group
from colmet.node.cgroup.files import AFTER, CONTROLLERS, FILES, LOCAL, SELDOM_NS
from colmet.node.jobs.job import Cgroup, others
from colmet.node.log import Faults
from colmet.node.cgroup.sets import Sets

_ALL = frozenset(METRICS)
_FOLDS = [max if metric.fold == "max" else lambda one, other: one + other for metric in TABLE.metrics]
_LASTING = [metric.kind == COUNTER or metric.fold == "max" for metric in TABLE.metrics]     # when a cgroup is gone
_LIMIT = METRICS.index("memory_limit")
_UNLIMITED = 2 ** 62            # v1 has no word for it, but a number of pages just below 2^63 bytes
_SHARE = 3, 4                   # of all files that this process may open, those that may be kept here


class Followed(NamedTuple):
    """A job: its groups by directory, what its directories were, the files that are known; of groups that are no more
    the row, and the places of their files."""
    groups: dict
    directories: list
    files: set
    closed: list
    past: set


class Counters:
    """Reads the metrics `names` of jobs that are cgroups, in the file system `root`, for all parts of a node that want
    them. Where it cannot, `fault` says why: then no job has a row."""

    def __init__(self, root, names=_ALL):
        self._root, self.fault, self._jobs, self._faults = root, "", {}, Faults()
        self._readings, self._sets = None, None         # {job: row} of this tick; made when they are wanted
        try:
            self._helper = compiled.load("_files")
        except Unavailable as reason:
            self.fault = str(reason)
        self.want(names)
        self._most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] * _SHARE[0] // _SHARE[1]

    def want(self, names=_ALL):
        """From now on read the metrics `names`, too."""
        self._wanted = frozenset(file for file, metric in TELLS if METRICS[metric] in names)
        for known in self._jobs.values():
            known.directories.clear()       # so that they are looked at anew

    @contextmanager
    def tick(self, jobs):
        """While this lasts each job is read once, and `read` gives that row to all who ask; afterwards those that are
        not among `jobs` are forgotten."""
        self._readings = {}
        try:
            yield
        finally:
            self._readings = None
            for job in others(self._jobs, jobs):
                self.forget(job)

    def read(self, jobs):
        """{job: row}, a list in the order of the table, of those of `jobs` that have a cgroup; `schema.MISSING` is
        "not known", as `since` and `memory_peak_interval` always are. What seldom changes may be of up to
        SELDOM_NS before."""
        if self._readings is None:
            return self._read(jobs, False)
        self._readings.update(self._read([job for job in jobs if job not in self._readings], False))
        return {job: self._readings[job] for job in jobs if job in self._readings}

    def read_all(self, jobs):
        """The same, all of it as it is now."""
        rows = self._read(jobs, True)
        if self._readings is not None:
            self._readings.update(rows)
        return rows

    def alive(self, job):
        """Whether all its cgroups still answered when they were read last."""
        groups = [group for group in self._groups(job) if group.there]
        return bool(groups) and all(group.alive() for group in groups)

    def version(self, job, name):
        """V1 or V2: what tells the metric `name` of it; None where nothing does."""
        there = self._jobs[job].past.union(*(group.there for group in self._groups(job))) if job in self._jobs else ()
        controllers = (FILES[file].controller for file, metric in TELLS if file in there and METRICS[metric] == name)
        return next((V2 if each == V2 else V1 for each in controllers), None)

    def forget(self, job):
        """Close all that is kept of `job`."""
        for group in self._groups(job):
            group.close()
        self._jobs.pop(job, None)

    def close(self):
        """Free all."""
        for job in list(self._jobs):
            self.forget(job)
        if self._sets:
            self._sets.close()
            self._sets = None

    def _groups(self, job):
        return self._jobs[job].groups.values() if job in self._jobs else ()

    def _read(self, jobs, everything):
        if self.fault or not jobs:
            return {}
        self._sets = self._sets or Sets(self._helper, FIELDS, AFTER, len(METRICS), SELDOM_NS)
        hierarchies = None
        for job in jobs:
            known = self._jobs.get(job)
            if known is None or len(known.directories) != len(job.parts) \
                    or any(part.directories is not before for part, before in zip(job.parts, known.directories)):
                hierarchies = mounted(self._root) if hierarchies is None else hierarchies
                self._follow(job, hierarchies)
        followed = [self._jobs[job] for job in jobs]
        self._open(followed)
        groups = [group for each in followed for group in each.groups.values()]
        rows, faults = self._sets.read(array("i", [group.place for group in groups]), everything)
        for group, row in zip(groups, rows):
            group.row = row
        for place, file in faults:
            groups[place].lose(file)
        return {job: _row(each) for job, each in zip(jobs, followed) if each.groups}

    def _follow(self, job, hierarchies):
        """Take up its directories as they are now."""
        known = self._jobs.get(job) or Followed({}, [], set(), [], set())
        wanted = {}
        for part in job.parts:
            if not isinstance(part, Cgroup):
                continue
            where = directories(part.path, hierarchies, CONTROLLERS)
            wanted[part.path, part.key] = where, self._wanted
            for path in dict.fromkeys(path for path in part.directories if path != part.path):
                wanted[path, None] = (directories(path, hierarchies, CONTROLLERS), self._wanted & _local(where))
        for key in [key for key in known.groups if key not in wanted]:
            self._drop(known, key)
        for key, (where, files) in wanted.items():
            if key in known.groups:
                known.groups[key].want(files)
            elif files:
                known.groups[key] = Group(where, files, self._sets)
        self._jobs[job] = known._replace(directories=[part.directories for part in job.parts])

    def _drop(self, known, key):
        """A group is no more: its counters stay in the sums."""
        group = known.groups.pop(key)
        group.close()
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
                        if self._sets.opened + len(FILES) > self._most:
                            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
                        group.open(each.files)
        except OSError as error:
            if error.errno not in SPENT:
                raise
            self._faults.add("files", "no more files can be kept open for the counters of cgroups (%s): those of some "
                             "jobs are missing; raise the limit (LimitNOFILE=, ulimit -n)" % error.strerror)


def _row(known):
    """The row of a job of which the groups are read."""
    rows = [group.row for group in known.groups.values()] + [known.closed] * bool(known.closed)
    row = _folded(rows) if len(rows) > 1 else rows[0]
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
