"""A program that is asked: no shell, a deadline, and an end of it and its children in any case."""
import os
import select
import signal
import subprocess
import threading
import time

MOST = 1 << 20          # bytes that are taken of its answer
TOLD = 200              # characters of what it says of a failure


class Failed(Exception):
    """It could not be asked, or gave no answer; the text says why."""


class Command:
    """Runs programs one at a time, each for at most `seconds`; `stop`, from another thread, ends the one that runs,
    and from then on it is `stopped`."""

    def __init__(self, seconds=10):
        self._seconds, self._lock = seconds, threading.Lock()
        self._running, self.stopped = None, False

    def ask(self, words, question=b""):
        """What the program `words` writes to its output, given `question` (bytes: a line, that a pipe holds). Raises
        Failed."""
        try:
            process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                       start_new_session=True, env=dict(os.environ, LC_ALL="C"))
        except OSError as error:
            raise Failed("%s: %s" % (words[0], error.strerror.lower())) from error
        with self._lock:                # not before: the start itself may hang
            self._running = process
        try:
            if self.stopped:
                raise Failed("the node ends")
            return self._answer(process, question)
        finally:
            self._end()
            process.wait()

    def stop(self):
        """End the program that runs; none is run from now on."""
        self.stopped = True
        self._end()

    def _answer(self, process, question):
        try:
            process.stdin.write(question)
            process.stdin.close()
        except BrokenPipeError:
            pass                        # it does not want to know
        end = time.monotonic() + self._seconds
        answer = b""
        with process.stdout as out:
            while len(answer) <= MOST:
                if not select.select([out], [], [], max(0, end - time.monotonic()))[0]:
                    raise Failed("%s did not answer within %g s" % (process.args[0], self._seconds))
                piece = os.read(out.fileno(), MOST)
                if not piece:
                    break
                answer += piece
        while process.poll() is None and time.monotonic() < end and len(answer) <= MOST:
            time.sleep(0.001)
        if len(answer) > MOST:
            raise Failed("%s answers more than %d bytes" % (process.args[0], MOST))
        if process.returncode:
            said = " ".join(answer.decode("utf-8", "replace").split())[:TOLD]
            raise Failed("%s ended with %d: %s" % (process.args[0], process.returncode, said or "it says nothing"))
        return answer

    def _end(self):
        with self._lock:
            if self._running is not None and self._running.returncode is None:
                try:
                    os.killpg(self._running.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass                # it and its children are gone
            self._running = None
