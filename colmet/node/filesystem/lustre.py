"""Lustre clients: the `stats` of each mount, NAME-ADDRESS/stats in one of three places, by version of Lustre.

    snapshot_time             1510950459.772792457 secs.nsecs
    start_time                1510930459.772792457 secs.nsecs                              (2.15)
    read_bytes                3 samples [bytes] 4096 1048576 2101248                       least, most, sum
    write_bytes               3 samples [bytes] 4096 1048576 2101248 2199040034816         (2.14) and sum of squares
    open                      136 samples [regs]

A name that was not used yet is not there; writing into the file sets all to 0. See the Lustre manual, section 39.
"""
import errno
import os
import re
from pathlib import Path

from colmet.node.backends import Unavailable
from colmet.node.capabilities import give
from colmet.node.clock import SECOND, boottime
from colmet.node.filesystem.files import Kept
from colmet.node.filesystem.reading import Reading, printable
from colmet.node.log import Faults

KIND = "lustre"
PLACES = tuple(map(Path, ("proc/fs/lustre/llite", "sys/kernel/debug/lustre/llite", "sys/fs/lustre/llite")))
_LOOK = 60 * SECOND          # between two looks for mounts
METADATA = ("open", "close", "readdir", "setattr", "truncate", "getattr", "create", "link", "unlink", "symlink",
            "mkdir", "rmdir", "mknod", "rename", "statfs", "setxattr", "getxattr", "listxattr", "removexattr")
_ENTRY = re.compile(r"(.+)-[0-9a-f]{4,16}")
_LINE = re.compile(rb"^(\w+):? +(\d{1,20}) samples \[\w+\](?: -?\d+ -?\d+ (\d{1,20})\b)?", re.MULTILINE)
_START = re.compile(rb"^start_time:? +(\d{10,11})\.(\d{9})\b", re.MULTILINE)       # before 2001: no Unix time
_IS_STATS = re.compile(rb"^snapshot_time", re.MULTILINE)


class Clients:
    """The mounts of Lustre below `root`: `lacks` says of those that may not be read why, and what to do. Raises
    Unavailable where there is no Lustre."""

    def __init__(self, root):
        self._root, self._faults, self._due = root, Faults(), 0
        self._files = {}            # {entry: Kept}
        self.lacks = {}
        self._look()
        for entry in self._files:
            self._try(entry)
        if not self._files:
            raise Unavailable("no Lustre client in %s; mount Lustre, then start colmet-node again or send it SIGHUP"
                              % ", ".join(str(root / place) for place in PLACES))

    def read(self, mounts=()):
        """[Reading] of each mount, its `key` being the entry; `mounts` are those of the node (`colmet.common.mounts`),
        to say where it is mounted. Values are None while it cannot be read."""
        if boottime() >= self._due:
            self._look()
        systems = list(map(system, self._files))
        return [self._reading(entry, mounts if systems.count(system(entry)) == 1 else ())
                for entry in list(self._files)]

    def look(self):
        """Look for mounts at the next reading."""
        self._due = 0

    def close(self):
        """Close the files."""
        for file in self._files.values():
            file.close()

    def _look(self):
        """Take up what is mounted now: a file is kept where it is as before."""
        self._due = boottime() + _LOOK
        found = {}
        for place in PLACES:
            for entry in _listed(self._root / place):
                path = self._root / place / entry / "stats"
                if _ENTRY.fullmatch(entry) and (entry not in found or not os.path.exists(found[entry])):
                    found[entry] = path
        for entry in set(self._files) - {entry for entry, path in found.items() if self._at(entry) == path}:
            self._files.pop(entry).close()
        for entry, path in sorted(found.items()):
            self._files.setdefault(entry, Kept(path))

    def _at(self, entry):
        return self._files[entry].path if entry in self._files else None

    def _try(self, entry):
        try:
            self._files[entry].read()
        except PermissionError:
            self.lacks[system(entry)] = "%s may be read by root only; %s" % (self._files[entry].path,
                                                                             give("CAP_DAC_READ_SEARCH"))
        except FileNotFoundError as error:
            self.lacks[system(entry)] = "no statistics at %s; %s" % (error.filename or self._files[entry].path, _remedy(
                self._root))
        except OSError:
            pass                    # a later reading tells

    def _reading(self, entry, mounts):
        values, since = dict.fromkeys(_VALUES), None
        try:
            text = self._files[entry].read()
            if _IS_STATS.search(text):
                since, values = _since(text), parse(text)
            else:
                self._faults.add(entry, "lustre: %s holds no statistics; those of %s are missing until it does"
                                 % (self._files[entry].path, system(entry)))
        except OSError as error:
            self._due = 0           # mounted anew, it has another entry
            if system(entry) not in self.lacks:
                self._faults.add("%s %s" % (entry, error.errno), "lustre: %s: %s; those of %s are missing until it can "
                                 "be read" % (self._files[entry].path, os.strerror(error.errno or errno.EIO).lower(),
                                              system(entry)))
        return Reading((KIND, entry), KIND, where(entry, mounts), since, values)


_VALUES = ("reads", "bytes_read", "writes", "bytes_written", "opens", "closes", "metadata")


def parse(text):
    """{metric: value} from the text (bytes) of `stats`."""
    counts, sums = {}, {}
    for name, count, total in _LINE.findall(text):
        counts[name.decode()], sums[name.decode()] = int(count), int(total or 0)
    return dict(zip(_VALUES, (
        counts.get("read_bytes", 0), sums.get("read_bytes", 0),
        counts.get("write_bytes", 0), sums.get("write_bytes", 0),
        counts.get("open", 0), counts.get("close", 0), sum(counts.get(name, 0) for name in METADATA))))


def system(entry):
    """The name of the file system of an `entry`: scratch-ffff88017d1b6800 is one of scratch."""
    match = _ENTRY.fullmatch(entry)
    return printable(match.group(1)) if match else printable(entry)


def where(entry, mounts):
    """The mount point, where only one mount can be meant; else the name of the file system."""
    name = system(entry)
    points = {mount.device: mount.point for mount in reversed(mounts)
              if mount.kind == KIND and mount.source.partition(":/")[2].partition("/")[0] == name}
    return next(iter(points.values())) if len(points) == 1 else name


def _since(text):
    match = _START.search(text)
    return int(match.group(1)) * SECOND + int(match.group(2)) if match else None


def _remedy(root):
    folder = root / "sys" / "kernel" / "debug"
    if not os.access(folder, os.R_OK | os.X_OK, effective_ids=True):
        return give("CAP_DAC_READ_SEARCH")
    if not _listed(folder):
        return "mount -t debugfs debugfs %s" % folder
    return "they come with the modules of the client: check that those are loaded whole"


def _listed(folder):
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
