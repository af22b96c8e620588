"""A source as the sampling loop sees it: when it is due, what it gave, what it cost and how often it failed."""
import os
import threading

from colmet.common.schema import JOB
from colmet.node.clock import SECOND, Meter, boottime, next_boundary

NEVER = 2 ** 63 - 1
OLDEST = 60 * SECOND    # age from which on the rows of a slow source are not given any more, or that of 3 periods


class Source:
    """`backend` (`colmet.node.backends`) with the `tables` (names) that it gives, every `period` ns. `beside`: it reads
    beside the ticks, and wants to be told when to `start`."""

    beside = False

    def __init__(self, name, backend, tables, period):
        self.name, self.backend, self.period = name, backend, period
        self.of_jobs = any(table.scope == JOB for table in tables)      # extra ticks are for these
        self.shed = False               # left out to keep --cpu-budget (colmet.node.budget)
        self.due = 0                    # CLOCK_BOOTTIME (ns) of its next tick
        self.samples = self.failures = self.late = 0
        self.duration = self.cpu = 0    # ns spent in it, all in all
        self.age = 0                    # ns: of the rows that the last tick took
        self.kinds = set()              # kinds of failure that were told
        self._offset = 0                # of the boundaries, as `plan` got it last

    def plan(self, now, offset):
        """Its next tick is the first boundary after `now`; returns how many since its last one were left out."""
        self._offset = offset
        if self.shed:
            self.due = NEVER
            return 0
        due = next_boundary(now, self.period, offset)
        left_out = max(0, (due - self.due) // self.period - 1) if self.due else 0
        self.late += left_out
        self.due = due
        return left_out

    def shift(self, period, now, offset):
        """From now on every `period` ns."""
        if period != self.period or not self.due:
            self.period, self.due = period, 0
            self.plan(now, offset)

    def leave_out(self):
        """Give no rows until it is brought back; it stays open."""
        self.shed, self.due = True, NEVER

    def bring_back(self):
        """Read it again, from the next boundary on."""
        self.shed, self.due = False, next_boundary(boottime(), self.period, self._offset)

    def spent(self, wall, cpu):
        """Add what was spent on it, as `Meter.lap` gives it."""
        self.duration += wall
        self.cpu += cpu

    def rows(self, jobs):
        """Its rows for this tick; what it raises is its caller's to take."""
        if self.shed:
            return {}
        self.samples += 1
        return self.backend.sample(jobs)

    def close(self):
        """Free what the backend holds."""
        self.backend.close()


class SlowSource(Source):
    """A source with a thread of its own: a tick takes the rows of one reading, and starts the next at its end. Were it
    earlier, both threads would want Python's lock all the time, and wake each other for it."""

    beside = True

    def __init__(self, name, backend, tables, period):
        super().__init__(name, backend, tables, period)
        self._wanted, self._ended = threading.Event(), False
        self._latest, self._read_at = {}, None
        self._lock = threading.Lock()               # of what both threads use
        self._thread, self._jobs = None, ()

    def rows(self, jobs):
        """The latest rows, {} before the first reading is done, and where a reading hangs."""
        if self.shed:
            return {}
        with self._lock:
            rows, read_at = self._latest, self._read_at
        self.age = 0 if read_at is None else boottime() - read_at
        return rows if self.age <= max(OLDEST, 3 * self.period) else {}

    def start(self, guard, jobs):
        """Start a reading; `guard` is `Sampler.guard`."""
        if self.shed:
            return
        with self._lock:
            self._jobs = jobs
        self._wanted.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, args=(guard,), name=self.name, daemon=True)
            self._thread.start()

    def close(self):
        """Let the thread end after its reading; it closes the backend itself."""
        with self._lock:
            self._ended = True
        self._wanted.set()
        if self._thread is None:
            self.backend.close()

    def _run(self, guard):
        # Of the thread that samples it has the niceness (--nice); neither it nor what it starts goes before the jobs.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), max(0, os.getpriority(os.PRIO_PROCESS, 0)))
        while True:
            self._wanted.wait()
            self._wanted.clear()
            with self._lock:
                ended, jobs = self._ended, self._jobs
            if ended:
                break
            began = boottime()
            self.samples += 1
            rows = guard(self, Meter(), self.backend.sample, jobs)
            if rows is not None:
                with self._lock:
                    self._latest, self._read_at = rows, began
        self.backend.close()
