"""Whether devices came or went since they were all found last: to find them anew takes long."""
import os

from colmet.node.clock import boottime
from colmet.node.sysfs import LOOK, number

EVENTS = "sys/kernel/uevent_seqnum"     # the kernel counts there what it tells of devices that come, go or change
SELDOM = 10 * LOOK                      # a driver that adds files to a device that is there may tell nothing


class Listing:
    """The folders below `root` of `places`, [(folder, pattern of the names in it)]."""

    def __init__(self, root, *places):
        self._places = [(root / folder, pattern) for folder, pattern in places]
        self._events, self._event, self._found, self._due = root / EVENTS, None, None, 0

    def changed(self):
        """Whether they are not what they were when this was asked last; the first time they are not. While the kernel
        told of no device, they are as they were."""
        now, event = boottime(), number(self._events)
        if event is not None and event == self._event and now < self._due:
            return False
        before, self._found = self._found, [identities(*place) for place in self._places]
        self._event, self._due = event, now + SELDOM
        return before != self._found

    def forget(self):
        """What is there now may be another: the next time it changed."""
        self._event = self._found = None


def identities(folder, pattern):
    """What is another when other folders with names that match `pattern` whole are in `folder`, other devices of them,
    or other files in these than before: for each its inode, which the kernel gives to no later one, and names."""
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
