"""Other programs on the tape: what they print and how they end. In a replay none is run."""
import os
import select
import shutil
import subprocess
import sys


def functions(tape):
    """As `colmet.node.tape.calls.functions`."""
    yield subprocess, "run", run(tape, subprocess.run)
    yield subprocess, "Popen", popen(tape, subprocess.Popen)
    yield select, "select", selecting(tape, select.select)
    for name in ("kill", "killpg"):
        yield os, name, telling(tape, "os." + name, getattr(os, name))
    yield os, "waitid", telling(tape, "os.waitid", os.waitid)
    yield shutil, "which", telling(tape, "shutil.which", shutil.which)


def words_of(command):
    """The key of a command: text, or its words."""
    return command if isinstance(command, str) else [os.fsdecode(word) for word in command]


def run(tape, real):
    """subprocess.run."""
    def function(*arguments, **named):
        if not tape.listening(sys._getframe(1)):
            return real(*arguments, **named)
        command = arguments[0] if arguments else named["args"]

        def ran():
            done = real(*arguments, **named)
            return [done.returncode, done.stdout, done.stderr]
        return subprocess.CompletedProcess(command, *tape.ask("subprocess.run", words_of(command), ran))
    return function


def telling(tape, name, real):
    """A function of which only counts whether it has an answer, or what text that is."""
    def function(*arguments, **named):
        if not tape.listening(sys._getframe(1)):
            return real(*arguments, **named)

        def told():
            found = real(*arguments, **named)
            return found if found is None or isinstance(found, str) else list(found)
        return tape.ask(name, [each for each in arguments if isinstance(each, (int, str))], told)
    return function


def selecting(tape, real):
    """select.select: answers are places in the three lists."""
    def function(*given):
        if not tape.listening(sys._getframe(1)):
            return real(*given)
        given = [list(each) for each in given[:3]] + list(given[3:])

        def ready():
            return [[place for place, one in enumerate(all_of) if one in some]
                    for all_of, some in zip(given, real(*given))]
        return tuple([all_of[place] for place in places]
                     for all_of, places in zip(given, tape.ask("select.select", "", ready)))
    return function


class Pipe:
    """An end of a pipe to a program."""

    def __init__(self, tape, real):
        self._tape, self._real = tape, real
        self._fd = tape.opened("a program", real and real.fileno())

    def fileno(self):
        """Its descriptor."""
        return self._fd

    def read(self, size=-1):
        """As a file's."""
        return self._tape.ask("Pipe.read", "", lambda: self._real.read(size))

    def write(self, data):
        """As a file's."""
        return self._tape.ask("Pipe.write", "", lambda: self._real.write(data))

    def close(self):
        """As a file's, which may have something left to write."""
        self._tape.names.pop(self._fd, None)
        self._tape.ask("Pipe.close", "", lambda: self._real.close())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Popen:
    """As subprocess.Popen."""

    def __init__(self, tape, real, *arguments, **named):
        self._tape, found = tape, []
        self.args, self.returncode = arguments[0] if arguments else named["args"], None

        def begun():
            found.append(real(*arguments, **named))
            return found[0].pid
        self.pid = tape.ask("Popen", words_of(self.args), begun)
        self._real = found[0] if found else None
        self.stdin, self.stdout, self.stderr = (
            Pipe(tape, self._real and getattr(self._real, name)) if named.get(name) == subprocess.PIPE else None
            for name in ("stdin", "stdout", "stderr"))

    def poll(self):
        """As subprocess.Popen's."""
        self.returncode = self._tape.ask("Popen.poll", "", lambda: self._real.poll())
        return self.returncode

    def wait(self, timeout=None):
        """As subprocess.Popen's."""
        self.returncode = self._tape.ask("Popen.wait", "", lambda: self._real.wait(timeout))
        return self.returncode

    def communicate(self, input=None, timeout=None):
        """As subprocess.Popen's."""
        def ended():
            return list(self._real.communicate(input, timeout)) + [self._real.returncode]
        out, err, self.returncode = self._tape.ask("Popen.communicate", "", ended)
        return out, err

    def send_signal(self, number):
        """As subprocess.Popen's."""
        self._tape.ask("Popen.signal", str(number), lambda: self._real.send_signal(number))

    def terminate(self):
        """As subprocess.Popen's."""
        self.send_signal(15)

    def kill(self):
        """As subprocess.Popen's."""
        self.send_signal(9)


def popen(tape, real):
    """subprocess.Popen."""
    def function(*arguments, **named):
        if not tape.listening(sys._getframe(1)):
            return real(*arguments, **named)
        return Popen(tape, real, *arguments, **named)
    return function
