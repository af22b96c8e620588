"""Shared file systems of the node: a row for each Lustre, NFS, GPFS and BeeGFS that is mounted.

Which are, mountinfo says at each tick. Lustre and NFS are files of the kernel; GPFS and BeeGFS are asked by their own
programs, in a thread: their rows are as of the tick before.
"""
import os
import time

from colmet.common import mounts
from colmet.common.metrics.filesystem import TABLE
from colmet.node.backends import Unavailable
from colmet.node.filesystem import beegfs, gpfs, lustre, nfs
from colmet.node.filesystem.asked import Asked
from colmet.node.filesystem.command import Command
from colmet.node.filesystem.files import MOST, Kept
from colmet.node.filesystem.reading import Beginnings, Names
from colmet.node.log import Faults

TABLES = (TABLE,)
METRICS = [metric.name for metric in TABLE.metrics][1:]         # `since` is the first
NONE_YET = "no Lustre, NFS, GPFS or BeeGFS is mounted yet; they are measured as soon as they are"
PROCESSES = ("1", "self")       # whose mounts: the machine's where they may be read, else those that the node sees


class Backend:
    """The file systems of the machine below `root`. Raises Unavailable where nothing tells of mounts."""

    def __init__(self, root, options):
        self._root, self._faults, self._told = root, Faults(), b""
        self._info, self._stats = self._open()
        self._lustre, self._mounts = None, []
        self._names, self._beginnings = Names(), Beginnings()
        command = Command()
        monitors = [gpfs.Monitor(root, command)]
        if options.beegfs_ctl:
            monitors.append(beegfs.Monitor(root, command, options.beegfs_ctl))
        self._asked = Asked(monitors, command)
        self._look()
        self.lacks = self._lacking(monitors)

    def sample(self, jobs):
        """A row for each file system."""
        self._look()
        found = self._of_lustre() + self._of_nfs() + self._asked.latest(self._mounts)
        now, rows = time.time_ns(), []
        for name, reading in self._names.give(found):
            since = self._beginnings.since(name, reading, now)
            rows.append((None, name, [since] + [reading.values.get(metric) for metric in METRICS]))
        return {TABLE.name: rows}

    def close(self):
        """Closes the files, and ends the program that is asked."""
        self._asked.stop()
        for each in (self._info, self._stats, self._lustre):
            if each:
                each.close()

    def _open(self):
        """(mountinfo, mountstats) of the first process whose mountstats may be read."""
        for process in PROCESSES:
            folder = self._root / "proc" / process
            info, stats = Kept(folder / "mountinfo"), Kept(folder / "mountstats")
            try:
                info.read()
                stats.read()
            except OSError:
                info.close()
                continue
            return info, stats
        raise Unavailable("neither %s; mount proc there" % " nor ".join(
            str(self._root / "proc" / process / "mountstats") + " can be read" for process in PROCESSES))

    def _look(self):
        """What is mounted now."""
        told = self._info.read()
        if told == self._told:
            return
        self._told, self._mounts = told, mounts.parse(os.fsdecode(told))
        if self._lustre:
            self._lustre.look()
            return
        try:
            self._lustre = lustre.Clients(self._root)
        except Unavailable as reason:
            if any(mount.kind == lustre.KIND for mount in self._mounts):
                self._faults.add("lustre", "filesystem: Lustre is mounted, but %s" % reason)

    def _of_lustre(self):
        return self._lustre.read(self._mounts) if self._lustre else []

    def _of_nfs(self):
        if not any(mount.kind in nfs.FSTYPES for mount in self._mounts):
            return []
        try:
            text = self._stats.read()
        except OSError as error:
            self._faults.add("nfs", "filesystem: %s: %s; NFS is missing until it can be read"
                             % (self._stats.path, error.strerror.lower()))
            return []
        if len(text) >= MOST:
            self._faults.add("large", "filesystem: %s has more than %d MiB; NFS mounts beyond are missing"
                             % (self._stats.path, MOST >> 20))
        return nfs.readings(text, self._mounts)

    def _lacking(self, monitors):
        kinds = {mount.kind for mount in self._mounts}
        lacks = dict(self._lustre.lacks) if self._lustre else {}
        lacks.update((monitor.kind, monitor.lacks()) for monitor in monitors
                     if monitor.kind in kinds and monitor.lacks())
        if beegfs.KIND in kinds and beegfs.KIND not in {monitor.kind for monitor in monitors}:
            lacks[beegfs.KIND] = beegfs.NOT_ASKED
        if not self._lustre and not kinds & {gpfs.KIND, beegfs.KIND, *nfs.FSTYPES}:
            lacks["mounts"] = NONE_YET
        return lacks
