"""The readers of what tasks did, the best first: each is tried, and where it does not open, its reason is kept.

A reader has `name`; `tables`, the names of those that it can fill; `read(jobs)`, which gives {job: (live, total)} for
those jobs that it can read: `live` is the number of live tasks and their sums in the order of the table
taskstats_default, `total` the first values of the table account, those by tasks, or None; `lost`, how many ends of
tasks it could not count; and `close()`.
"""
from colmet.common.metrics import account as account_table
from colmet.common.metrics import taskstats
from colmet.common.schedulers import rules
from colmet.node.account.bpf import Account
from colmet.node.account.netlink import Netlink
from colmet.node.account.proc import Proc
from colmet.node.backends import Unavailable
from colmet.node.cgroup.hierarchies import Hierarchies, places
from colmet.node.jobs.job import directory_key
from colmet.node.jobs.trails import Trails

AUTO = "auto"


class Bpf:
    """Jobs that are cgroups, whatever is in them: the kernel adds up their tasks (`colmet.node.account.bpf`)."""
    name = "bpf"
    tables = (taskstats.TABLE.name, account_table.TABLE.name)

    def __init__(self, root, options):
        self._places, self._roots = places(root, options), set()
        self._trails = Trails(rules(options.scheduler, options.rule), root, self._follow)
        self._seen = set()                              # jobs read before
        self._accounts = Hierarchies(lambda each: Account(each, options.account_pins), self._places)
        self._follow_roots()
        self._trails.scan()

    def read(self, jobs):
        """Both for all jobs that are cgroups of one hierarchy; for the last time for those that went."""
        self._follow_roots()
        if not self._seen.issuperset(jobs):
            self._trails.scan()     # who comes the same way after them counts from the first task
        self._seen = set(jobs)
        found = {}
        for reader, members in self._accounts.shared(jobs):
            found.update(reader.read(members))
        for job, (live, _) in found.items():
            job.counted(live[0])
        return found

    @property
    def lost(self):
        """Cgroups for which there was no room."""
        return sum(reader.lost for reader in self._accounts.opened())

    def close(self):
        """Stops the programs."""
        self._accounts.close()

    def _follow_roots(self):
        """Follow those that are there now and were not before."""
        for path in self._places:
            self._follow(path)

    def _follow(self, path):
        """Follow what is made in the directory `path`, unless it is a whole hierarchy, which has more than jobs."""
        key = directory_key(path)
        account = key and key not in self._roots and path not in self._trails.tops and self._accounts.of(key[0])
        if account:
            account.follow_root(path)
            self._roots.add(key)


READERS = (Bpf, Netlink, Proc)


class Readers:
    """The readers that opened of those that `options.task_reader` asks for, each for the jobs that the ones before it
    cannot read. `name` is that of the first; `refused` gives for each better one why not; `tables`, the names of those
    that they can fill. Raises Unavailable where none opens."""

    def __init__(self, root, options):
        self._open, refused = [], {}
        for kind in READERS:
            if options.task_reader in (AUTO, kind.name):
                try:
                    self._open.append(kind(root, options))
                except Unavailable as reason:
                    refused[kind.name] = str(reason)
        if not self._open:
            raise Unavailable(list(refused.values())[-1])
        self.name = self._open[0].name
        self.tables = {table for reader in self._open for table in reader.tables}
        names = [kind.name for kind in READERS]
        self.refused = {name: refused[name] for name in names[:names.index(self.name)] if name in refused}

    def read(self, jobs):
        """[(reader, what it read)], each job once."""
        readings, rest = [], jobs
        for reader in self._open:
            if rest or reader is self._open[0]:
                readings.append((reader, reader.read(rest)))
                rest = [job for job in rest if job not in readings[-1][1]]
        return readings

    def close(self):
        """Closes them."""
        for reader in self._open:
            reader.close()
