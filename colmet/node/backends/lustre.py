"""Traffic with Lustre in the columns of 0.6: the sum over the mounts of the file systems that --lustre-prefix names."""
from fnmatch import fnmatchcase

from colmet.common.metrics.lustre import TABLE
from colmet.node.filesystem.lustre import Clients, system

TABLES = (TABLE,)
METRICS = ("reads", "bytes_read", "writes", "bytes_written")        # in the order of the columns


class Backend:
    """The clients of Lustre below `root`; `options.lustre_prefix` names the file system, * and ? stand for any
    characters. Raises Unavailable where there is no Lustre."""

    def __init__(self, root, options):
        self._clients, self._prefix = Clients(root), options.lustre_prefix
        names = sorted({system(reading.key[1]) for reading in self._clients.read()})
        self.lacks = {name: why for name, why in self._clients.lacks.items() if fnmatchcase(name, self._prefix)}
        if not any(fnmatchcase(name, self._prefix) for name in names):
            self.lacks[self._prefix] = "the file systems of this node are %s; say which by --lustre-prefix, " \
                                       "'*' for all" % ", ".join(names)

    def sample(self, jobs):
        """One row, of all that fit; none while none does. What one of them does not tell is not known of the sum."""
        fitting = [reading.values for reading in self._clients.read()
                   if fnmatchcase(system(reading.key[1]), self._prefix)]
        if not fitting:
            return {}
        columns = [[values[metric] for values in fitting] for metric in METRICS]
        return {TABLE.name: [(None, "", [None if None in column else sum(column) for column in columns])]}

    def close(self):
        """Closes the files."""
        self._clients.close()
