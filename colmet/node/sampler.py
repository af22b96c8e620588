"""The loop of a node: at each tick all due sources are read, and their rows go as one batch into the outbox.

It never waits for the network. This is the one place where whatever a source raises is taken: it costs that
source's rows of that tick, is told once per kind, and counted.
"""
import time
from contextlib import nullcontext
from logging import DEBUG
from typing import NamedTuple

from colmet.common import wire
from colmet.common.metrics import TABLES
from colmet.common.metrics.job import TABLE as JOB
from colmet.node.clock import SECOND, Meter, boottime, ticks_offset
from colmet.node.draft import Draft
from colmet.node.log import log

STEP = SECOND           # least change of the wall clock that counts as a step
IDLE = 60 * SECOND      # between two looks where nothing is due


class Identity(NamedTuple):
    """What all batches of a node bear."""
    name: str
    cluster: str
    session: int


class Sampler:
    """`node` is the `Identity`; `jobs` is a `colmet.node.jobs.jobs.Jobs`, `sources` a list of `Source`s, read
    in that order; `wanted` are the names of the tables that are switched on. `history`, a `Source` of
    `colmet.node.jobs.history` or None, makes the rows of jobs that ended. `sharing(jobs)` is a context in which all of
    them get one reading of the cgroups of jobs (`colmet.node.cgroup.counters.Counters.tick`)."""

    def __init__(self, node, jobs, sources, outbox, wanted, history=None, sharing=nullcontext):
        self.node, self.jobs, self.sources, self.outbox, self.wanted = node, jobs, sources, outbox, wanted
        self.history, self._sharing = history, sharing
        self.tables = TABLES            # {name: Table}, as this node describes them
        self.seen = None                # where there is one, called with each batch
        self.sequence = 0               # of the batch made last; the first is 1
        self.ticks = self.late = self.clock_steps = 0
        self.duration = 0               # ns spent in ticks
        self._offset = ticks_offset()
        self._apart = None              # wall clock less CLOCK_BOOTTIME at the tick before
        self._tail = wire.Tail()
        self._full = False              # batches are being dropped, and that was told

    def run(self, stopped, wake, reload):
        """Tick until `stopped()` is true, and then once more. `wake` is a descriptor that becomes readable when
        `stopped` and `reload` are to be asked again."""
        self.tick(self.sources)
        self.plan(self.sources, boottime())
        while not stopped():
            due = min((source.due for source in self.sources), default=boottime() + IDLE)
            extra = self.jobs.wait(due, wake)
            reload()
            now = boottime()
            ready = [source for source in self.sources if source.due <= now]
            if ready:
                self.tick(ready)
                self.plan(ready, now)
            elif extra and not stopped():
                self.tick([source for source in self.sources if source.of_jobs])
        self.tick(self.sources)

    def change(self, sources, wanted, periods):
        """Go on with these, each at its new period (ns)."""
        self.sources, self.wanted = sources, wanted
        if self.history is not None and not self._remembers():
            self.history.backend.forget()
        for source, period in zip(sources, periods):
            source.shift(period, boottime(), self._offset)

    def plan(self, sources, now):
        """Set when `sources` are due next; the boundaries that went by are counted as late."""
        left_out = max([source.plan(now, self._offset) for source in sources], default=0)
        if left_out:
            self.late += left_out
            log.warning("%d ticks left out: the one before took too long", left_out)

    def tick(self, sources):
        """Make one batch of `sources`; nothing goes out when they have no row to give."""
        wall, began = time.time_ns(), boottime()
        self._watch_clock(wall - began)
        jobs, ended = self.jobs.present(), self.jobs.ended()
        draft = Draft(jobs, self.wanted, self.tables)
        for job in ended:
            draft.gone(job)     # before the sources are asked: they may have a last row of it
        self.sequence += 1
        meter = Meter()
        with self._sharing(jobs):
            for source in sources:
                self.guard(source, meter, lambda: draft.add(source.rows(jobs)))
            self._end_jobs(jobs, ended, draft, meter)
        if draft:
            batch = draft.batch(self.node.name, self.node.cluster, self.node.session, self.sequence, wall, began)
            self._keep(wire.pack(batch, self._tail), began)
            if self.seen:
                self.seen(batch)
        else:
            self.sequence -= 1
        meter = Meter()
        for source in [source for source in sources if source.beside]:
            self.guard(source, meter, source.start, self.guard, jobs)
        self.ticks += 1
        self.duration += boottime() - began

    def _end_jobs(self, jobs, ended, draft, meter):
        if self._remembers():
            self.history.samples += 1
            self.guard(self.history, meter, self.history.backend.read, jobs + ended)
            self.guard(self.history, meter, self.history.backend.saw, draft.rows, self.sequence)
            for job in ended:           # each by itself: what is odd about one costs none of the others
                self.guard(self.history, meter, self._end_job, job, draft)

    def _end_job(self, job, draft):
        draft.add(self.history.backend.end(job, self.sequence))

    def attend(self, new, empty):
        """Between two ticks: jobs that are new, and those that lost their last task, {job: when}."""
        for source in self.sources if new else ():
            if hasattr(source.backend, "attend") and not source.shed:
                self.guard(source, Meter(), source.backend.attend, new)
        if self._remembers():
            self.guard(self.history, Meter(), self.history.backend.attend, new, empty)

    def _remembers(self):
        """Whether rows of jobs that end are wanted."""
        return self.history is not None and JOB.name in self.wanted

    def _keep(self, frames, now):
        dropped = self.outbox.put(self.sequence, frames, now)
        if dropped and not self._full:
            log.error("the outbox is full (%d batches, %d KiB): the oldest batches are dropped, and counted",
                      len(self.outbox), self.outbox.size // 1024)
        self._full = self._full and len(self.outbox) > 1 or bool(dropped)
        if log.isEnabledFor(DEBUG):
            log.debug("batch %d: %d bytes; %d kept", self.sequence, sum(map(len, frames)), len(self.outbox))

    def _watch_clock(self, apart):
        """`apart` is the wall clock less CLOCK_BOOTTIME: it jumps when somebody sets the clock."""
        if self._apart is not None and abs(apart - self._apart) > STEP:
            self.clock_steps += 1
            log.warning("the clock was set by %+.3f s; ticks keep their pace", (apart - self._apart) / SECOND)
        self._apart = apart

    def guard(self, source, meter, work, *arguments):
        """What `work(*arguments)` returns, None where it fails; failures are those of `source`, and so is the cost
        since the last lap of `meter`."""
        try:
            return work(*arguments)
        except Exception as error:      # the only one: whatever a source does, the others go on
            source.failures += 1
            kind = type(error).__name__
            if kind not in source.kinds:
                source.kinds.add(kind)
                log.error("%s: %s: %s; its rows of this tick are missing", source.name, kind, error)
            log.debug("%s failed", source.name, exc_info=True)
            return None
        finally:
            source.spent(*meter.lap())
