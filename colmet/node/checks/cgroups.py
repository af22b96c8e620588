"""What the kernel counts for a cgroup, and of which version: read from a real one as the node reads it."""
import os
from pathlib import Path
from typing import NamedTuple, Optional, Tuple

from colmet.common.mounts import V2, mounted
from colmet.common.schema import MISSING
from colmet.node.checks import ON, PART, Finding
from colmet.node.cgroup.counters import Counters
from colmet.node.cgroup.group import METRICS
from colmet.node.jobs.job import Cgroup, Job, directory_key

AREA = "cgroups"


class Counted(NamedTuple):
    """What is read: its name, its metric in the table cgroup, the controllers of v1 and of v2 that tell ("": v2 itself
    does; None: v1 never does), the option of the kernel, and the metrics."""
    name: str
    metric: str
    old: Optional[str]
    new: str
    option: str
    costs: Tuple[str, ...]


COUNTED = (
    Counted("cpu", "cpu", "cpuacct", "", "CONFIG_CGROUP_CPUACCT",
            ("cgroup.cpu", "cgroup.user", "cgroup.system", "job.cpu", "account.cpu", "account.explained")),
    Counted("memory", "memory_current", "memory", "memory", "CONFIG_MEMCG",
            ("cgroup.memory_current", "cgroup.memory_peak", "cgroup.memory_anon", "cgroup.oom_kill",
             "job.peak_memory")),
    Counted("io", "io_read_bytes", "blkio", "io", "CONFIG_BLK_CGROUP",
            ("cgroup.io_read_bytes", "cgroup.io_write_bytes", "job.read_bytes", "job.write_bytes")),
    Counted("pids", "pids", "pids", "pids", "CONFIG_CGROUP_PIDS", ("cgroup.pids", "cgroup.pids_peak")),
    Counted("pressure", "cpu_some", None, "", "CONFIG_PSI, and psi=1 on its command line",
            ("cgroup.cpu_some", "cgroup.memory_some", "cgroup.io_some")),
)
ACCOUNTING = {"io": "IO", "pids": "Tasks"}          # systemd's words where they are not the controller's


def version(mounts):
    """"v1", "v2", "hybrid" (a v2 beside controllers of v1) or "none"; `mounts` as from `colmet.common.mounts`."""
    old = any(mount.controllers & {each.old for each in COUNTED} for mount in mounts)
    new = any(V2 in mount.controllers for mount in mounts)
    return ("hybrid" if new else "v1") if old else "v2" if new else "none"


def cgroups(values):
    """A Finding for each of COUNTED."""
    root = Path(values.root)
    mounts = mounted(root)
    kind, path = version(mounts), _one(values, root, mounts)
    if path is None:
        for each in COUNTED:
            yield Finding(AREA, "cgroup " + each.name, PART, "no cgroups are mounted",
                          "mount -t cgroup2 cgroup2 /sys/fs/cgroup", each.costs, False)
        return
    found, versions = _read(path, root)
    for each in COUNTED:
        name = "cgroup " + each.name
        if not found:
            yield Finding(AREA, name, PART, versions, "", each.costs, False)
        elif found[each.metric] != MISSING:
            yield Finding(AREA, name, ON, "%s, on a machine with %s" % (versions[each.metric], kind), asked=False)
        elif versions[each.metric]:
            yield Finding(AREA, name, PART, "%s shows none: kernels since about 6.10 count it only for a cgroup of v1 "
                          "where a limit was once set" % versions[each.metric],
                          "cgroup v2, or --blkio-rule", each.costs, False)
        elif _only_below(each, path, mounts):
            yield Finding(AREA, name, ON, "has its controller; tried at the top of a hierarchy, where no counters are",
                          asked=False)
        else:
            yield Finding(AREA, name, PART, *_lacking(each, path, root, mounts), each.costs, False)


def _only_below(counted, path, mounts):
    """Whether `path` is the top of a hierarchy, where some counters are not, and those below will have them."""
    here = [mount for mount in mounts if os.path.realpath(mount.point) == path]
    below = [mount for mount in mounts if counted.old in mount.controllers or counted.new and V2 in mount.controllers
             and counted.new in _words(mount.point + "/cgroup.controllers")]
    return bool(here and below)


def _read(path, root):
    """({metric of the table cgroup: value}, {metric: V1, V2 or None}) of the cgroup `path`; ({}, fault) where
    nothing can be read."""
    job, counters = Job(""), Counters(root)
    job.parts = (Cgroup(path, directory_key(path)),)
    try:
        if counters.fault:
            return {}, counters.fault
        row = counters.read([job])[job]
        return dict(zip(METRICS, row)), {name: counters.version(job, name) for name in METRICS}
    finally:
        counters.close()


def _one(values, root, mounts):
    """The directory of a cgroup to look at: a root of jobs, or else any; None where there is none."""
    paths = [os.path.join(str(root), path.lstrip("/")) for path in values.cpuset_rootpath]
    paths += [mount.point for mount in mounts if mount.controllers & {each.old for each in COUNTED}]
    paths += [mount.point + _own(root) for mount in mounts if V2 in mount.controllers]
    return next((path for path in map(os.path.realpath, paths) if os.path.isdir(path)), None)


def _own(root):
    """The path of this process in v2 (cgroups(7), /proc/PID/cgroup)."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return ""
    return next((line[3:] for line in lines if line.startswith("0::")), "")


def _lacking(counted, path, root, mounts):
    """(why, what to do) where the counter is not there."""
    if counted.old is None:
        if version(mounts) != "v2":
            return "%s is in a hierarchy of v1, or of v2 without it (%s)" % (path, counted.option), "cgroup v2"
        return "this kernel has none (%s)" % counted.option, "another kernel"
    if any(counted.old in mount.controllers for mount in mounts):
        return "%s has no counter in the hierarchy of %s" % (path, counted.old), ""
    state = _states(root).get(counted.old)
    if state is None:
        return "this kernel has no controller %s (%s)" % (counted.old, counted.option), "another kernel"
    if state == "0":
        return ("the controller %s is switched off" % counted.old,
                "cgroup_enable=%s on the kernel's command line" % counted.old)
    for mount in mounts:
        if V2 in mount.controllers and counted.new in _words(mount.point + "/cgroup.controllers"):
            return ("the controller %s is not handed down to %s" % (counted.new, path),
                    "echo +%s > %s/cgroup.subtree_control, or %sAccounting=yes in systemd"
                    % (counted.new, os.path.dirname(path), ACCOUNTING.get(counted.new, counted.new.title())))
    return ("the controller %s is not mounted" % counted.old,
            "mount -t cgroup -o %s cgroup /sys/fs/cgroup/%s" % (counted.old, counted.old))


def _states(root):
    """{controller: "1" or "0"} from /proc/cgroups (cgroups(7)), those that this kernel has."""
    try:
        lines = (root / "proc/cgroups").read_text().splitlines()
    except OSError:
        return {}
    return {words[0]: words[3] for words in (line.split() for line in lines) if len(words) == 4}


def _words(path):
    try:
        return Path(path).read_text().split()
    except OSError:
        return []
