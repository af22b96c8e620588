"""A cgroup of its own for one command: made below the one it is in, so that every limit stays; removed at the end.

One directory ``colmet_<pid>`` in each v1 hierarchy that counts something, or one in the v2 hierarchy, or a scope
of systemd (`colmet.view.scope`). See cgroups(7) and the kernel's admin-guide/cgroup-v1 and cgroup-v2.rst.
"""
import errno
import os
import time
from pathlib import Path
from typing import NamedTuple

from colmet.common.mounts import mounts
from colmet.view import scope
from colmet.view.hold import hold

V1 = ("cpuacct", "memory", "blkio", "pids", "cpuset")   # not cpu: a group there changes what CPU time a task gets
V2 = ("memory", "io", "pids")                           # cpu.stat is there without a controller
CPUSET = ("cpuset.cpus", "cpuset.mems")                 # a v1 cpuset takes no task before these are set
REMOVAL = 3.0                                           # seconds to try for: an ending task still counts as one
PAUSE = 0.05


class NoCgroup(Exception):
    """This user can make no cgroup here; the text says why."""


class Hierarchy(NamedTuple):
    """A mounted cgroup file system: its controllers (none: v2), where, and which directory of it is mounted."""
    controllers: tuple
    mount: str
    root: str
    device: int


class Made(NamedTuple):
    """A directory that was made, the controllers enabled above it for its sake (v2), and a descriptor of it: the
    lock on it says that its last readings are still to come, when the command has ended (-1: none)."""
    directory: Path
    enabled: tuple = ()
    lock: int = -1


def hierarchies(mounts):
    """The `Hierarchy`s among `mounts` (`colmet.common.mounts`) that are of use here."""
    found = []
    for mount in mounts:
        controllers = tuple(word for word in mount.options if word in V1) if mount.kind == "cgroup" else ()
        if controllers or mount.kind == "cgroup2":
            found.append(Hierarchy(controllers, mount.point, mount.top, mount.device))
    return found


def parse_membership(text):
    """{controller: path} from the text of /proc/PID/cgroup; the path in v2 has the key ""."""
    paths = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        paths.update((controller, path) for controller in controllers.split(","))
    return paths


def own_directory(hierarchy, membership):
    """The directory of the process whose `membership` it is, or None where this mount does not show it."""
    path = membership.get(hierarchy.controllers[0] if hierarchy.controllers else "")
    if path is None or not (path + "/").startswith(hierarchy.root.rstrip("/") + "/"):
        return None
    return Path(hierarchy.mount) / path[len(hierarchy.root.rstrip("/")):].lstrip("/")


class OwnCgroup:
    """The cgroup of process `pid`, which is moved into it. `directories` are absolute; `kind` says what they are,
    `reason` why one that counts memory could not be had ("" where it could). Raises NoCgroup."""

    def __init__(self, pid, proc=Path("/proc")):
        self.pid = pid
        self._made = []
        self.reason = ""
        membership = parse_membership((proc / str(pid) / "cgroup").read_text())
        here = _visible(hierarchies(mounts(proc)), membership)
        faults = []
        for hierarchy, directory in here.items():
            if hierarchy.controllers:
                self._take(directory, faults, hierarchy.controllers)
        self.kind = "cgroup v1" if self._made else ""
        if not self._has("cpuacct.usage"):
            self._take_v2(next((path for key, path in here.items() if not key.controllers), None), faults)
        if not self._made:
            raise NoCgroup(faults[0] if faults else "no cgroup file system is mounted")
        if not self._has("memory.max_usage_in_bytes", "memory.peak", "memory.current"):
            self.reason = "no memory controller in %s" % self._made[0].directory.parent

    @property
    def directories(self):
        """What the node is told to watch."""
        return [made.directory for made in self._made]

    def _has(self, *names):
        return any((made.directory / name).exists() for made in self._made for name in names)

    def _take(self, parent, faults, controllers=()):
        """Make a directory in `parent` and move the process into it; what went wrong is added to `faults`."""
        directory = parent / ("colmet_%d" % self.pid)
        enabled = () if controllers else _enable(parent)
        try:
            _clear(parent)
            directory.mkdir()
            self._made.append(Made(directory, enabled, hold(directory)))
            for name in CPUSET if "cpuset" in controllers else ():
                (directory / name).write_text((parent / name).read_text())
            (directory / "cgroup.procs").write_text("%d\n" % self.pid)
        except OSError as error:
            faults.append("%s: %s" % (parent, os.strerror(error.errno).lower()))
            if self._made and self._made[-1].directory == directory:
                _remove(self._made.pop())
            else:
                _disable(parent, enabled)

    def _take_v2(self, parent, faults):
        if parent is not None:
            self._take(parent, faults)
            if self._has("memory.current") or not scope.sensible(str(parent)):
                self.kind = "cgroup v2" if self._made else ""
                return
        if scope.sensible(str(parent)):
            mine, self._made = self._made, []
            directory = scope.move(self.pid, lambda: _v2_directory(self.pid))
            if directory:
                for made in mine:
                    _remove(made)
                self._made, self.kind = [Made(directory)], "systemd scope"
            else:
                self._made, self.kind = mine, "cgroup v2" if mine else ""

    def remaining(self):
        """Processes in it now."""
        return {pid for directory in self.directories for pid in processes(directory)}

    def remove(self):
        """Remove its directories; what still runs goes back to where it came from. Returns those that could not be."""
        if self.kind == "systemd scope":
            return []       # systemd removes it with its last process
        return [made.directory for made in reversed(self._made) if not _remove(made)]


def _visible(there, membership):
    """{hierarchy: own directory} of those that no other mount hides; the last mount of a controller counts."""
    here = {}
    for hierarchy in there:
        directory = own_directory(hierarchy, membership)
        try:
            if directory and os.stat(hierarchy.mount).st_dev == hierarchy.device and directory.is_dir():
                here = {key: path for key, path in here.items() if key.controllers != hierarchy.controllers}
                here[hierarchy] = directory
        except OSError:
            continue        # mounted where this user may not look
    return here


def candidates(word, proc=Path("/proc")):
    """Where the cgroup that a user calls `word` may be: that directory, or that path below a mounted hierarchy."""
    below = word.strip("/")
    return [Path(word).absolute()] + [Path(each.mount) / below for each in hierarchies(mounts(proc)) if below]


def _v2_directory(pid):
    membership = parse_membership(Path("/proc/%d/cgroup" % pid).read_text())
    here = _visible(hierarchies(mounts()), membership)
    return next((path for key, path in here.items() if not key.controllers), None)


def _clear(parent):
    """Remove what a `colmet run` that was killed left in `parent`: rmdir(2) refuses a cgroup that holds anything."""
    for directory in parent.glob("colmet_[0-9]*"):
        pid = directory.name[len("colmet_"):]
        if pid.isdigit() and not os.path.exists("/proc/" + pid):
            try:
                os.close(hold(directory))
                directory.rmdir()
            except OSError:
                continue        # its Colmet is still at work, or its command runs on without it


def _enable(parent):
    """Enable what counts for the children of `parent`; the controllers that were off before and are on now.
    A cgroup that holds processes refuses (no internal processes), the root does not."""
    try:
        there = (parent / "cgroup.controllers").read_text().split()
        active = (parent / "cgroup.subtree_control").read_text().split()
    except OSError:
        return ()
    return tuple(name for name in V2 if name in there and name not in active and _control(parent, "+" + name))


def _disable(parent, names):
    """Take back what `_enable` did, unless another cgroup lives by it now."""
    if names and not any(entry.is_dir() for entry in parent.iterdir()):
        for name in names:
            _control(parent, "-" + name)


def _control(parent, word):
    try:
        (parent / "cgroup.subtree_control").write_text(word)
        return True
    except OSError:
        return False


def processes(directory):
    """Processes in `directory` and below."""
    found = set()
    for folder, _, _ in os.walk(directory):
        try:
            found.update(map(int, Path(folder, "cgroup.procs").read_text().split()))
        except OSError:
            continue        # gone meanwhile, or a threaded v2 cgroup, whose processes its parent lists
    return found


def _remove(made):
    """Remove the directory and those that the command made below it; whether it is gone."""
    end = time.monotonic() + REMOVAL
    while True:
        for pid in processes(made.directory):
            _move(pid, made.directory.parent)
        gone = _remove_tree(made.directory)
        if gone or time.monotonic() > end:
            break
        time.sleep(PAUSE)
    if gone:
        _disable(made.directory.parent, made.enabled)
    if made.lock >= 0:
        os.close(made.lock)
    return gone


def _move(pid, directory):
    try:
        (directory / "cgroup.procs").write_text("%d\n" % pid)
    except OSError:
        pass                # ended meanwhile, or must stay: then the directory stays, and that is told


def _remove_tree(directory):
    for folder, _, _ in os.walk(directory, topdown=False):
        try:
            os.rmdir(folder)
        except OSError as error:
            if error.errno != errno.ENOENT:
                return False
    return True
