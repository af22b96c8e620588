"""Ports whose files stay open: those of all are read in one call of C (lib_files)."""
import errno
import os
from typing import List, NamedTuple, Optional

from colmet.node import compiled
from colmet.node.capabilities import give
from colmet.node.log import Faults
from colmet.node.network.layouts import COUNTERS, FULL
from colmet.node.network.ports import Port
from colmet.node.network.traffic import Traffic
from colmet.node.numbers import Firsts
from colmet.node.sysfs import GONE, opened

MOST = 64               # ports, at a dozen open files each
SWITCHED_OFF = errno.EINVAL     # what the file `carrier` of an interface says that is
UNREAD = object()       # in the place of a speed
CLOSED = -1             # in the place of a descriptor
TOO_MANY = "network: more than %d ports; the others are left out"
REFUSED = "%s may not be read by this user; %s"
FAILED = "network: %s: %s; what does not answer is missing until it does"
STOPPED = "network: %s has no more bits and stopped; it is missing until it is reset, by perfquery -R"


class Reading(NamedTuple):
    """What a port told: `counters` in the order of `COUNTERS`, in its own units, None what is not known; `up` 1, 0 or
    None; `speed` in bytes per second or None."""
    port: Port
    counters: List[Optional[int]]
    up: Optional[int]
    speed: Optional[int]
    traffic: Traffic


class Opened:
    """The ports that `keep` was given last; `lacks` says of those that may not be read why, and what to do; `lost`
    whether one went since then."""

    def __init__(self):
        self.lacks, self.lost, self._faults, self._open = {}, False, Faults(), {}
        self._firsts = Firsts(compiled.load("_files"))

    def keep(self, ports):
        """These are there now ({name: `Port`}): open what is new, close what is another, or not there any more."""
        for name in [name for name, files in self._open.items() if not files.still(ports.get(name))]:
            self._open.pop(name).close()
        self.lacks, self.lost = {}, False
        for name, port in ports.items():
            if name in self._open:
                continue
            if len(self._open) == MOST:
                self._faults.add("", TOO_MANY % MOST)
                break
            try:
                self._open[name] = _Files(port)
            except PermissionError as error:
                self.lacks[name] = REFUSED % (error.filename, give("CAP_DAC_READ_SEARCH"))
            except OSError as error:
                self._fault(name, error.errno)

    def ports(self):
        """{name: `Port`} of those that could be opened."""
        return {name: files.port for name, files in self._open.items()}

    def read(self):
        """{name: `Reading`} of those that are there; what cannot be read is told once."""
        for name in [name for name, files in self._open.items() if files.gone()]:
            self._lose(name, errno.ENODEV)
        kept = list(self._open.items())
        found = iter(self._firsts.read([fd for _, files in kept for fd in files.fds]))
        readings = {}
        for name, files in kept:
            answers = [next(found) for _ in files.fds]
            gone = next((code for _, code in answers if code in GONE), 0)
            if gone:
                self._lose(name, gone)
            else:
                readings[name] = self._reading(name, files, answers)
        return readings

    def close(self):
        """Closes all files."""
        for files in self._open.values():
            files.close()
        self._open = {}
        self._firsts.close()

    def _reading(self, name, files, answers):
        (state, off), counted = answers[0], [value for value, _ in answers[1:]]
        for code in {code for _, code in answers[1:] if code} | ({off} - {0, SWITCHED_OFF}):
            self._fault(name, code)
        for place, full in enumerate(files.full):
            if full and counted[place] == full:
                counted[place] = None
                self._faults.add(str(files.paths[place + 1]), STOPPED % files.paths[place + 1])
        if files.speed is UNREAD:       # here: asking for it, as for counters, may take the firmware's time
            files.speed = files.port.speed()
        up = 0 if off == SWITCHED_OFF else None if state is None else int(state == files.port.up)
        sums = [_sum([counted[place] for place in places]) for places in files.places]
        return Reading(files.port, sums, up, files.speed, files.traffic)

    def _lose(self, name, code):
        self._open.pop(name).close()
        self.lost = True                # the same name may be another port's now
        self._fault(name, code)

    def _fault(self, name, code):
        self._faults.add("%s %d" % (name, code), FAILED % (name, os.strerror(code).lower()))


class _Files:
    """The files of one port: that of its state, then those of its counters; `places` are those of each counter among
    the latter, `full` what they say when they stopped. Raises OSError where one cannot be opened."""

    def __init__(self, port):
        names = [port.layout.files.get(counter, ()) for counter in COUNTERS]
        flat = [name for each in names for name in each]
        self.port, self.paths, self.fds = port, [port.state] + [port.folder / name for name in flat], []
        self.places = [[flat.index(name) for name in each] for each in names]
        self.full = [FULL.get(os.path.basename(name)) for name in flat]
        self.speed, self.traffic = UNREAD, Traffic(len(COUNTERS))
        try:
            for path in self.paths:
                fd, code = opened(path)
                if code and (code != errno.ENOENT or len(self.fds) == 1):   # the first was there when it was found
                    raise OSError(code, os.strerror(code), path)
                self.fds.append(fd)
        except OSError:
            self.close()
            raise

    def still(self, port):
        """Whether the files are those of `port` (None: of none), which may have another state and speed by now."""
        if port is None or (port.folder, port.layout) != (self.port.folder, self.port.layout):
            return False
        try:
            same = os.path.samestat(os.stat(self.paths[1]), os.fstat(self.fds[1]))
        except OSError:
            return False
        self.port, self.speed = port, UNREAD
        return same

    def gone(self):
        """Whether its files were removed; sysfs has them say so themselves."""
        return os.fstat(self.fds[1]).st_nlink == 0

    def close(self):
        """Closes them."""
        for fd in self.fds:
            if fd != CLOSED:
                os.close(fd)
        self.fds = []


def _sum(values):
    return sum(values) if values and None not in values else None
