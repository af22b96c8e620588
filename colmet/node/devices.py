"""Devices of which files stay open that hold a number each (sysfs(5)): those of all are read in one call of C
(lib_files)."""
import os
from pathlib import Path
from typing import NamedTuple, Optional, Tuple

from colmet.node.numbers import Firsts
from colmet.node.sysfs import opened


class Files(NamedTuple):
    """Paths of a device's files, None in the place of one that it does not have, and of the file of its state
    (power/runtime_status): while that says "suspended" the others are not read, for that would wake the device."""
    numbers: Tuple[Optional[Path], ...]
    state: Optional[Path] = None


class Devices:
    """Those that `keep` was given last; `helper` is lib_files. A file is opened by the first reading."""

    def __init__(self, helper):
        self._firsts = Firsts(helper, alone=True)
        self._files, self._fds = {}, {}         # {name: Files}, {path: descriptor} of those that are open
        self._flat = None                       # what `_opened` gives, once all are open

    def keep(self, devices):
        """These are there now, {name: `Files`}; what is open of others is closed."""
        if devices == self._files:
            return
        self._files, self._flat = dict(devices), None
        wanted = {path for files in self._files.values() for path in (*files.numbers, files.state)}
        for path in [path for path in self._fds if path not in wanted]:
            os.close(self._fds.pop(path))

    def lose(self, name):
        """It is not there any more."""
        self.keep({other: files for other, files in self._files.items() if other != name})

    def read(self):
        """{name: [(number, errno) of each file]}: (None, 0) of one that it does not have, and where there is no number
        in it; EAGAIN while it sleeps. What cannot be opened is tried again by the next reading."""
        fds, states, parts, failed = self._flat or self._opened()
        answers = self._firsts.read(fds, states)
        for place, code in failed:
            answers[place] = None, code
        return {name: answers[part] for name, part in parts}

    def once(self, paths):
        """[number] in the files at `paths`, which do not stay open; None where there is none, or no file."""
        fds = [opened(path)[0] for path in paths]
        numbers = [number for number, _ in self._firsts.read(fds)]
        for fd in filter(lambda fd: fd >= 0, fds):
            os.close(fd)
        return numbers

    def close(self):
        """Closes all files."""
        self.keep({})
        self._firsts.close()

    def _opened(self):
        """(descriptors of the files, of their states, [(name, slice of them)], [(place, errno)] of those that cannot
        be opened)."""
        fds, states, parts, failed = [], [], [], []
        for name, files in self._files.items():
            parts.append((name, slice(len(fds), len(fds) + len(files.numbers))))
            state, fault = self._descriptor(files.state)
            for path in files.numbers:
                fd, code = (-1, fault) if fault else self._descriptor(path)
                failed += [(len(fds), code)] if code else []
                fds.append(fd)
                states.append(state)
        self._flat = None if failed else (fds, states, parts, ())
        return fds, states, parts, failed

    def _descriptor(self, path):
        """As `opened`, of one that stays open."""
        if path is not None and path not in self._fds:
            fd, code = opened(path)
            if code:
                return -1, code
            self._fds[path] = fd
        return self._fds.get(path, -1), 0
