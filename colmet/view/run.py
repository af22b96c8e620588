"""``colmet run -- CMD``: measure one command, with nothing set up before.

A collector and a node of its own are started (`colmet.view.daemons`), CMD gets a cgroup of its own where that can
be (`colmet.view.cgroup`) and keeps its terminal, signals and exit code (`colmet.view.command`); the account is read
back from the HDF5 file.
"""
import os
import shlex
import signal
import sys
import time

from colmet.common.options import Option, Usage, parse
from colmet.common.wire import Malformed
from colmet.view import command, measure, text
from colmet.view.cgroup import NoCgroup, OwnCgroup
from colmet.view.daemons import Failed
from colmet.view.live import Live

PROGRAM = "colmet run"
DESCRIPTION = ("Run a command, measure it, and say at the end what it used. Its exit code is the command's, 128 + N "
               "where signal N ended it, 127 where there is no such command, 126 where it cannot be executed, 125 "
               "where Colmet could not measure and did not start it.")
LIVE = Option(("--live",), "show every second what the running processes have used", False, bool)
OPTIONS = (measure.PERIOD, measure.OUTPUT, LIVE)
USAGE = "colmet run [-s SECONDS] [-o FILE.hdf5] [--live] [--] CMD..."
SECOND = 1.0


def main(argv=None):
    """Measure the command in `argv`; the exit code as told in DESCRIPTION."""
    try:
        ours, words = split(list(sys.argv[1:] if argv is None else argv))
        options = parse(PROGRAM, DESCRIPTION, OPTIONS, ours, positional=_usage)
        if not words:
            raise Usage("no command given; for example: colmet run -- make -j4")
        command.find(words[0])
    except Usage as error:
        measure.show(["%s: %s" % (PROGRAM, error)])
        return measure.USAGE
    except command.NotStarted as error:
        measure.show(["%s: %s" % (PROGRAM, text.printable(str(error)))])
        return error.code
    signals = command.Signals()
    held = command.Command(words, signals)
    try:
        return Run(options, held, signals).run()
    except Failed as error:
        measure.show(["%s: %s" % (PROGRAM, error), "%s: %s was not started" % (PROGRAM, text.printable(words[0]))])
        return measure.FAILED
    except command.NotStarted as error:
        measure.show(["%s: %s" % (PROGRAM, text.printable(str(error)))])
        return error.code
    finally:
        held.cancel()
        signals.close()


def _usage(parser):
    parser.usage = USAGE


def split(argv):
    """(our words, the command's): the command begins after ``--`` or at the first word that is no option."""
    values = {flag for option in OPTIONS if option.kind is not bool for flag in option.flags}
    place = 0
    while place < len(argv) and argv[place].startswith("-") and argv[place] != "-":
        if argv[place] == "--":
            return argv[:place], argv[place + 1:]
        place += 2 if argv[place] in values else 1
    return argv[:place], argv[place:]


class Run:
    """One measured command, held until all is ready."""

    def __init__(self, options, held, signals):
        self.command, self.signals = held, signals
        self.title = " ".join(map(shlex.quote, held.words))
        self.cores = len(os.sched_getaffinity(0))
        self.cgroup, self.notes = None, []
        self.measuring = measure.Measuring(str(held.pid), self.title, options, signals)
        self.live = options.live

    def run(self):
        """Measure it to its end; its exit code."""
        try:
            if not self.measuring.start(self._targets()):
                return 128 + self.measuring.stopped
            self.measuring.began()
            self.command.release()
            self._watch()
            self._end()
            return self.command.code
        finally:
            self._clean()

    def _targets(self):
        """Options that tell the node what to watch."""
        try:
            self.cgroup = OwnCgroup(self.command.pid)
        except NoCgroup as error:
            self.notes.append("no writable cgroup (%s): its process tree was measured" % error)
            return ["--process-tree", str(self.command.pid)]
        if self.cgroup.reason:
            self.notes.append(self.cgroup.reason)
        patterns = ["--regex_job_id", r"^colmet_(\d+)\.scope$"] if self.cgroup.kind == "systemd scope" else []
        return [word for path in self.cgroup.directories for word in ("--cgroup", str(path))] + patterns

    def _watch(self):
        """Wait for its end, pass signals on, show live numbers."""
        shown = LiveLine(self.measuring) if self.live else None
        due = time.monotonic() + SECOND
        while not self.command.poll():
            info = self.signals.next(due - time.monotonic())
            if info is not None and info.si_signo != signal.SIGCHLD:
                self.command.pass_on(info)
            self.measuring.daemons.tend()
            if time.monotonic() >= due:
                due = max(due + SECOND, time.monotonic())
                if shown:
                    shown.show()
        if shown:
            shown.clear()

    def _end(self):
        left = self.cgroup.remaining() if self.cgroup else ()
        if left:
            self.notes.append("%d process%s still running: measured until the command ended"
                              % (len(left), " is" if len(left) == 1 else "es are"))
        used = measure.used(self.command.usage, self.command.floor, self.command.before)
        try:
            faults = self.measuring.finish(used)
            self.measuring.account(self._in_words(), self.cores, self.command.floor, self.notes + faults, used)
        except OSError as error:        # a full disk, say: the command's exit code still counts
            measure.show(["%s: no account: %s" % (PROGRAM, error)])

    def _in_words(self):
        status = self.command.status
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            name = signal.Signals(number).name if number in list(signal.Signals) else "signal"
            return "exit %d (%s)" % (self.command.code, name)
        return "exit %d" % self.command.code

    def _clean(self):
        self.measuring.close()
        self.command.cancel()
        for path in self.cgroup.remove() if self.cgroup else ():
            measure.show(["%s: %s could not be removed; when its processes have ended: rmdir it" % (PROGRAM, path)])


class LiveLine:
    """Live numbers on stderr: one line that is written anew on a terminal, else a line each time."""

    def __init__(self, measuring):
        self._measuring = measuring
        self._live = Live(measuring.daemons.journal, measuring.job)
        self._terminal = sys.stderr.isatty()
        self._dim = ("\x1b[2m", "\x1b[0m") if self._terminal and not os.environ.get("NO_COLOR") else ("", "")

    def show(self):
        """Write it. On a terminal the cursor goes back to the start, for what the command writes meanwhile."""
        try:
            self._live.update()
        except (OSError, Malformed):
            pass                # a journal that cannot be read now; the line shows what was known before
        line = self._live.line(self._measuring.wall())
        if self._terminal:
            self._write("\r\x1b[K%s%s%s\r" % (self._dim[0], line[:text.terminal_width() - 1], self._dim[1]))
        else:
            self._write(line + "\n")

    def clear(self):
        """Take it away."""
        if self._terminal:
            self._write("\r\x1b[K")

    @staticmethod
    def _write(words):
        try:
            sys.stderr.write(words)
            sys.stderr.flush()
        except OSError:
            pass                # the terminal is gone; the command may go on without


if __name__ == "__main__":
    sys.exit(main())
