"""What `colmet run` and `colmet attach` have in common: options, the file, the facts, the account at the end."""
import datetime
import json
import os
import signal
import socket
import stat
import sys
import time
from pathlib import Path

from colmet.common.options import Option, above
from colmet.view import text
from colmet.view.daemons import Daemons, Failed

FAILED = 125            # exit code: Colmet itself failed, before the command was started
USAGE = 2
SUFFIX = ".hdf5"
PERIOD = Option(("-s", "--sample-period"), "time between two samples", 1.0, float, "s", "SECONDS", check=above(0))
OUTPUT = Option(("-o", "--output"), "where the samples go; a file that is there is continued (default: "
                "colmet-<date>-<time>.hdf5 here)", metavar="FILE" + SUFFIX,
                check=lambda name: "" if name.endswith(SUFFIX) else "must end in " + SUFFIX)
IMPATIENT = (signal.SIGINT, signal.SIGQUIT)     # what ends the sealing of the file


class Output:
    """The HDF5 file: `shown` as the user gave it, `path` absolute. Raises Failed where nothing can be written."""

    def __init__(self, given):
        self._reserved = None
        self.shown = given or self._free_name()
        self.path = Path(self.shown).absolute()
        folder = self.path.parent
        if not folder.is_dir():
            raise Failed("-o %s: no directory %s; make it, or give another path" % (self.shown, folder))
        if not os.access(folder, os.W_OK | os.X_OK):
            raise Failed("%s%s: no right to write in %s; give a file elsewhere with -o"
                         % ("-o " if given else "", self.shown, folder))
        self._before = self.path.stat() if self.path.exists() else None
        self.continued = self._before is not None

    def _free_name(self):
        """A name that no file has and that no other `colmet run` in this directory takes meanwhile: a socket of
        that name in Linux's abstract space is the reservation, gone with this process."""
        stem = datetime.datetime.now().strftime("colmet-%Y%m%d-%H%M%S")
        for name in [stem + SUFFIX] + ["%s-%d%s" % (stem, number, SUFFIX) for number in range(2, 1000)]:
            path = os.path.abspath(name)
            self._reserved = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                if not os.path.exists(path):
                    self._reserved.bind(b"\0colmet:" + os.fsencode(path)[-90:])
                    return name
            except OSError:
                pass            # taken
            self._reserved.close()
        raise Failed("%s: the name is taken; give a file with -o" % path)

    def hand_over(self, environ=os.environ):
        """Give the file to whom it belonged, or, new under sudo(8), to the user who called it."""
        if self._before is not None:
            user, group = self._before.st_uid, self._before.st_gid
        elif os.geteuid() == 0 and environ.get("SUDO_UID", "").isdigit() and environ.get("SUDO_GID", "").isdigit():
            user, group = int(environ["SUDO_UID"]), int(environ["SUDO_GID"])
        else:
            return
        try:
            file = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            return              # nothing was written
        status = os.fstat(file)
        if (status.st_uid, status.st_gid) != (user, group) and stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
            os.fchown(file, user, group)
        os.close(file)

    def close(self):
        """Give up the reservation."""
        if self._reserved:
            self._reserved.close()


class Measuring:
    """Node and collector around one job. `title` is its command line, `targets` what the node is to watch."""

    def __init__(self, job, title, options, signals):
        self.job, self.title = job, title
        self.signals = signals
        self.stopped = 0                # the signal that ended a wait
        self.output = Output(options.output)
        self._period = options.sample_period
        self.daemons = None
        self.since = self.start_clock = self.ended = 0      # Unix time, CLOCK_MONOTONIC and wall time, in ns

    def start(self, targets):
        """Start measuring; False where a signal came first. Raises Failed."""
        self.daemons = Daemons(self.output.path, self._period, targets, self.signals.before, self._waited)
        self.since = time.time_ns()
        return self.daemons.start()

    def _waited(self, seconds):
        """Wait so long at most; true when a signal says to stop. While the file is sealed only an impatient one
        does."""
        info = self.signals.next(seconds)
        stops = IMPATIENT if self.start_clock else IMPATIENT + (signal.SIGTERM, signal.SIGHUP)
        if info and info.si_signo in stops:
            self.stopped = info.si_signo
        return bool(self.stopped)

    def began(self):
        """The job begins now."""
        self.since, self.start_clock = time.time_ns(), time.monotonic_ns()

    def wall(self):
        """ns since it began."""
        return time.monotonic_ns() - self.start_clock

    def finish(self, used):
        """The job ended: `used` is what is known of it besides, for the node (``--exit-facts``). Returns what went
        wrong, as texts."""
        self.ended = self.wall()
        facts = dict({"job": self.job, "start": self.since, "end": self.since + self.ended}, **used)
        part = self.daemons.facts.with_suffix(".part")
        part.write_text(json.dumps(facts))
        part.rename(self.daemons.facts)
        faults = self.daemons.finish()
        self.output.hand_over()
        return faults

    def account(self, end, cores=0, floor=0, notes=(), used=None):
        """Print the account read back from the file; where it is not there, say so, and print what else is known:
        `used`. Returns whether it was there."""
        from colmet.view import account     # h5py: not before the command has ended
        there, notes = True, list(notes)
        try:
            found = account.read(self.output.path, self.job, self.since)
        except account.Unreadable as error:
            there = False
            found = account.by_wait4(self.ended, used or {})
            notes.append(text.printable(str(error)))
        shown = self.output.shown + (" (continued)" if self.output.continued else "")
        shown = shown if self.output.path.exists() else ""
        about = account.Circumstances(self.title, end, shown, cores, floor, tuple(notes))
        fresh = [""] if self.signals.typed and sys.stderr.isatty() else []
        show(fresh + account.lines(found, about, sys.stderr))
        return there

    def close(self):
        """Leave nothing behind but the file."""
        if self.daemons:
            self.daemons.close()
        self.output.close()


def show(lines):
    """Print on stderr, whose terminal may be gone."""
    try:
        print("\n".join(lines), file=sys.stderr, flush=True)
    except OSError:
        pass


def used(usage, floor, before=0):
    """The facts that a struct rusage of wait4(2) holds: ns and bytes. From the time before the process became the
    command, `before` ns of CPU are left out; a peak not above what it held then, `floor`, is not known."""
    peak = usage.ru_maxrss * 1024
    cpu = max(0, round((usage.ru_utime + usage.ru_stime) * 10 ** 9) - before)
    return {"cpu": cpu, "peak_memory": peak if peak > floor else None,
            "read_bytes": usage.ru_inblock * 512, "write_bytes": usage.ru_oublock * 512}
