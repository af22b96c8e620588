"""A node on the tape: its sampler, and the few answers that it has not from functions of `colmet.node.tape.calls`."""
import hashlib
import time
from contextlib import contextmanager

from colmet.node import health, sampler, sources
from colmet.node.log import TELL, log
from colmet.node.sending.outbox import Counts
from colmet.node.settings import settings
from colmet.node.source import SlowSource
from colmet.node.tape.calls import Installed
from colmet.node.tape.player import TICK, Player
from colmet.node.tape.recorder import Recorder
from colmet.node.tape.recording import Reader
from colmet.node.tape.tape import VIRTUAL, Diverged, Ended

MOST_KEPT = 100                 # batches that a replay lets wait for the collector
SENDING = ("zeromq_uri", "native_uri", "wire", "wire_timeout", "zeromq_hwm", "zeromq_linger", "prometheus_bind",
           "verbose", "record", "replay")       # a replay has these from its own command line


def begun(values, argv):
    """(`Taped`, the command line to go by) for a node that was asked to record or replay by `values`; from now on this
    thread is on the tape. Raises Unreadable, OSError, whose texts name the option."""
    option = "--replay %s" % values.replay if values.replay else "--record %s" % values.record
    try:
        reader = Reader(values.replay) if values.replay else None
        tape = Player(reader) if reader else Recorder(values.record, values.record_size, argv)
    except OSError as error:
        raise OSError("%s: %s; give another" % (option, error.strerror)) from None
    return Taped(tape, reader), reader.head["argv"] if reader else argv


class Taped:
    """What `colmet.node.taping.Off` is for other nodes."""

    def __init__(self, tape, reader=None):
        self._tape, self._reader = tape, reader
        self.replays, self.apart = tape.replays, tape.apart
        self._sampler, self._signals, self.done = None, None, False
        tape.join(0)
        self._installed = Installed(tape)

    def settings(self, own, argv):
        """The values to go by: those of the command line `argv`, in a replay that of the recording, which takes from
        its `own` how it sends."""
        values = settings(argv, sources.names())
        for name in SENDING if self.replays else ():
            setattr(values, name, getattr(own, name))
        return values

    def signals(self, real):
        """As `colmet.node.signals.Signals`."""
        self._signals = Signals(self._tape, real)
        return self._signals

    def health(self, outbox, jobs):
        """A `colmet.node.health.Health`."""
        return Health(self._tape, outbox, jobs)

    def sampler(self, *arguments):
        """A `colmet.node.sampler.Sampler`."""
        self._sampler = Sampler(self._tape, *arguments)
        return self._sampler

    @contextmanager
    def rolling(self):
        """The time for which it samples. `done` is true afterwards where a replay got to its end."""
        try:
            yield
        except (Diverged, Ended):
            pass
        with self._tape.apart():
            differ = self._sampler.differ
            self.done = self.replays and not self._tape.fault
        self._tape.close()
        if self.replays:
            self._tell(self._sampler.sequence, differ)
        else:
            self._installed.remove()

    def _tell(self, batches, differ):
        tape = self._tape
        if tape.fault:
            log.error("replay: %s", tape.fault)
        elif self._signals.stops:
            log.error("replay: stopped at tick %d", tape.ticks)
        elif not tape.whole:
            log.error("replay: %s ends with tick %d and not with its node: that was killed, or --record-size was "
                      "reached%s", self._reader.path, tape.ticks, "; what follows is not whole" * self._reader.cut)
        how = "%d of them not as recorded, the first at tick %d" % (len(differ), differ[0]) if differ \
            else "all as recorded"
        log.log(TELL, "replay: %d batches in %d ticks, %s", batches, tape.ticks, how)


class Sampler(sampler.Sampler):
    """Notes where ticks begin, whose turn it is, and what the batches were. `differ` are the ticks of a replay whose
    batches are not those that were recorded."""

    def __init__(self, tape, *arguments):
        self._tape, self.differ = tape, []
        super().__init__(*arguments)

    def tick(self, sources):
        self._tape.ticks += 1
        self._tape.source = "jobs"
        self._tape.note(TICK, str(self._tape.ticks))
        super().tick(sources)
        self._tape.flush()

    def guard(self, source, meter, work, *arguments):
        before, self._tape.source = self._tape.source, source.name
        try:
            return super().guard(source, meter, work, *arguments)
        finally:
            self._tape.source = before

    def _keep(self, frames, now):
        digest = hashlib.sha256(b"".join(frames)).hexdigest()
        if self._tape.ask("batch", str(self.sequence), lambda: digest) != digest:
            self.differ.append(self._tape.ticks)
        with self._tape.apart():
            while self._tape.replays and len(self.outbox) >= MOST_KEPT and not self._tape.stopped():
                time.sleep(0.01)
            super()._keep(frames, now)


class Signals:
    """SIGTERM ends a replay too; SIGHUP comes when it came."""

    def __init__(self, tape, real):
        self._tape, self._real = tape, real
        self.wake = VIRTUAL - 1 if tape.replays else real.wake
        tape.stopped = real.stopped

    @property
    def stops(self):
        """Signals that asked for the end, of this process."""
        return self._real.stops

    def stopped(self):
        """Whether the node shall end."""
        if self._tape.replays and self._real.stopped():
            raise Ended("it was stopped")
        return self._tape.ask("signals", "stopped", self._real.stopped) if self._tape.rolling else self._real.stopped()

    def hup(self):
        """Whether the configuration shall be read again."""
        return self._tape.ask("signals", "hup", self._real.hup)


class Health(health.Health):
    """What other threads count meanwhile is an answer: the sender, and sources that have one of their own."""

    def __init__(self, tape, outbox, jobs):
        self._tape = tape
        super().__init__(Outbox(tape, outbox), jobs)

    def source(self, source):
        """As the real one's."""
        if isinstance(source, SlowSource) and self._tape.rolling:
            return self._tape.ask("source", source.name, lambda: super(Health, self).source(source))
        return super().source(source)


class Outbox:
    """What became of batches, as it was told."""

    def __init__(self, tape, real):
        self._tape, self._real = tape, real

    def __len__(self):
        return self._tape.ask("outbox", "kept", lambda: len(self._real)) if self._tape.rolling else len(self._real)

    @property
    def counts(self):
        """A `colmet.node.sending.outbox.Counts`."""
        if not self._tape.rolling:
            return self._real.counts
        return Counts(**self._tape.ask("outbox", "counts", lambda: dict(vars(self._real.counts))))
