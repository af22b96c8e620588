"""Parts of a job that are processes by number: ``-p``, ``-t`` and ``--process-tree``; from /proc/PID (proc(5)).

A number alone is no identity: it is used again. Number and time of start (clock ticks since boot) are.
"""
import os
import time
from array import array

_KEPT_NS = 20 * 10 ** 6
_STATE, _PARENT, _START = 0, 1, 19      # places after the command's name in /proc/PID/stat


def stat(proc, pid):
    """The fields of /proc/PID/stat from the state on, as bytes; None when there is no such process."""
    try:
        with open("%s/%d/stat" % (proc, pid), "rb") as file:
            return file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def began(fields):
    """When the process of these fields began, in ns of CLOCK_BOOTTIME, to 10 ms; None when there are none."""
    return int(fields[_START]) * (10 ** 9 // os.sysconf("SC_CLK_TCK")) if fields else None


def _runs(fields):
    return fields[_STATE] not in (b"Z", b"X")


def threads(proc, pid):
    """Its thread ids; none when it is gone."""
    try:
        return [int(name) for name in os.listdir("%s/%d/task" % (proc, pid))]
    except (FileNotFoundError, ProcessLookupError):
        return []


class Process:
    """All threads of the process `pid`."""
    directories = ()

    def __init__(self, proc, pid):
        self._proc, self.pid = str(proc), pid
        self.began = began(stat(self._proc, pid))

    def alive(self):
        """Whether it still runs: neither gone, nor another under its number, nor ended and only not waited for."""
        fields = stat(self._proc, self.pid)
        if not fields or began(fields) != self.began:
            return False
        return _runs(fields) or len(threads(self._proc, self.pid)) > 1

    def tasks(self):
        """array('i') of thread ids."""
        return array("i", threads(self._proc, self.pid) if self.alive() else ())

    def processes(self):
        """[pid], or [] when it ended."""
        return [self.pid] if self.alive() else []


class Thread(Process):
    """The one thread `pid`. It has no process of its own: what the kernel counts per process is not known of it."""

    def tasks(self):
        """array('i') with its id."""
        return array("i", [self.pid] if self.alive() else ())

    def processes(self):
        """Always []."""
        return []


class Tree(Process):
    """The process `pid` and all that descend from it. Who was seen once stays in it when its parent ends; a process
    whose parents all came and went between two looks is not found."""

    def __init__(self, proc, pid):
        super().__init__(proc, pid)
        self._members = {pid: self.began} if self.began is not None else {}
        self._found, self._looked = [], 0

    def processes(self):
        """Pids of those that live now, or did 20 ms ago: the whole of /proc is read for it."""
        now = time.monotonic_ns()
        if now - self._looked > _KEPT_NS:
            self._found, self._looked = self._look(), now
        return list(self._found)

    def _look(self):
        everyone = _everyone(self._proc)
        members = {pid: born for pid, born in self._members.items() if pid in everyone and everyone[pid][1] == born}
        young = members
        while young:
            young = {pid: born for pid, (parent, born, _) in everyone.items()
                     if parent in members and pid not in members}
            members = {**members, **young}
        self._members = members
        return [pid for pid in members if everyone[pid][2]]

    def tasks(self):
        """array('i') of the thread ids of them all."""
        return array("i", [tid for pid in self.processes() for tid in threads(self._proc, pid)])

    def alive(self):
        """Whether one of them still runs."""
        return bool(self.processes())


def _everyone(proc):
    """{pid: (parent, start, whether it runs)} of every process. (/proc/PID/task/TID/children would be quicker but is
    not in every kernel.)"""
    found = {}
    for name in os.listdir(proc):
        fields = stat(proc, int(name)) if name.isdigit() else None
        if fields:
            found[int(name)] = (int(fields[_PARENT]), began(fields), _runs(fields))
    return found
