"""What the processes of jobs did and hold, added up in the kernel at each reading by a BPF program (lib_account): jobs
that are cgroups of one hierarchy, whatever is in them. No list of processes is made, and no file is read."""
import errno
import os

from colmet.node import compiled
from colmet.node.bpf import helper, need_btf, program, refusal
from colmet.node.cgroup.hierarchies import Hierarchies, hierarchy, places
from colmet.node.jobs.job import directory_key
from colmet.node.jobs.numbered import Numbered, rows

PROGRAM = program("processes")


class Bpf:
    """Raises Unavailable where the hierarchy in which jobs are cannot be read so."""
    name = "bpf"

    def __init__(self, root, options):
        self._programs = Hierarchies(Processes, places(root, options))

    def read(self, jobs):
        """{job: values} of those of `jobs` that can be read so, None where it has no processes."""
        found = {}
        for reader, members in self._programs.shared(jobs):
            found.update(reader.read(members))
        return found

    def close(self):
        """Frees the programs."""
        self._programs.close()


class Processes:
    """Those of jobs of the hierarchy of cgroups `each`, its st_dev. Raises Unavailable."""

    def __init__(self, each):
        loaded = helper()
        self._ffi, self._lib = loaded.ffi, loaded.lib
        controller, number = hierarchy(each)
        need_btf()
        opened = self._ffi.new("struct processes **")
        code = self._lib.processes_open(opened, os.fsencode(PROGRAM), controller.encode(), number)
        if code:
            raise refusal(code, "they are for Linux 6.8 and later")
        self._processes = opened[0]
        self._jobs = Numbered()
        self._cgroups = {}                      # {job: ids of the cgroups that are read as part of it}
        self._left_out = set()                  # jobs of which not all could be
        self._cells = self._ffi.new("int64_t[]", 0)

    def read(self, jobs):
        """{job: values} of those of `jobs` for which there was room and that hold still, None where it has no
        processes."""
        self._follow(jobs)
        most, width = min(self._jobs.most, self._lib.PROCESSES_JOBS), self._lib.PROCESSES_CELLS
        if len(self._cells) < most * width:
            self._cells = self._ffi.new("int64_t[]", 2 * most * width)
        compiled.check(self._lib.processes_read(self._processes, self._cells, most))
        found = rows(self._ffi, self._cells, most, width)
        return {job: found[number][1:] if found[number][0] else None for job, number in self._jobs.of.items()
                if job not in self._left_out and found[number][0] >= 0}

    def close(self):
        """Frees the program."""
        self._lib.processes_close(self._processes)
        self._processes = self._ffi.NULL

    def _follow(self, jobs):
        """Read these, as they are now. What is no part of one any more goes first: it may be part of another."""
        changed = {job: _cgroups(job) for job in self._jobs.changed(jobs)}
        gone = self._jobs.gone(jobs)
        for job in [*gone, *changed]:
            for cgroup in self._cgroups.pop(job, set()) - changed.get(job, set()):
                compiled.check(self._lib.processes_follow(self._processes, cgroup, -1))
            self._left_out.discard(job)
        for job in gone:
            self._jobs.forget(job)
        for job, cgroups in changed.items():
            self._cgroups[job] = cgroups
            if not all([self._take(cgroup, self._jobs.of[job]) for cgroup in cgroups]):
                self._left_out.add(job)

    def _take(self, cgroup, number):
        """Whether there was room for it."""
        code = self._lib.processes_follow(self._processes, cgroup, number)
        return code != -errno.ENOSPC and not compiled.check(code)


def _cgroups(job):
    """Ids of those that it is made of."""
    return {key[1] for part in job.parts for key in map(directory_key, part.directories) if key}
