"""Reads taskstats of every live task of each job, summed per job in C (lib_taskstats).

Source: generic netlink, Documentation/accounting/taskstats.rst. A job without tasks has no row.
"""
import errno

from colmet.common.metrics.taskstats import TABLE
from colmet.node import compiled
from colmet.node.backends import Unavailable

TABLES = (TABLE,)
TIMEOUT = 2000      # ms to wait for a reply; the kernel makes it within the call that asks
REFUSALS = {
    errno.ENOENT: "this kernel has no taskstats (CONFIG_TASKSTATS), or this is a container with a network of its own",
    errno.EPERM: "taskstats needs CAP_NET_ADMIN; start colmet-node as root or give it that capability",
    errno.EPROTONOSUPPORT: "this kernel has no generic netlink",
}


class Backend:
    """Sums over the live tasks of each job. The kernel is asked directly, so `root` plays no part."""

    def __init__(self, root, options):
        helper = compiled.load("_taskstats")
        self._ffi, self._lib = helper.ffi, helper.lib
        opened = self._ffi.new("struct taskstats_socket **")
        code = self._lib.taskstats_open(opened, TIMEOUT)
        if -code in REFUSALS:
            raise Unavailable(REFUSALS[-code])
        compiled.check(code)
        self._socket = opened[0]
        self._cells = self._ffi.new("int64_t[]", self._lib.TASKSTATS_CELLS)

    def sample(self, jobs):
        """One row for each job that has tasks."""
        return {TABLE.name: [(job, "", compiled.values(self._ffi, self._cells))
                             for job in jobs if self._sum(job.tasks())]}

    def close(self):
        """Closes the socket."""
        self._lib.taskstats_close(self._socket)
        self._socket = self._ffi.NULL

    def _sum(self, tids):
        """Sums the tasks into the cells; returns how many were alive."""
        tids = compiled.ids(self._ffi, tids)
        return compiled.check(self._lib.taskstats_read(self._socket, tids, len(tids), self._cells))
