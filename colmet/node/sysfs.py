"""Small files of one line, as sysfs has them (sysfs(5)), and the order of their numbered names."""
import errno
import os
import re

from colmet.node.clock import SECOND

GONE = (errno.ENODEV, errno.ENXIO, errno.ENOENT)        # what a file says whose device is no more
RESTING = (errno.ENODATA, errno.EAGAIN)                 # what one says that is switched off, asleep or not ready
LOOK = 60 * SECOND          # between two looks for devices that are new


def text(path):
    """The text in the file, "" where it cannot be read."""
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def number(path):
    """The number in the file, None where there is none."""
    found = text(path)
    return int(found) if found.isdecimal() else None


def identities(folder, pattern):
    """What is another when other folders with names that match `pattern` whole are in `folder`, other devices of them,
    or other files in these than before: for each its inode, which the kernel gives to no later one, and names. To
    compare that costs a twentieth of finding all again."""
    try:
        names = filter(pattern.fullmatch, os.listdir(folder))
    except OSError as error:
        return error.errno
    return [_identity("%s/%s%s" % (folder, name, place)) for name in names for place in ("", "/device")]


def _identity(folder):
    try:
        return folder, os.stat(folder).st_ino, os.listdir(folder)
    except OSError as error:
        return folder, error.errno


def natural(name):
    """A key for sorting by the numbers in `name`."""
    return [(part.isdigit(), int(part) if part.isdigit() else part) for part in re.split(r"(\d+)", name)]
