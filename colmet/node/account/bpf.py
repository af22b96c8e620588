"""What the tasks of a hierarchy of cgroups did, added up in the kernel by BPF programs (lib_account)."""
import errno
import hashlib
import os

from colmet.node import compiled
from colmet.node.account.pins import Pins
from colmet.node.bpf import helper, need_btf, program, refusal
from colmet.node.cgroup.hierarchies import hierarchy
from colmet.node.jobs.job import directory_key
from colmet.node.jobs.numbered import Numbered, rows

OBJECT, WALK = program("account"), program("walk")


class Account:
    """The jobs of one hierarchy, given by its st_dev. `pins` is a directory (text) in a bpf file system, or "": what is
    counted stays there when this process ends while there are jobs, and another goes on with it. Without `walk` all
    tasks are visited at each reading, as before Linux 6.8, not just those of jobs. Raises Unavailable."""

    def __init__(self, device, pins="", walk=True):
        loaded = helper()
        self._ffi, self._lib = loaded.ffi, loaded.lib
        controller, number = hierarchy(device)
        need_btf()
        opened = self._ffi.new("struct account **")
        self._pins = Pins(pins, "%s-%d" % (hashlib.sha256(OBJECT.read_bytes()).hexdigest()[:16], number))
        code = self._lib.account_open(opened, os.fsencode(OBJECT), controller.encode(), number,
                                      os.fsencode(self._pins.path), os.fsencode(WALK if walk else ""))
        if code:
            self._pins.close(False)
            raise refusal(code)
        self._account = opened[0]
        self._jobs = Numbered()
        self._partial = set()                   # jobs of which not all could be followed
        self._live = self._total = self._ffi.new("int64_t[]", 0)

    def follow_root(self, path):
        """Follow what is made in the directory `path`, where jobs have theirs."""
        key = directory_key(path)
        if key:
            self._take(key[1], 0, -1, 0)

    def read(self, jobs):
        """{job: (live, total)}: lists of numbers, as `lib_account/account.h` says, for those of `jobs` that could be
        followed, and for the last time for those that are not among them any more."""
        for job in self._jobs.changed(jobs):
            self._follow(job)
        most = self._jobs.most
        widths = self._lib.ACCOUNT_LIVE_CELLS, self._lib.ACCOUNT_TOTAL_CELLS
        if len(self._live) < most * widths[0]:
            self._live, self._total = (self._ffi.new("int64_t[]", 2 * most * width) for width in widths)
        compiled.check(self._lib.account_read(self._account, self._live, self._total, most))
        live, total = (rows(self._ffi, cells, most, width) for cells, width in zip((self._live, self._total), widths))
        found = {job: (live[number], total[number]) for job, number in self._jobs.of.items()
                 if job not in self._partial}
        for job in self._jobs.gone(jobs):
            self._partial.discard(job)
            self._lib.account_forget(self._account, self._jobs.forget(job))
        return found

    @property
    def lost(self):
        """Cgroups below those followed for which there was no room."""
        return self._lib.account_left_out(self._account)

    def close(self):
        """Stops the programs, unless they are pinned and there are jobs."""
        self._lib.account_close(self._account)
        self._account = self._ffi.NULL
        self._pins.close(bool(self._jobs.of))

    def _follow(self, job):
        """Follow all directories of `job`, those above before those below."""
        self._partial.discard(job)
        keys = {part.path: part.key for part in job.parts}      # though it may be gone by now
        for path in sorted(path for part in job.parts for path in part.directories):
            key, above = keys.get(path) or directory_key(path), directory_key(os.path.dirname(path))
            if key and above and not self._take(key[1], above[1], self._jobs.of[job], job.start):
                self._partial.add(job)

    def _take(self, cgroup, above, number, start):
        """Whether there was room for it."""
        code = self._lib.account_follow(self._account, cgroup, above, number, start)
        return code != -errno.ENOSPC and not compiled.check(code)
