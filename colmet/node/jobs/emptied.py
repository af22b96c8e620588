"""Tells at once when a job has lost its last task, before its directory goes: by BPF (lib_account), or with cgroup v2
by inotify, for which the kernel modifies cgroup.events (the kernel's admin-guide/cgroup-v2.rst).

So it does of the directories right below the job's, which are a scheduler's steps: Slurm removes all some ms after the
last of them is empty, its own slurmstepd being the last task of the job. What the job used is read before.
"""
import errno
import os

from colmet.node import compiled
from colmet.node.backends import Unavailable
from colmet.node.bpf import helper, need_btf, program, refusal
from colmet.node.cgroup.hierarchies import hierarchy
from colmet.node.clock import boottime
from colmet.node.jobs.job import Cgroup, directory_key, others
from colmet.node.jobs.watch import WRITTEN, Watches

OBJECT = program("emptied")
EVENTS = "cgroup.events"


class Bpf:
    """Any cgroup, v1 too. Raises Unavailable."""
    name = "bpf"

    def __init__(self):
        loaded = helper()
        need_btf()
        self._ffi, self._lib = loaded.ffi, loaded.lib
        opened = self._ffi.new("struct emptied **")
        code = self._lib.emptied_open(opened, os.fsencode(OBJECT))
        if code:
            raise refusal(code)
        self._emptied = opened[0]
        self.fd = self._lib.emptied_fd(self._emptied)
        self._numbers = {}              # {st_dev of a hierarchy: its number, -1 where it is none}

    def watch(self, part):
        """Watch the cgroup `part` of a job."""
        number = self._number(part.key[0])
        code = self._lib.emptied_watch(self._emptied, part.key[1], number, 1) if number >= 0 else 0
        if code != -errno.E2BIG:        # more than there is room for: their end is seen at a tick
            compiled.check(code)

    def drop(self, part):
        """Watch it no more."""
        number = self._number(part.key[0])
        if number >= 0:
            compiled.check(self._lib.emptied_watch(self._emptied, part.key[1], number, 0))

    def take(self):
        """{`Cgroup.key`: CLOCK_BOOTTIME at which that cgroup lost its last task} since the last call."""
        events = self._ffi.new("struct emptied_event **")
        count = compiled.check(self._lib.emptied_take(self._emptied, events))
        devices = {number: device for device, number in self._numbers.items()} if count else {}
        return {(devices[event.hierarchy], event.id): event.when for event in events[0][0:count]}

    def _number(self, device):
        if device not in self._numbers:
            try:
                self._numbers[device] = hierarchy(device)[1]
            except Unavailable:
                self._numbers[device] = -1
        return self._numbers[device]

    def close(self):
        """Stops the program."""
        self._lib.emptied_close(self._emptied)
        self._emptied = self._ffi.NULL


class Inotify:
    """Cgroups of v2. Raises Unavailable."""
    name = "inotify"

    def __init__(self):
        self._watches, self._keys = Watches(), {}       # {directory: its `Cgroup.key`}
        self.fd = self._watches.fd
        if self.fd < 0:
            raise Unavailable(self._watches.fault)

    def watch(self, part):
        """Watch the cgroup `part` of a job, where it is of v2."""
        if os.path.exists("%s/%s" % (part.path, EVENTS)) and self._watches.add(part.path, writes=True):
            self._keys[part.path] = part.key

    def drop(self, part):
        """Watch it no more."""
        if self._keys.get(part.path) == part.key:
            del self._keys[part.path]
            self._watches.drop(part.path)

    def take(self):
        """As that of `Bpf`; when is now."""
        paths = {path for kind, path, name in self._watches.read() if kind == WRITTEN and name == EVENTS}
        return {self._keys[path]: boottime() for path in paths if path in self._keys and _is_empty(path)}

    def close(self):
        """Frees the descriptor."""
        self._watches.close()


def _is_empty(path):
    try:
        with open("%s/%s" % (path, EVENTS)) as file:
            return "populated 0" in file.read()
    except OSError:         # gone, so empty
        return True


class Emptied:
    """Follows the jobs that come, and calls `attend(new, empty)`: `new` are jobs just found, `empty` gives for jobs a
    cgroup of which lost its last task when that was. `fd` can be read when there is something to take, -1: the
    ticks must find out by themselves; `name` is that of the way that opened, "" without any; `refused` says for each
    better one why not."""

    def __init__(self, attend):
        self._attend, self._way, self.refused = attend, None, {}
        self._watched = {}          # {job: {key of a Cgroup: it}}
        self._jobs = {}             # {such a key: job}
        self._known = {}            # {job: the directories of its parts when they were taken up}
        for kind in (Bpf, Inotify):
            try:
                self._way = self._way or kind()
            except Unavailable as reason:
                self.refused[kind.name] = str(reason)
        self.fd = self._way.fd if self._way else -1
        self.name = self._way.name if self._way else ""

    def follow(self, jobs):
        """Take up those of `jobs`, all that are here, that are new or have new parts, and forget those that went."""
        new = [job for job in jobs if job not in self._known]
        for job in others(self._known, jobs) if len(self._known) + len(new) > len(jobs) else ():
            self._watch(job, {})
            del self._watched[job], self._known[job]
        for job in jobs:
            known, now = self._known.get(job, ()), [part.directories for part in job.parts]
            if len(known) != len(now) or any(one is not other for one, other in zip(known, now)):
                self._known[job] = now
                self._watch(job, dict(_cgroups(job)))
        if new:
            self._attend(new, {})

    def take(self):
        """Take up what happened; nothing where nothing did."""
        empty = {}
        for key, when in (self._way.take() if self._way else {}).items():
            if key in self._jobs:
                job = self._jobs[key]
                empty[job] = max(when, empty.get(job, 0))
        if empty:
            self._attend((), empty)

    def _watch(self, job, wanted):
        """Watch of `job` the cgroups `wanted` and no others."""
        watched = self._watched.get(job, {})
        for key in [key for key in watched if key not in wanted]:
            self._jobs.pop(key, None)
            if self._way:
                self._way.drop(watched[key])
        for key in [key for key in wanted if key not in watched]:
            self._jobs[key] = job
            if self._way:
                self._way.watch(wanted[key])
        self._watched[job] = wanted

    def close(self):
        """Stop it."""
        if self._way:
            self._way.close()
            self._way = None


def _cgroups(job):
    """(its key, Cgroup) of each of its directories and of each right below."""
    for part in job.parts:
        if isinstance(part, Cgroup):
            yield part.key, part
            for path in part.directories:
                key = directory_key(path) if os.path.dirname(path) == part.path else None
                if key:
                    yield key, Cgroup(path, key)
