"""What the kernel counts for a whole cgroup: CPU time, peak of memory, I/O; cgroup v1 and v2, on kept descriptors.

Sources: cpuacct.usage (ns), memory.max_usage_in_bytes, blkio.throttle.io_service_bytes_recursive (v1); cpu.stat
(usage_usec), memory.peak, io.stat (v2): Documentation/admin-guide/cgroup-v1/ and cgroup-v2.rst of the kernel.
A kept descriptor costs a sixth of a fresh open, and answers ENODEV once its cgroup was removed.
"""
import os
import time

from colmet.common.mounts import V1, V2, directories, mounted

_CONTROLLERS = ("cpuacct", "memory", "blkio")
_READ_BYTES = 16384         # io.stat has a line of some 90 bytes for each device
_RETRY_NS = 60 * 10 ** 9     # most time between two looks for files that are not there


def parse_usage(data):
    """cpuacct.usage and memory's files: one integer."""
    return int(data)


def parse_cpu_stat(data):
    """CPU time in ns from cpu.stat, "usage_usec N" among its lines; None without."""
    for line in data.splitlines():
        if line.startswith(b"usage_usec "):
            return int(line.split()[1]) * 1000
    return None


def parse_io_stat(data):
    """(bytes read, bytes written) over all devices of io.stat, "8:0 rbytes=1 wbytes=2 rios=... " a line."""
    fields = dict.fromkeys((b"rbytes", b"wbytes"), 0)
    for word in data.split():
        name, _, value = word.partition(b"=")
        if name in fields:
            fields[name] += int(value)
    return fields[b"rbytes"], fields[b"wbytes"]


def parse_throttle(data):
    """(bytes read, bytes written) from v1's io_service_bytes, "8:0 Read 4096" a line. None while the total is 0: since
    about Linux 6.10 it counts only where a limit was once set, so that 0 says nothing."""
    sums = {b"Read": 0, b"Write": 0}
    for line in data.splitlines():
        words = line.split()
        if len(words) == 3 and words[1] in sums:
            sums[words[1]] += int(words[2])
    return (sums[b"Read"], sums[b"Write"]) if any(sums.values()) else None


_FILES = (      # what it tells, in which hierarchy, in which file, how it is read
    ("cpu", "cpuacct", "cpuacct.usage", parse_usage),
    ("cpu", V2, "cpu.stat", parse_cpu_stat),
    ("peak_memory", "memory", "memory.max_usage_in_bytes", parse_usage),
    ("peak_memory", V2, "memory.peak", parse_usage),
    ("io", "blkio", "blkio.throttle.io_service_bytes_recursive", parse_throttle),
    ("io", V2, "io.stat", parse_io_stat),
)


_NAMES = {name for name, _, _, _ in _FILES}


class Counters:
    """The counters of one cgroup by any of its directories. `values` has what was read last, by name: "cpu" (ns),
    "peak_memory" (bytes), "io" (bytes read, bytes written); `sources` V1 or V2 by the same names."""

    def __init__(self, path, root, names=_NAMES):
        self._names = names         # what is wanted of it
        self.values, self.sources = {}, {}
        self.identities = {}        # {name: (st_dev, st_ino)} of its file: one cgroup by two hierarchies has the same
        self._kept = {}             # {name: (descriptor, parse)}
        self._began = self._retry = time.monotonic_ns()
        self._lost = set()          # names whose file went with its cgroup: another under its path is another's
        self._places = directories(str(path), mounted(root), _CONTROLLERS + (V2,))

    def read(self):
        """Read all that is there; returns the names of those that still answered."""
        answered = set()
        if len(self._kept) + len(self._lost) < len(self._names) and time.monotonic_ns() >= self._retry:
            self._open_missing()
        for name, (fd, parse) in list(self._kept.items()):
            try:
                value = parse(os.pread(fd, _READ_BYTES, 0))
            except OSError:         # ENODEV: removed
                os.close(self._kept.pop(name)[0])
                self._lost.add(name)
                continue
            answered.add(name)
            if value is not None:
                self.values[name] = value
        return answered

    def close(self):
        """Free the descriptors."""
        for fd, _ in self._kept.values():
            os.close(fd)
        self._kept = {}

    def _open_missing(self):
        """Look for what is not open yet: each tick at first, as directories of one cgroup are made one by one in
        the hierarchies of v1, then the less often the longer that the cgroup has been here."""
        for name, controller, file, parse in _FILES:
            if name in self._names and name not in self._kept and name not in self._lost:
                self._open(name, controller, file, parse)
        now = time.monotonic_ns()
        self._retry = now + min((now - self._began) // 4, _RETRY_NS)

    def _open(self, name, controller, file, parse):
        for place, directory in self._places:
            if place == controller:
                try:
                    fd = os.open("%s/%s" % (directory, file), os.O_RDONLY | os.O_CLOEXEC)
                except OSError:     # not in this kernel, not this controller, or not made yet: asked again next time
                    continue
                status = os.fstat(fd)
                self._kept[name], self.identities[name] = (fd, parse), (status.st_dev, status.st_ino)
                self.sources[name] = V2 if controller == V2 else V1
                return
