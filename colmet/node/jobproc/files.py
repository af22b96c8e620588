"""What the processes of jobs did and hold, from two files of each: /proc/PID/io and /proc/PID/status (lib_files)."""
import os

from colmet.node import compiled
from colmet.node.backends import Unavailable


class Files:
    """Any job, by the list of its processes; each process is read once, however many threads it has. What may not be
    read of one of them is not known of the job. Raises Unavailable without `root`/proc."""
    name = "proc"

    def __init__(self, root):
        helper = compiled.load("_files")
        self._ffi, self._lib = helper.ffi, helper.lib
        opened = self._ffi.new("struct files **")
        proc = root / "proc"
        code = self._lib.files_open(opened, os.fsencode(proc))
        if code:
            raise Unavailable("%s: %s" % (proc, os.strerror(-code).lower()))
        self._files = opened[0]
        self._cells = self._ffi.new("int64_t[]", self._lib.FILES_PROCESS_CELLS)

    def read(self, jobs):
        """{job: values} of all `jobs`, None where it has no processes."""
        return {job: self._sum(job.processes()) for job in jobs}

    def close(self):
        """Closes the directory."""
        self._lib.files_close(self._files)
        self._files = self._ffi.NULL

    def _sum(self, pids):
        pids = compiled.ids(self._ffi, pids)
        alive = compiled.check(self._lib.files_processes(self._files, pids, len(pids), self._cells))
        return compiled.values(self._ffi, self._cells) if alive else None
