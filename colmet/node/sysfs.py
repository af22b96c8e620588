"""Small files of one line, as sysfs has them (sysfs(5)), and the order of their numbered names."""
import errno
import os
import re

from colmet.node.clock import SECOND

GONE = (errno.ENODEV, errno.ENXIO, errno.ENOENT, errno.ESRCH)       # what a file says whose device is no more
RESTING = (errno.ENODATA, errno.EAGAIN)                 # what one says that is switched off, asleep or not ready
BYTES = 64                  # of a file that stays open, that are read
LONGEST = 64                # characters taken of a name or label
LOOK = 60 * SECOND          # between two looks for devices that are new


class File:
    """The file at `path`, opened by the first reading; None: it is always empty."""

    def __init__(self, path):
        self._path, self._fd = path, -1

    def read(self):
        """Its text (bytes), without blanks around. Raises OSError, with ENODEV where it was removed."""
        if self._path is None:
            return b""
        if self._fd < 0:
            self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        if os.fstat(self._fd).st_nlink == 0:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        return os.pread(self._fd, BYTES, 0).strip()

    def close(self):
        """Closes it, until the next reading."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1


def opened(path):
    """(descriptor of the file at `path`, 0); (-1, errno) where it cannot be opened; (-1, 0) for None."""
    try:
        return (-1, 0) if path is None else (os.open(path, os.O_RDONLY | os.O_CLOEXEC), 0)
    except OSError as error:
        return -1, error.errno


def text(path):
    """The text in the file, "" where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def label(path):
    """The first line in it, printable and not long."""
    return "".join(each if each.isprintable() else "?" for each in text(path).partition("\n")[0].rstrip())[:LONGEST]


def number(path):
    """The number in the file, None where there is none."""
    found = text(path)
    return int(found) if found.isdecimal() else None


def natural(name):
    """A key for sorting by the numbers in `name`."""
    return [(part.isdigit(), int(part) if part.isdigit() else part) for part in re.split(r"(\d+)", name)]
