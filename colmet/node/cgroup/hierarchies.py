"""Hierarchies of cgroups by their st_dev: those of version 1, and version 2."""
import os
from pathlib import Path

from colmet.common.mounts import mounts
from colmet.node.backends import Unavailable
from colmet.node.jobs.job import Cgroup, directory_key


def hierarchy(device, proc=Path("/proc")):
    """(controller, number) of the hierarchy of cgroups whose st_dev is `device`: ("", 0) for cgroup v2. Raises
    Unavailable where that is none, or none with a controller."""
    numbers = {}
    for line in (proc / "self" / "cgroup").read_text().splitlines():
        number, controllers, _ = line.split(":", 2)
        numbers.update(dict.fromkeys(controllers.split(","), int(number)))
    for mount in mounts(proc):
        if mount.device != device:
            continue
        if mount.kind == "cgroup2":
            return "", 0
        known = [name for name in mount.options if name in numbers]
        if mount.kind == "cgroup" and known:
            return known[0], numbers[known[0]]
    raise Unavailable("no hierarchy of cgroups with a controller")


def places(root, options):
    """Real paths of the directories of --cpuset_rootpath below `root`."""
    return [os.path.realpath(os.path.join(str(root), path.lstrip("/"))) for path in options.cpuset_rootpath]


def usual(proc=Path("/proc")):
    """st_dev of the hierarchy in which jobs mostly are: that of cpuset, or else cgroup v2; None without either."""
    there = mounts(proc)
    return next((mount.device for mount in there if mount.kind == "cgroup" and "cpuset" in mount.options),
                next((mount.device for mount in there if mount.kind == "cgroup2"), None))


def device(job):
    """st_dev of the one file system in which `job` has all its cgroups; None where it is not made of such alone."""
    if len(job.parts) == 1:
        return job.parts[0].key[0] if isinstance(job.parts[0], Cgroup) else None
    devices = {part.key[0] if isinstance(part, Cgroup) else None for part in job.parts}
    return devices.pop() if len(devices) == 1 else None


class Hierarchies:
    """What `opens(st_dev)` gives for each; it raises Unavailable where there is nothing to open. First those in which
    the directories `places` are, of which it raises; then those of jobs elsewhere."""

    def __init__(self, opens, places):
        self._opens, self._open = opens, {}     # the latter: {st_dev: what was opened, or None}
        here = {key[0] for key in map(directory_key, places) if key}
        try:
            for each in here or {usual()}:
                self._open[each] = opens(each)
        except Unavailable:
            self.close()
            raise

    def of(self, each):
        """What is open for the one whose st_dev is `each`; None where it does not open, and of None."""
        if each is not None and each not in self._open:
            try:
                self._open[each] = self._opens(each)
            except Unavailable:
                self._open[each] = None
        return self._open.get(each)

    def shared(self, jobs):
        """[(what is open, those of `jobs` that are of that one)], of all that are open."""
        members = {each: [] for each in self._open}
        for job in jobs:
            members.setdefault(device(job), []).append(job)
        return [(self.of(each), found) for each, found in members.items() if self.of(each)]

    def opened(self):
        """List of all that is open."""
        return [each for each in self._open.values() if each]

    def close(self):
        """Close them."""
        for each in self.opened():
            each.close()
        self._open = {}
