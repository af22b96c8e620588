"""colmet-collector: takes what the nodes send, keeps it safe in a journal, and has it stored.

Exit codes: 0 after SIGTERM or SIGINT, when all that came is stored; 1 the machine refuses; 2 the command line or
the configuration is wrong by itself.
"""
import os
import secrets
import signal
import socket
import sys

import zmq

from colmet import __version__
from colmet.collector import overview, prometheus, sockets
from colmet.collector.elasticsearch import target as elasticsearch_target
from colmet.collector.hdf5 import target as hdf5_target
from colmet.collector.intake import Intake, replay
from colmet.collector.log import Faults, log, tell
from colmet.collector.place import Unusable, open_journal
from colmet.collector.receiver import Receiver
from colmet.collector.sequences import Sequences
from colmet.collector.settings import OPTIONS, PROGRAM, STATUS, settings
from colmet.collector.status import Status
from colmet.collector.stdout import Stdout
from colmet.collector.upkeep import Upkeep
from colmet.collector.writers import Child, Refused
from colmet.common.limits import raise_file_limit
from colmet.common.log import show
from colmet.common.notify import notify
from colmet.common.options import Usage
from colmet.common.output import printing
from colmet.common.prometheus import Unbound, where

RELOADED = ("verbose", "sample_period", "buffer_size", "journal_size", "config")  # what SIGHUP can change at once
LAST_ACKS = 1000        # ms for the last acknowledgements, at least: without them nodes believe batches lost
RENEWED = {             # and by a new process of the writer
    "hdf5": ("hdf5_complevel", "hdf5_complib", "hdf5_max_size", "hdf5_window"),
    "elasticsearch": ("http_credentials", "elastic_ca", "no_check_certificates", "elastic_plain_index", "elastic_gzip",
                      "elastic_time_series", "elastic_retention", "elastic_bulk_size"),
}


@printing(PROGRAM)
def main(argv=None):
    """Run until a signal ends it; returns the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == [STATUS]:
        return overview.main(argv[1:])
    try:
        options = settings(argv)
    except Usage as error:
        print("%s: %s" % (PROGRAM, error), file=sys.stderr)
        return 2
    show(log, options.verbose)
    collector = Collector(argv, options)
    try:
        collector.start()
        return collector.run()
    except (Unusable, Refused, hdf5_target.Refused, sockets.Unbound, Unbound) as error:
        tell(str(error))
        return 1
    except OSError as error:
        tell("%s; stopped: what was acknowledged is safe in the journal" % error)
        return 1
    finally:
        collector.close()


class Collector:
    """Everything put together; `argv` is read again on SIGHUP."""

    def __init__(self, argv, options):
        self.argv, self.options = argv, options
        self.context = zmq.Context()
        self.journal = self.upkeep = self.receiver = self.stdout = self.status = None
        self.writers, self._channels = [], []
        self._signals = []
        self._wake, wakes = socket.socketpair()
        wakes.setblocking(False)
        self._wake.setblocking(False)
        self._wakes = wakes

    def start(self):
        """Open, bind and start all, in the order in which a refusal costs least: Unusable, Unbound or Refused."""
        options = self.options
        if options.hdf5_filepath:
            hdf5_target.check_target(options.hdf5_filepath)
        if options.elastic_hosts:
            elasticsearch_target.check_files(options)
            elasticsearch_target.warn(options)
        files = raise_file_limit()
        self.context.set(zmq.MAX_SOCKETS, min(files, self.context.get(zmq.SOCKET_LIMIT)))
        self.journal = open_journal(options)
        router, pull, off = self._bind()
        metrics = prometheus.metrics(options)
        faults, sequences = Faults(), Sequences()
        positions = self._recall(sequences)
        self._start_writers(positions)
        self.upkeep = Upkeep(self.journal, sequences, self.writers, options.journal_size)
        intake = Intake(self.journal, sequences, faults, secrets.randbits(63))
        self.receiver = Receiver(intake, router, pull, options, self._synced)
        self.status = Status(self.upkeep, intake, self.receiver)
        if metrics:
            intake.seen = metrics.latest and metrics.latest.take
            metrics.start(self.status)
        self._listen_to_signals()
        self._greet(files, off)
        notify("READY=1")

    def run(self):
        """Receive until a signal says stop, then store what came; returns the exit code."""
        self.receiver.run(self._stopping, self._tick, [self._wake.fileno()])
        notify("STOPPING=1")
        self.receiver.drain()
        stored = all([writer.finish() for writer in self.writers])
        self.upkeep.checkpoint()
        self.upkeep.tick()
        self.status.look(last=True)
        if not stored:
            tell("not all is stored; the journal %s keeps it for the next start" % self.journal.directory)
        return 0 if stored else 1

    def close(self):
        """Let go of all."""
        for writer in self.writers:
            if isinstance(writer, Child):
                writer.kill()
        linger = self.options.zeromq_linger
        for channel in self._channels:
            channel.close(linger if linger < 0 else max(linger, LAST_ACKS))
        self.context.term()
        if self.journal:
            self.journal.close()

    def _bind(self):
        """(router, pull, why the native wire is off)."""
        options = self.options
        off, router, pull = "", None, None
        if not options.no_legacy:
            pull = sockets.bind(self.context, zmq.PULL, options.zeromq_bind_uri, "--zeromq-bind-uri",
                                options.zeromq_hwm)
            self._channels.append(pull)
        try:
            if not options.native_bind_uri:
                raise sockets.Unbound("no port above that of --zeromq-bind-uri; give --native-bind-uri")
            router = sockets.bind(self.context, zmq.ROUTER, options.native_bind_uri, "--native-bind-uri",
                                  options.zeromq_hwm)
            self._channels.append(router)
        except sockets.Unbound as error:
            if options.native_given or not pull:
                raise
            off = str(error)
        return router, pull, off

    def _recall(self, sequences):
        """Bring `sequences` up to the journal's end; returns positions of writers by name."""
        try:
            position, positions = sequences.load(self.journal.directory)
        except (ValueError, OSError) as error:
            log.error("%s: the checkpoint cannot be read (%s); reading the whole journal", self.journal.directory,
                      error)
            position, positions = 0, {}
        replay(self.journal.directory, sequences, position)
        self.journal.advance(position)
        return positions

    def _start_writers(self, positions):
        directory, options = self.journal.directory, self.options
        for name, wanted in (("hdf5", options.hdf5_filepath), ("elasticsearch", options.elastic_hosts)):
            if wanted:
                child = Child(name, "colmet.collector.%s.writer" % name, options, directory)
                self.writers.append(child)
                child.start()
        for child in self.writers:
            child.wait()
            self.journal.advance(child.position)
        if options.enable_stdout_backend:
            self.stdout = Stdout(directory, min(positions.get("stdout", 0), self.journal.end))
            self.writers.append(self.stdout)
            self.stdout.start()

    def _synced(self, position):
        if self.stdout:
            self.stdout.synced(position)
        self.upkeep.synced(position)

    def _listen_to_signals(self):
        signal.set_wakeup_fd(self._wakes.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda number, _: self._signals.append(number))

    def _stopping(self):
        return signal.SIGTERM in self._signals or signal.SIGINT in self._signals

    def _tick(self):
        try:
            self._wake.recv(4096)
        except BlockingIOError:
            pass
        if signal.SIGHUP in self._signals:
            self._signals.remove(signal.SIGHUP)
            self._reload()
        for writer in self.writers:
            if isinstance(writer, Child):
                writer.poll()
        self.upkeep.tick()
        self.status.look()
        if self.stdout and self.stdout.closed and len(self.writers) == 1:
            self._signals.append(signal.SIGTERM)        # nothing is acknowledged that nothing will store

    def _reload(self):
        try:
            options = settings(self.argv)
        except Usage as error:
            log.error("%s; nothing was changed", error)
            return self._seal()
        changed = [option.dest for option in OPTIONS
                   if getattr(options, option.dest) != getattr(self.options, option.dest)]
        obeyed = RELOADED + sum(RENEWED.values(), ())
        for name in obeyed:
            setattr(self.options, name, getattr(options, name))
        for name in sorted(set(changed) - set(obeyed)):
            log.error("--%s: takes effect at the next start", name.replace("_", "-"))
        show(log, self.options.verbose)
        self.upkeep.limit = self.options.journal_size
        return self._seal(changed)

    def _seal(self, changed=()):
        for writer in self.writers:
            if set(changed) & set(RENEWED.get(writer.name, ())):
                writer.renew(self.options)
            else:
                writer.seal()

    def _greet(self, files, off):
        options = self.options
        stores = [options.hdf5_filepath] * bool(options.hdf5_filepath) + ["standard output"] * bool(self.stdout)
        stores += ["%s/%s*" % (host.url, options.elastic_index_prefix) for host in options.elastic_hosts]
        lines = ["%s %s on %s" % (PROGRAM, __version__, socket.gethostname())]
        lines.append("listens   %s" % (off or "%s, acknowledged" % options.native_bind_uri))
        if not options.no_legacy:
            lines.append("          %s, Colmet 0.6" % options.zeromq_bind_uri)
        lines += ["journal   %s, at most %d MiB" % (self.journal.directory, options.journal_size >> 20),
                  "stores    %s" % ", ".join(stores),
                  "limits    %d open files: about as many nodes" % files]
        lines += ["metrics   %s" % where(options)] if options.prometheus_bind else []
        print("\n".join(lines), file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
