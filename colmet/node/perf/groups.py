"""Groups of events on all CPUs, as lib_perf_hw opens and reads them; never more of them than descriptors allow."""
import errno
import os
import resource
import time
from typing import NamedTuple, Tuple

from colmet.common.schema import MISSING
from colmet.node import compiled
from colmet.node.perf.events import numbers

ALL_TASKS = -1              # in place of a cgroup
_SHARE = 1, 5               # of all files that this process may open, those that may be kept here
_LINE = 4096                # bytes of a file of sysfs, at most
_ONLINE = "sys/devices/system/cpu/online"


class Group(NamedTuple):
    """Events, by their `places` in the list, that count together since a Unix time in ns for the cgroup whose directory
    is `path`, "" for the node."""
    path: str
    places: Tuple[int, ...]
    handle: object
    since: int


class Refused(OSError):
    """The kernel did not take the event at `place` of a group."""

    def __init__(self, code, place):
        super().__init__(code, os.strerror(code))
        self.place = place


class Groups:
    """Those of `events` (`colmet.node.perf.events.Event`). Raises Unavailable where lib_perf_hw was not built."""

    def __init__(self, root, events):
        helper = compiled.load("_perf_hw")
        self._ffi, self._lib = helper.ffi, helper.lib
        self.events, self._path = events, root / _ONLINE
        self._text = self._online()
        self._files = 0
        self._most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] * _SHARE[0] // _SHARE[1]

    def cpus_changed(self):
        """Whether other CPUs are online than at the call before, or the start."""
        before, self._text = self._text, self._online()
        return self._text != before

    def fault(self, event):
        """0, or the errno with which the kernel does not count `event` on this machine."""
        try:
            self._lib.perf_hw_close(self._handle(ALL_TASKS, [event], self._cpus(event)[:1]))
        except Refused as refusal:
            return refusal.errno
        return 0

    def open(self, path, places):
        """A new Group. Raises Refused, and OSError when the cgroup is not there or no more files may be opened."""
        events = [self.events[place] for place in places]
        cpus = self._cpus(events[0])
        if self._files + len(events) * len(cpus) > self._most:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        cgroup = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) if path else ALL_TASKS
        try:
            group = Group(path, places, self._handle(cgroup, events, cpus), time.time_ns())
        finally:
            if path:
                os.close(cgroup)
        self._files += self._lib.perf_hw_files(group.handle)
        return group

    def read(self, groups):
        """For each of them, [(value, enabled, running)] of its events; a value is None where it is not known."""
        width, most = self._lib.PERF_HW_CELLS, sum(len(group.places) for group in groups)
        handles = self._ffi.new("struct perf_hw_group *[]", [group.handle for group in groups])
        cells = self._ffi.new("int64_t[]", width * most or 1)
        self._lib.perf_hw_read(handles, len(groups), cells)
        found = iter(self._ffi.unpack(cells, width * most) if most else ())
        rows = [(None if value == MISSING else value, enabled, running)
                for value, enabled, running in zip(found, found, found)]
        ends = [0]
        for group in groups:
            ends.append(ends[-1] + len(group.places))
        return [rows[first:last] for first, last in zip(ends, ends[1:])]

    def close(self, group):
        """End it."""
        self._files -= self._lib.perf_hw_files(group.handle)
        self._lib.perf_hw_close(group.handle)

    def _handle(self, cgroup, events, cpus):
        opened, refused = self._ffi.new("struct perf_hw_group **"), self._ffi.new("int32_t *")
        wanted = self._ffi.new("struct perf_hw_event[]", [(event.type, *event.configs) for event in events])
        code = self._lib.perf_hw_open(opened, cgroup, wanted, len(events), cpus, len(cpus), refused)
        if code:
            raise Refused(-code, refused[0])
        return opened[0]

    def _cpus(self, event):
        online = numbers(self._text)
        return [cpu for cpu in online if event.cpus is None or cpu in event.cpus]

    def _online(self):
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return "0-%d" % (os.cpu_count() - 1)
        try:
            return os.read(fd, _LINE).decode("ascii").strip()
        finally:
            os.close(fd)
