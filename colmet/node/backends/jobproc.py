"""What the processes of each job did and hold, as /proc/PID/io and /proc/PID/status have it (proc(5)), from the best
reader that this machine has: BPF, or these files.

Both are per process, so each process counts once, however many threads it has. Bytes, counts and kB as in the files. A
job without processes has no row.
"""
from colmet.common.metrics.jobproc import TABLE
from colmet.node.account.readers import AUTO
from colmet.node.backends import Unavailable
from colmet.node.jobproc.bpf import Bpf
from colmet.node.jobproc.files import Files

TABLES = (TABLE,)


class Backend:
    """Raises Unavailable without `root`/proc."""

    def __init__(self, root, options):
        self._readers, self.refused = [Files(root)], {}
        if options.task_reader in (AUTO, Bpf.name):
            try:
                self._readers.insert(0, Bpf(root, options))
            except Unavailable as reason:
                self.refused[Bpf.name] = str(reason)
        self.reader = self._readers[0].name

    def sample(self, jobs):
        """One row for each job that has processes."""
        found, rest = {}, jobs
        for reader in self._readers:
            found.update(reader.read(rest))
            rest = [job for job in rest if job not in found]
        return {TABLE.name: [(job, "", found[job]) for job in jobs if found[job]]}

    def close(self):
        """Closes the readers."""
        for reader in self._readers:
            reader.close()
