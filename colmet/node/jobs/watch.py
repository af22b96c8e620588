"""Watches on directories by inotify(7), through pyinotify, which no other module imports.

A cgroup file system tells of directories made and removed in a watched one, and of a write to one of its files. It
never says that the watched directory itself is gone (no IN_DELETE_SELF, no IN_IGNORED): whoever knows must `drop`
it, else the watch counts against the user's limit for ever.
"""
import logging
import os
import struct

import pyinotify

MADE, GONE, WRITTEN, LOST = "made", "gone", "written", "lost"
_HEADER = struct.Struct("iIII")         # watch, mask, cookie, length of the name that follows (inotify(7))
_DIRECTORY = (pyinotify.IN_CREATE | pyinotify.IN_DELETE | pyinotify.IN_MOVED_FROM | pyinotify.IN_MOVED_TO
              | pyinotify.IN_ONLYDIR)
_READ_BYTES = 65536


class Watches:
    """The watched directories. `fd` is readable when there are events, -1 where inotify is not to be had; `fault`
    is then, or once a watch was refused, the reason and the remedy."""

    def __init__(self):
        logging.getLogger("pyinotify").setLevel(logging.CRITICAL)   # it would write lines of its own on stderr
        self.fd, self.fault = -1, ""
        self._paths, self._numbers = {}, {}
        try:
            self._manager = pyinotify.WatchManager()
        except OSError:
            self._manager = None
            self.fault = _remedy("no inotify instance", "max_user_instances")
            return
        self.fd = self._manager.get_fd()
        os.set_inheritable(self.fd, False)
        os.set_blocking(self.fd, False)

    def add(self, path, writes=False):
        """Watch the directory `path` (text) for what is made and removed in it and, with `writes`, for writes to its
        files; again with another `writes` changes that. Returns False where it cannot be watched or is gone."""
        if self._manager is None:
            return False
        mask = _DIRECTORY | (pyinotify.IN_MODIFY if writes else 0)
        try:
            number = self._manager.add_watch(path, mask, quiet=False)[path]
        except pyinotify.WatchManagerError as error:
            if "ENOENT" not in str(error) and "ENOTDIR" not in str(error):
                self.fault = self.fault or _refused(path, str(error))
            return False
        except UnicodeEncodeError:      # a name that is not UTF-8: pyinotify cannot pass it on, scans must do
            return False
        if self._numbers.get(path, number) != number:
            self.drop(path)             # another directory had this name before
        self._numbers[path], self._paths[number] = number, path
        return True

    def drop(self, path):
        """Forget the directory `path`; nothing where it was not watched."""
        number = self._numbers.pop(path, None)
        if number is not None and self._paths.get(number) == path:
            del self._paths[number]
            self._manager.rm_watch(number)

    def read(self):
        """What happened since the last call, in order: [(MADE | GONE | WRITTEN, directory, name)], names as in
        `os.fsdecode`; (LOST, "", "") where the kernel's queue was full and the directories must be listed again."""
        events = []
        try:
            while self.fd >= 0:
                events += parse(os.read(self.fd, _READ_BYTES), self._paths)
        except BlockingIOError:
            pass
        return events

    def close(self):
        """Free the descriptor and with it all watches."""
        if self._manager is not None:
            self._manager.close()
            self._manager, self.fd = None, -1


def parse(data, paths):
    """Events from what read(2) gave on an inotify descriptor; `paths` is the directory of each watch."""
    events, place = [], 0
    while place < len(data):
        number, mask, _, length = _HEADER.unpack_from(data, place)
        place += _HEADER.size + length
        if mask & pyinotify.IN_Q_OVERFLOW:
            events.append((LOST, "", ""))
        elif number in paths:
            kind = _kind(mask)
            if kind:
                name = data[place - length:place].split(b"\0", 1)[0]
                events.append((kind, paths[number], os.fsdecode(name)))
    return events


def _kind(mask):
    if mask & (pyinotify.IN_CREATE | pyinotify.IN_MOVED_TO):
        return MADE
    if mask & (pyinotify.IN_DELETE | pyinotify.IN_MOVED_FROM):
        return GONE
    return WRITTEN if mask & pyinotify.IN_MODIFY else ""


def _refused(path, text):
    if "ENOSPC" in text:
        return _remedy("no inotify watch left", "max_user_watches")
    return "%s cannot be watched (%s); its jobs are looked for every second" % (path, text.rsplit("Errno=")[-1])


def _remedy(what, limit):
    try:
        with open("/proc/sys/fs/inotify/" + limit) as file:
            now = int(file.read())
    except (OSError, ValueError):
        return "%s; jobs are looked for every second" % what
    return ("%s (fs.inotify.%s is %d): jobs are looked for every second; sysctl fs.inotify.%s=%d gives more"
            % (what, limit, now, limit, max(now * 4, 1024)))
