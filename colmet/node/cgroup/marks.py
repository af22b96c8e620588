"""What is written to the cgroups of jobs, and only where an option asks for it: watermarks reset, I/O made to count.

memory.max_usage_in_bytes of v1 begins anew for all who read it; memory.peak of v2, since Linux 6.12, only for the
descriptor that was written to (the kernel's admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst).
"""
import os

from colmet.common.mounts import V2, directories, mounted
from colmet.node.jobs.job import Cgroup

_FILES = {"memory": "memory.max_usage_in_bytes", V2: "memory.peak"}
_LEAST_RULE = 10 ** 12          # bytes per second: a limit that no device meets


class Watermarks:
    """The most memory of each job since the last look, by descriptors that are open for that alone."""

    def __init__(self, root):
        self._root, self._jobs = root, {}       # {job: (parts, [descriptor])}
        self._most = {}                         # {job: greatest that was seen}

    def take(self, job):
        """(most bytes since the last call, most of all) of `job`, reset; None where it cannot be."""
        parts, fds = self._jobs.get(job, (None, ()))
        if parts is not job.parts:
            self.forget(job)
            fds = _opened(job, self._root)
            self._jobs[job] = job.parts, fds
        found = [value for value in map(_taken, fds) if value is not None]
        if found:
            self._most[job] = max(found + [self._most.get(job, 0)])
        return max(found, default=None), self._most.get(job)

    def forget(self, job):
        """Close what is open for `job`."""
        for fd in self._jobs.pop(job, (None, ()))[1]:
            os.close(fd)


def _opened(job, root):
    fds, hierarchies = [], mounted(root)
    for part in job.parts:
        for controller, folder in directories(part.path, hierarchies, _FILES) if isinstance(part, Cgroup) else ():
            try:
                fds.append(os.open("%s/%s" % (folder, _FILES[controller]), os.O_RDWR | os.O_CLOEXEC))
            except OSError:         # not this controller, not for us, or before Linux 6.12
                continue
    return fds


def _taken(fd):
    try:
        value = int(os.pread(fd, 32, 0))
        os.pwrite(fd, b"0", 0)
    except (OSError, ValueError):       # ENODEV: gone
        return None
    return value


def count_io(job, root):
    """Make blkio of v1 count what `job` does: since about Linux 6.10 it does so only on devices for which a limit was
    once set. Set one that none can meet, and take it away."""
    devices = [line for line in map(_number, _disks(root)) if line]
    hierarchies = mounted(root)
    for part in job.parts:
        for _, folder in directories(part.path, hierarchies, ("blkio",)) if isinstance(part, Cgroup) else ():
            for device in devices:
                for limit in (_LEAST_RULE, 0):
                    _write(folder + "/blkio.throttle.read_bps_device", "%s %d" % (device, limit))


def _disks(root):
    block = root / "sys" / "block"
    return sorted(block.iterdir()) if block.is_dir() else []


def _number(disk):
    """"8:0" of a disk in /sys/block; "" of one without a device behind it."""
    try:
        return (disk / "dev").read_text().strip() if (disk / "size").read_text().strip() != "0" else ""
    except OSError:
        return ""


def _write(path, text):
    try:
        with open(path, "w") as file:
            file.write(text)
    except OSError:         # not this controller, or a device that knows no limits
        pass
