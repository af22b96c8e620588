"""`colmet run` on a terminal: Ctrl-C, Ctrl-Z and fg, the live line, a shell as the command."""
import os
import pty
import select
import signal
import sys
from pathlib import Path

from programs import wait_for
from runs import COLMET

pytest_plugins = ("harness",)
UNTIL_GO = "while [ ! -e go ]; do sleep 0.1; done"


class Terminal:
    """A process that leads a session of its own on a new terminal; `seen` is all that was shown there."""

    def __init__(self, command, place):
        self.seen, self.code = "", None
        self.pid, self.file = pty.fork()
        if self.pid == 0:
            for each in (signal.SIGINT, signal.SIGHUP):     # whoever started the tests may ignore them
                signal.signal(each, signal.SIG_DFL)
            os.chdir(place.cwd)
            os.execvpe(command[0], command, dict(place.environ, TERM="xterm", PS1="prompt> "))

    def type(self, text):
        """What a user types."""
        os.write(self.file, text.encode())

    def read(self):
        """Take what was shown meanwhile; false at the end."""
        if self.file < 0:
            return False
        while select.select([self.file], [], [], 0.05)[0]:
            try:
                data = os.read(self.file, 65536)
            except OSError:                 # EIO: nobody has the terminal open any more
                return False
            self.seen += data.decode(errors="replace")
        return True

    def expect(self, text, seconds=60):
        """Wait until `text` was shown, and forget all up to it."""
        def shown():
            self.read()
            return text in self.seen
        try:
            wait_for(shown, seconds, text)
        except AssertionError as error:
            raise AssertionError("%s on the terminal: %r" % (error, self.seen)) from None
        self.seen = self.seen[self.seen.index(text) + len(text):]

    def foreground(self):
        """The name of the program that has the terminal."""
        return Path("/proc/%d/comm" % os.tcgetpgrp(self.file)).read_text().strip()

    def wait(self, seconds=60):
        """Its exit code."""
        def ended():
            self.read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
            return pid
        wait_for(ended, seconds, "end of the session")
        self.read()
        return self.code

    def hang_up(self):
        """Take the terminal away, as when a connection breaks, and wait for the end."""
        os.close(self.file)
        self.file = -1
        self.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.code is None:
            os.kill(self.pid, 9)
            os.waitpid(self.pid, 0)
        if self.file >= 0:
            os.close(self.file)


def test_ctrl_c_reaches_the_command_once_and_the_account_comes(place):
    script = ("import signal, sys, time\ncaught = []\nsignal.signal(signal.SIGINT, lambda *_: caught.append(1))\n"
              "print('ready', flush=True)\nwhile not caught: time.sleep(0.1)\n"
              "for _ in range(10): time.sleep(0.1)\nprint('caught', len(caught))\nsys.exit(9)")
    with Terminal(COLMET + ["run", sys.executable, "-c", script], place) as terminal:
        terminal.expect("ready")
        terminal.type("\x03")
        terminal.expect("caught 1")
        terminal.expect("exit 9")
        terminal.expect("complete")
        assert terminal.wait() == 9


def test_ctrl_c_ends_a_command_that_does_not_mind_it(place):
    with Terminal(COLMET + ["run", "sh", "-c", "echo ready; exec sleep 1000"], place) as terminal:
        terminal.expect("ready")
        terminal.type("\x03")
        terminal.expect("^C\r\n── colmet ──")             # not behind the ^C
        terminal.expect("exit 130 (SIGINT)")
        terminal.expect("saved in")
        assert terminal.wait() == 130


def test_ctrl_z_and_fg_as_with_any_command(place):
    with Terminal(["bash", "--norc", "--noprofile", "-i"], place) as terminal:
        terminal.expect("prompt> ")
        terminal.type(" ".join(COLMET) + " run sh -c 'echo rea\"\"dy; %s; echo d\"\"one'\n" % UNTIL_GO)
        terminal.expect("ready")
        terminal.type("\x1a")
        terminal.expect("Stopped")
        terminal.expect("prompt> ")
        (place.cwd / "go").touch()
        terminal.type("fg\n")
        terminal.expect("done")
        terminal.expect("exit 0")
        terminal.expect("prompt> ")
        terminal.type("exit\n")
        assert terminal.wait() == 0


def test_a_shell_has_its_job_control_under_colmet(place):
    with Terminal(COLMET + ["run", "bash", "--norc", "--noprofile", "-i"], place) as terminal:
        terminal.expect("prompt> ")
        terminal.type("sleep 1000\n")
        wait_for(lambda: terminal.foreground() == "sleep", 60, "sleep in the foreground")
        terminal.type("\x1a")
        terminal.expect("Stopped")
        terminal.type("kill -9 %1; sleep 1\n")      # a shell tells of what ended before its next prompt
        terminal.expect("Killed")
        terminal.type("exit $((2 * 3))\n")
        terminal.expect("exit 6")
        terminal.expect("saved in")
        assert terminal.wait() == 6


def test_the_live_line_is_rewritten_and_taken_away(place):
    with Terminal(COLMET + ["run", "--live", "-s", "0.5", "sh", "-c", UNTIL_GO], place) as terminal:
        terminal.expect("\r\x1b[K\x1b[2m")
        terminal.expect("CPU ")
        (place.cwd / "go").touch()
        terminal.expect("\x1b[0m\r")
        terminal.expect("\r\x1b[K")
        terminal.expect("exit 0")
        assert terminal.wait() == 0


def test_without_colour_where_the_user_wants_none(place):
    place.environ["NO_COLOR"] = "1"
    with Terminal(COLMET + ["run", "--live", "-s", "0.5", "sh", "-c", UNTIL_GO], place) as terminal:
        terminal.expect("CPU ")
        (place.cwd / "go").touch()
        terminal.wait()
        assert "\x1b[2m" not in terminal.seen


def test_a_terminal_that_goes_away_leaves_the_account_in_the_file(place):
    with Terminal(COLMET + ["run", "-o", "x.hdf5", "sh", "-c", "echo ready; exec sleep 1000"], place) as terminal:
        terminal.expect("ready")
        terminal.hang_up()
        assert terminal.code == 129                     # 128 + SIGHUP, which the command got
    assert os.listdir(place.cwd) == ["x.hdf5"]
