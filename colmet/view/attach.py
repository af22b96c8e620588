"""``colmet attach PID|CGROUP``: measure what already runs, until it ends, for a time, or until Ctrl-C."""
import os
import re
import signal
import sys
import time
from pathlib import Path

from colmet.common.options import Option, Usage, above, parse
from colmet.view import cgroup, measure, text
from colmet.view.command import Signals
from colmet.view.daemons import Failed

PROGRAM = "colmet attach"
DESCRIPTION = ("Measure a process with its descendants, or a cgroup, that runs already: until it ends, for some time "
               "or until Ctrl-C, which do not touch it. A CGROUP is a directory, or a path as in /proc/PID/cgroup.")
SECONDS = Option(("--for",), "stop measuring after this time", None, float, "s", "SECONDS", check=above(0))
OPTIONS = (measure.PERIOD, measure.OUTPUT, SECONDS)
USAGE = "colmet attach [-s SECONDS] [-o FILE.hdf5] [--for SECONDS] PID|CGROUP"
NOT_THERE = 1
SINCE = "CPU, memory and I/O count from its own start, wall from that of the measuring"
LOOK = 0.2                              # seconds between two looks whether it still runs
JOB_NAME = re.compile(r"_(\d+)$")       # what the node takes a job's number from unless told


class NotFound(Exception):
    """There is no such process or cgroup; the text says so."""


class Process:
    """The process `pid` and its descendants."""

    def __init__(self, pid):
        self.job = str(pid)
        self.targets = ["--process-tree", self.job]
        self._pid = pid
        self._began = self._start()
        if self._began is None:
            raise NotFound("no process %d" % pid)
        self.title = _command_line(pid)

    def alive(self):
        """Whether it runs: the same process, and not only waiting to be waited for."""
        return self._start() == self._began

    def _start(self):
        """When it began, in clock ticks since boot; None where it has ended (proc(5), /proc/PID/stat)."""
        try:
            fields = Path("/proc/%d/stat" % self._pid).read_text(errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[0] in "ZX" else int(fields[19])


class Cgroup:
    """The cgroup of the directory `path` and what is below it."""

    def __init__(self, path):
        self._path = path
        number = JOB_NAME.search(path.name)
        self.job = number.group(1) if number else path.name
        self.targets = ["--cgroup", str(path)]
        if not number:
            self.targets += ["--regex_job_id", "^(%s)$" % re.escape(path.name)]
        self.title = str(path)
        if not self.alive():
            raise NotFound("%s: no process is in it" % path)

    def alive(self):
        """Whether a process is in it."""
        return bool(cgroup.processes(self._path))


def target(word):
    """The `Process` or `Cgroup` that `word` means; raises NotFound."""
    if word.isdigit():
        return Process(int(word))
    for path in cgroup.candidates(word):
        if (path / "cgroup.procs").exists():
            return Cgroup(path)
    if "/" in word and Path(word).exists():
        raise NotFound("%s: not a cgroup" % word)
    raise NotFound("%s: neither a process id nor a cgroup here" % word)


def main(argv=None):
    """Measure what `argv` names; 0 when that went well, 1 where it is not there, 2 for a wrong command line."""
    try:
        options = parse(PROGRAM, DESCRIPTION, OPTIONS, list(sys.argv[1:] if argv is None else argv),
                        positional=_arguments)
        measured = target(options.target)
    except Usage as error:
        measure.show(["%s: %s" % (PROGRAM, error)])
        return measure.USAGE
    except NotFound as error:
        measure.show(["%s: %s" % (PROGRAM, text.printable(str(error)))])
        return NOT_THERE
    signals = Signals()
    try:
        return _measure(measured, options, signals)
    except (Failed, OSError) as error:
        measure.show(["%s: %s" % (PROGRAM, error)])
        return measure.FAILED
    finally:
        signals.close()


def _arguments(parser):
    parser.usage = USAGE
    parser.add_argument("target", metavar="PID|CGROUP", help="what to measure")


def _measure(measured, options, signals):
    measuring = measure.Measuring(measured.job, measured.title, options, signals)
    try:
        if not measuring.start(measured.targets):
            return 128 + measuring.stopped
        measuring.began()
        limit = getattr(options, "for")
        until = "Ctrl-C" if limit is None else "%g s have passed" % limit
        measure.show(["%s: measuring %s until it ends or %s" % (PROGRAM, text.printable(measured.title), until)])
        end = _wait(measured, measuring, signals, limit)
        faults = measuring.finish({})
        return 0 if measuring.account(end, notes=[SINCE] + faults) else NOT_THERE
    finally:
        measuring.close()


def _wait(measured, measuring, signals, limit):
    """Wait for the end; in words, what it was."""
    end = None if limit is None else time.monotonic() + limit
    while measured.alive():
        info = signals.next(LOOK if end is None else min(LOOK, end - time.monotonic()))
        if info is not None and info.si_signo != signal.SIGCHLD:
            return "still running"
        if end is not None and time.monotonic() >= end:
            return "still running"
        measuring.daemons.tend()
    return "ended"


def _command_line(pid):
    """What the process was started as, for people."""
    words = Path("/proc/%d/cmdline" % pid).read_bytes().rstrip(b"\0").split(b"\0")
    return os.fsdecode(b" ".join(words)) or "process %d" % pid


if __name__ == "__main__":
    sys.exit(main())
