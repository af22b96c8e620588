"""One job on this node: what it is called and which tasks and processes are its own now."""
import errno
import json
import os
import stat
import time
from array import array
from itertools import chain
from pathlib import Path

from colmet.common.facts import named_steps
from colmet.node.jobs import processes
from colmet.node.clock import boottime

_VANISHED = (errno.ENOENT, errno.ENODEV, errno.ENOTDIR)     # ENODEV: removed between open and read
UNREADABLE = _VANISHED + (errno.EACCES, errno.EPERM)        # gone, or not for this user, of which `Jobs` tells
_THREADED = errno.EOPNOTSUPP    # v2 lists the processes of a threaded cgroup in the one above, where they are read
_LISTS = ("tasks", "cgroup.threads", "cgroup.procs")        # of v1, of v2, of both
_READ_BYTES = 65536
_decode = json.JSONDecoder().raw_decode
_PIECE_LEAST = 4096 - 16        # bytes that a read gives when more follow: a page less a number and its newline


def numbers(path):
    """The ids in a file of one number a line, as a list; None where there is no such file (or no more, or not for us).

    Never from a kept descriptor: cgroup v1 makes the list at open(2) and gives the old one while it is read again
    within a second. JSON's scanner is the quickest in Python: 0.07 us an id, int() and split() 0.25.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in UNREADABLE:
            return None
        raise
    try:
        data = piece = os.read(fd, _READ_BYTES)
        while len(piece) >= _PIECE_LEAST:
            piece = os.read(fd, _READ_BYTES)
            data += piece
    except OSError as error:
        if error.errno in _VANISHED:
            return None
        if error.errno == _THREADED:
            return []
        raise
    finally:
        os.close(fd)
    ids, _ = _decode("[%s]" % data.decode("ascii").strip().replace("\n", ","))
    if data[:2] == b"0\n" or b"\n0\n" in data:      # v2 writes 0 for a task outside our pid namespace
        ids = [id for id in ids if id]
    return ids


class Cgroup:
    """A directory of a job and those below it: `directories`, texts, its own first; replaced, never changed, so that
    other threads may go through it. `key` is (st_dev, st_ino): a name made again is another cgroup."""

    def __init__(self, path, key):
        self.path, self.key = path, key
        self.directories = (path,)

    def tasks(self):
        """array('i') of the thread ids in it, each once."""
        return array("i", self._all(*_LISTS[:2]))

    def processes(self):
        """List of the pids in it, each once."""
        return list(self._all(_LISTS[2]))

    def alive(self):
        """Whether the directory is still there, and the same."""
        return directory_key(self.path) == self.key

    def closed(self):
        """Whether this user may not read its tasks."""
        paths = [os.path.join(self.path, name) for name in _LISTS]
        return any(not os.access(path, os.R_OK, effective_ids=True) and os.path.exists(path) for path in paths)

    def _all(self, *names):
        if len(self.directories) == 1:
            return _first(self.path, names)
        return dict.fromkeys(chain.from_iterable(_first(path, names) for path in self.directories))


def _first(directory, names):
    for name in names:
        ids = numbers("%s/%s" % (directory, name))
        if ids is not None:
            return ids
    return ()


def directory_key(path):
    """(st_dev, st_ino) of the directory `path`; None where there is none."""
    status = directory_status(path)
    return (status.st_dev, status.st_ino) if status else None


def directory_status(path):
    """What stat(2) says of the directory `path`; None where there is none."""
    try:
        status = os.stat(path)
    except OSError as error:
        if error.errno in UNREADABLE + (errno.ELOOP,):
            return None
        raise
    return status if stat.S_ISDIR(status.st_mode) else None


def folders(path):
    """Names of the directories in `path`; none when it is gone or not for us."""
    try:
        with os.scandir(path) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError as error:
        if error.errno in UNREADABLE:
            return []
        raise


class Job:
    """`id`, `user`, `cluster` and `scheduler` are texts, "" where not known; `steps` are the names of the scheduler's
    parts of it that were seen here; `twin` says that another user's job of the
    same id was here before it. `parts` are what it is made of (`Cgroup`, or those of `colmet.node.jobs.processes`);
    `start` and, when it ended, `end` are Unix times in ns, `start_boot` and `end_boot` the same instants of
    CLOCK_BOOTTIME. `started` becomes true with its first task. `key` is (id, user) as it was found; `uid`, the number
    of its user as text or None, may tell more later (`colmet.node.jobs.owners`)."""

    def __init__(self, id, user="", cluster="", twin=False, scheduler="", uid=None):
        self.key, self.uid = (id, user), uid
        self.id, self.user, self.cluster, self.twin, self.scheduler = id, user, cluster, twin, scheduler
        self.steps = set()
        self.parts = ()
        self.started = False
        self.start, self.start_boot = time.time_ns(), boottime()
        self.end = self.end_boot = None
        self.seen = 0, 0                    # tasks at the last look, and its CLOCK_BOOTTIME
        self._listed = (), 0                # the same of its processes, which are a list

    @property
    def cgroups(self):
        """Its directories, absolute, those below them left out: list of Path."""
        return [Path(part.path) for part in self.parts if isinstance(part, Cgroup)]

    def began(self, boot):
        """Move the start back to `boot`, ns of CLOCK_BOOTTIME, if it is earlier."""
        if boot < self.start_boot:
            self.start -= self.start_boot - boot
            self.start_boot = boot

    def ended(self):
        """Note that it ended now."""
        if self.end is None:
            self.end, self.end_boot = time.time_ns(), boottime()

    def tasks(self):
        """Thread ids of all its tasks now, each once: array('i'); empty when it has none or is gone."""
        if len(self.parts) == 1:
            found = self.parts[0].tasks()
        else:
            found = array("i", dict.fromkeys(chain.from_iterable(part.tasks() for part in self.parts)))
        self.counted(len(found))
        return found

    def counted(self, tasks):
        """Note that it has this number of tasks now."""
        self.seen = tasks, boottime()
        if tasks:
            self.started = True

    def processes(self, since=None):
        """Pids of its processes now, each once: list; or those that it had when somebody asked after `since` (ns of
        CLOCK_BOOTTIME)."""
        if since is None or self._listed[1] < since:
            now = boottime()
            self._listed = self._processes(), now
        return self._listed[0]

    def _processes(self):
        if len(self.parts) == 1:
            return self.parts[0].processes()
        return list(dict.fromkeys(chain.from_iterable(part.processes() for part in self.parts)))

    def entry(self, gone=False):
        """What `Batch.jobs` holds of it."""
        entry = {"job": self.id}
        if self.user:
            entry["user"] = self.user
        if self.cluster:
            entry["cluster"] = self.cluster
        if self.scheduler:
            entry["scheduler"] = self.scheduler
        if self.steps:
            entry["steps"] = named_steps(self.steps)
        if self.twin:
            entry["twin"] = 1
        if gone:
            entry["gone"] = 1
        return entry

    def __repr__(self):
        return "Job(%r, user=%r)" % (self.id, self.user)


def others(known, jobs):
    """List of those of the jobs `known` that are not among `jobs`, in the order of `known`."""
    here = set(jobs)
    return [job for job in known if job not in here]


def oldest_process(proc, pids, most=100):
    """When the first of the `most` lowest `pids` began, in ns of CLOCK_BOOTTIME; None when all are gone."""
    times = [processes.began(processes.stat(proc, pid)) for pid in sorted(pids)[:most]]
    return min((born for born in times if born is not None), default=None)
