"""What tasks did, by netlink (lib_taskstats): the kernel is asked for each that lives, and tells of each that ends."""
import errno
import os
from pathlib import Path

from colmet.common.metrics import account as account_table
from colmet.common.metrics import taskstats
from colmet.common.mounts import mounted
from colmet.node import compiled
from colmet.node.backends import Unavailable
from colmet.node.capabilities import give
from colmet.node.cgroup.hierarchies import device, hierarchy, places, usual
from colmet.node.jobs.job import directory_key, others
from colmet.node.log import log

BUFFER = 64 << 20   # bytes for records not yet taken: 2 s of 20,000 ends a second
TIMEOUT = 2000      # ms to wait for a reply; the kernel makes it within the call that asks
CPUS = Path("/sys/devices/system/cpu/possible")
REFUSALS = {
    errno.ENOENT: "this kernel has no taskstats (CONFIG_TASKSTATS), or this is a container with a network of its own",
    errno.EPERM: "needs CAP_NET_ADMIN",
    errno.EPROTONOSUPPORT: "this kernel has no generic netlink",
    errno.EINVAL: "the kernel tells ends of tasks to nobody in a container",
}


def _check(code):
    """Raises Unavailable or OSError where `code`, what a helper returned, is -errno."""
    if -code in REFUSALS:
        raise Unavailable(REFUSALS[-code] + ("; " + give("CAP_NET_ADMIN") if -code == errno.EPERM else ""))
    compiled.check(code)


class Listener:
    """The jobs that are cgroups of the hierarchy whose st_dev is `device`, with all their tasks since they began or
    were read first. Raises Unavailable."""

    def __init__(self, device, buffer=BUFFER, forks=True):
        helper = compiled.load("_taskstats")
        self._ffi, self._lib = helper.ffi, helper.lib
        self.device = device
        number = hierarchy(device)[1]
        opened, forks = self._ffi.new("struct listener **"), self._ffi.new("int *", forks)
        code = self._lib.listener_open(opened, CPUS.read_text().strip().encode(), number, buffer, TIMEOUT, forks)
        _check(code)
        self._listener = opened[0]
        self.forks = -forks[0]                  # errno: why the kernel does not tell which process begins which
        self._numbers, self._free = {}, []      # {job: its number}; those that nobody has now
        self._known = {}                        # {job: its paths when they were followed}

    def read(self, jobs):
        """{job: (live, total)}, as `lib_taskstats/listener.h` says; for the last time for those that are gone."""
        for job in jobs:
            paths = [part.path for part in job.parts]
            if self._known.get(job) != paths:
                self._follow(job, paths)
        numbered = sorted(self._numbers.items(), key=lambda pair: pair[1])
        here = set(jobs)
        lists = {number: job.tasks() for job, number in numbered if job in here}
        most = len(self._numbers) + len(self._free)
        counts = self._ffi.new("int32_t[]", [len(lists.get(number, ())) for number in range(most)])
        tids = compiled.ids(self._ffi, [tid for number in sorted(lists) for tid in lists[number]])
        widths = self._lib.LISTENER_LIVE_CELLS, self._lib.LISTENER_TOTAL_CELLS
        live, total = (self._ffi.new("int64_t[]", most * width) for width in widths)
        compiled.check(self._lib.listener_read(self._listener, tids, counts, most, live, total))
        live, total = (compiled.values(self._ffi, cells) for cells in (live, total))
        found = {job: (live[number * widths[0]:(number + 1) * widths[0]],
                       total[number * widths[1]:(number + 1) * widths[1]]) for job, number in numbered}
        for job in others(self._numbers, here):
            self._forget(job)
        return found

    @property
    def dropped(self):
        """Ends of tasks for which there was no room."""
        return self._lib.listener_dropped(self._listener)

    @property
    def unattributed(self):
        """Ends of tasks of which it is not known where they were."""
        return self._lib.listener_unattributed(self._listener)

    def close(self):
        """Stops listening."""
        self._lib.listener_close(self._listener)
        self._listener = self._ffi.NULL

    def _follow(self, job, paths):
        if job not in self._numbers:
            self._numbers[job] = self._free.pop() if self._free else len(self._numbers)
        self._known[job] = paths
        for path in map(os.path.realpath, paths):
            code = self._lib.listener_follow(self._listener, self._numbers[job], os.fsencode(inside(path)), job.start)
            if code != -errno.ENOSPC:
                compiled.check(code)

    def _forget(self, job):
        del self._known[job]
        self._free.append(self._numbers.pop(job))
        self._lib.listener_forget(self._listener, self._free[-1])


def inside(path, root="/"):
    """The path of the cgroup whose directory is `path` within its hierarchy, as /proc/PID/cgroup has it."""
    homes = [mount for mount in mounted(root) if path == mount.point or path.startswith(mount.point + "/")]
    home = max(homes, key=lambda mount: len(mount.point))
    return os.path.normpath(home.top + "/" + path[len(home.point):])


class Netlink:
    """A reader (`colmet.node.account.readers`) of all jobs: of those in cgroups all tasks that there were, of others
    what lives. It listens from the first reading on, unless that is of jobs that are no cgroups."""
    name = "netlink"
    tables = (taskstats.TABLE.name, account_table.TABLE.name)

    def __init__(self, root, options):
        helper = compiled.load("_taskstats")
        self._ffi, self._lib = helper.ffi, helper.lib
        opened = self._ffi.new("struct taskstats_socket **")
        code = self._lib.taskstats_open(opened, TIMEOUT)
        _check(code)
        self._socket = opened[0]
        self._cells = self._ffi.new("int64_t[]", self._lib.TASKSTATS_CELLS)
        self._options, self._root = options, root
        self._listener, self._tried = None, False

    def read(self, jobs):
        """Both for all jobs of the hierarchy that is listened to; live ones alone for the others."""
        devices = {job: device(job) for job in jobs}
        if not self._tried and (not jobs or any(device is not None for device in devices.values())):
            self._listen()
        ours = [job for job in jobs if self._listener and devices[job] == self._listener.device]
        found = self._listener.read(ours) if self._listener else {}
        for job in jobs:
            if job not in found:
                found[job] = [self._sum(job.tasks())] + compiled.values(self._ffi, self._cells), None
        return found

    @property
    def lost(self):
        """Ends of tasks that were not heard, or of which it is not known where they were."""
        return self._listener.dropped + self._listener.unattributed if self._listener else 0

    def close(self):
        """Closes the sockets."""
        if self._listener:
            self._listener.close()
        self._listener = None
        self._lib.taskstats_close(self._socket)
        self._socket = self._ffi.NULL

    def _listen(self):
        """Where it may not, that is told once, and all jobs have what lives."""
        self._tried = True
        keys = [directory_key(path) for path in places(self._root, self._options)]
        try:
            self._listener = Listener(next((key[0] for key in keys if key), None) or usual())
        except Unavailable as reason:
            log.warning("ends of tasks are not heard, so there is no table %s: %s", account_table.TABLE.name, reason)
            return
        if self._listener.forks:
            log.warning("the kernel does not tell which process begins which (CONFIG_PROC_EVENTS; %s): tasks that "
                        "began and ended between two samples are told by their parents",
                        os.strerror(self._listener.forks).lower())

    def _sum(self, tids):
        """Sums the tasks into the cells; returns how many were alive."""
        tids = compiled.ids(self._ffi, tids)
        return compiled.check(self._lib.taskstats_read(self._socket, tids, len(tids), self._cells))
