"""Reads /proc/PID/io and /proc/PID/status (proc(5)) of every process of each job, summed per job in C (lib_files).

Both files are per process, so each process is read once, however many threads it has. Bytes, counts and kB as in
the files. A job without processes has no row; what may not be read of one of them is not known of the job.
"""
import os

from colmet.common.metrics.jobproc import TABLE
from colmet.node import compiled
from colmet.node.backends import Unavailable

TABLES = (TABLE,)


class Backend:
    """Sums over the live processes of each job, from `root`/proc."""

    def __init__(self, root, options):
        helper = compiled.load("_files")
        self._ffi, self._lib = helper.ffi, helper.lib
        opened = self._ffi.new("struct files **")
        proc = root / "proc"
        code = self._lib.files_open(opened, os.fsencode(proc))
        if code:
            raise Unavailable("%s: %s" % (proc, os.strerror(-code).lower()))
        self._files = opened[0]
        self._cells = self._ffi.new("int64_t[]", self._lib.FILES_PROCESS_CELLS)

    def sample(self, jobs):
        """One row for each job that has processes."""
        return {TABLE.name: [(job, "", compiled.values(self._ffi, self._cells))
                             for job in jobs if self._sum(job.processes())]}

    def close(self):
        """Closes the directory."""
        self._lib.files_close(self._files)
        self._files = self._ffi.NULL

    def _sum(self, pids):
        """Sums the processes into the cells; returns how many were alive."""
        pids = compiled.ids(self._ffi, pids)
        return compiled.check(self._lib.files_processes(self._files, pids, len(pids), self._cells))
