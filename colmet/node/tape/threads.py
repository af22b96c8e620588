"""Threads of sources on the tape, and what they wait for: each lock that is taken and each event has its place in the
order of all answers.
"""
import sys
import threading

from colmet.node.tape.tape import Diverged, Ended


def functions(tape):
    """As `colmet.node.tape.calls.functions`."""
    yield threading.Thread, "start", starting(tape, threading.Thread.start)
    yield threading.Thread, "join", waiting(tape, "Thread.join", threading.Thread.join)
    yield threading.Thread, "is_alive", waiting(tape, "Thread.is_alive", threading.Thread.is_alive)
    lock, event = threading.Lock, threading.Event
    yield threading, "Lock", lambda: Lock(tape, lock()) if tape.listening(sys._getframe(1)) else lock()
    yield threading, "Event", lambda: Event(tape, event()) if tape.listening(sys._getframe(1)) else event()


def name_of(thread):
    """Its name, "" where it was given none: Python counts all that there were."""
    return "" if thread.name.startswith("Thread-") else thread.name


def starting(tape, real):
    """Thread.start: what one that is on the tape starts is on it too."""
    def function(self):
        if not tape.listening(sys._getframe(1)):
            real(self)
            return
        number, run = tape.ask("Thread.start", name_of(self), tape.number), self.run

        def on_tape():
            tape.join(number)
            tape.source = self.name
            try:
                tape.note("Thread.run")
                run()
                tape.note("Thread.end")
            except (Diverged, Ended):
                pass                # the thread that ticks tells
            finally:
                tape.rest()
        self.run = on_tape
        with tape.inside():
            real(self)
    return function


def waiting(tape, name, real):
    """A function of a thread that has an answer."""
    def function(self, *arguments, **named):
        if not tape.listening(sys._getframe(1)):
            return real(self, *arguments, **named)
        return tape.ask(name, name_of(self), lambda: real(self, *arguments, **named))
    return function


class Lock:
    """As threading.Lock."""

    def __init__(self, tape, real):
        self._tape, self._real = tape, real
        self.release, self.locked = real.release, real.locked

    def acquire(self, blocking=True, timeout=-1):
        """As threading.Lock's."""
        if not self._tape.listening(sys._getframe(1)):
            return self._real.acquire(blocking, timeout)
        taken = self._tape.ask("Lock.acquire", "", lambda: self._real.acquire(blocking, timeout))
        return self._real.acquire() if self._tape.replays and taken else taken

    def __enter__(self):
        return self.acquire()

    def __exit__(self, *_):
        self.release()


class Event:
    """As threading.Event."""

    def __init__(self, tape, real):
        self._tape, self._real = tape, real

    def set(self):
        """As threading.Event's; it is on the tape before whoever waits for it goes on."""
        if self._tape.listening(sys._getframe(1)):
            self._tape.note("Event.set")
        self._real.set()

    def clear(self):
        """As threading.Event's."""
        if self._tape.listening(sys._getframe(1)):
            self._tape.note("Event.clear")
        self._real.clear()

    def is_set(self):
        """As threading.Event's."""
        return self._answer("Event.is_set", self._real.is_set)

    def wait(self, timeout=None):
        """As threading.Event's."""
        return self._answer("Event.wait", lambda: self._real.wait(timeout))

    def _answer(self, name, work):
        if not self._tape.listening(sys._getframe(2)):
            return work()
        return self._tape.ask(name, "", work)
