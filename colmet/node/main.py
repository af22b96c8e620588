"""colmet-node: measures the jobs of this node and sends what it finds to colmet-collector."""
import gc
import os
import sys
import threading
from pathlib import Path
from zlib import crc32

import zmq

from colmet.common.limits import raise_file_limit
from colmet.common.log import show
from colmet.common.metrics import TABLES, job
from colmet.common.notify import notify
from colmet.common.options import Usage
from colmet.common.output import printing
from colmet.common.prometheus import Unbound
from colmet.common.schedulers import rules
from colmet.node import prometheus, sources, start, taping
from colmet.node.clock import SECOND
from colmet.node.jobs.emptied import Emptied
from colmet.node.jobs.ending import Ending
from colmet.node.jobs.history import History
from colmet.node.jobs.jobs import Jobs
from colmet.node.log import log
from colmet.node.sending.outbox import Outbox
from colmet.node.sampler import Identity
from colmet.node.sending.sender import Sender
from colmet.node.settings import CHECK, PROGRAM, changed, loopback, settings
from colmet.node.signals import Signals
from colmet.node.source import Source


class Node:
    """All parts of a running node, put together from `values` (`colmet.node.settings`). Raises zmq.ZMQError, Unbound
    (`colmet.common.prometheus`)."""

    def __init__(self, values, tape):
        raise_file_limit()      # some thirty are kept for each job, `colmet.node.cgroup.counters`
        self.values, self.tape, self.signals = values, tape, tape.signals(Signals())
        session = int.from_bytes(os.urandom(8), "little") >> 1
        with tape.apart():
            self._open({"node": values.hostname, "cluster": values.cluster, "session": session})
        self.jobs = Jobs(Path(values.root), values.cpuset_rootpath, values.regex_job_id, values.cgroup, values.pid,
                         values.tid, values.process_tree, facts=values.exit_facts,
                         rules=rules(values.scheduler, values.rule))
        health = tape.health(self.outbox, self.jobs)
        self.sources = sources.Sources(health)
        self.sources.follow(values)
        history = History(self.sources.counters, lambda each: Ending(each, values.exit_facts))
        self.sampler = tape.sampler(Identity(values.hostname, values.cluster, session), self.jobs, self.sources.on,
                                    self.outbox, values.tables, Source("job", history, (job.TABLE,), SECOND),
                                    self.sources.counters.tick)
        health.sampler = self.sampler
        self._describe()
        self.jobs.attendant = self.emptied = Emptied(self.sampler.attend)
        if self.metrics:
            self.sampler.seen = self.metrics.take
            with tape.apart():
                self.metrics.start(health)

    def _open(self, hello):
        """What is between batches and who takes them."""
        values, made = self.values, sources.made_here()
        self.metrics = prometheus.metrics(values)
        self.outbox = Outbox(values.zeromq_hwm, _delay(values))
        self.sender = Sender(values, self.outbox, hello, [table for table in TABLES.values() if table.name in made])
        self.sender.open()
        self.sender.start()

    def run(self, argv):
        """Sample until a signal ends it, then wait until all is sent: for --zeromq-linger ms, or a second signal.
        Returns the exit code: 1 where the sender died of a fault of its own."""
        gc.collect()
        gc.freeze()         # what is here stays: no collection looks at it again
        notify("READY=1")
        self._tell()
        _set_nice(self.values.nice)
        self.sender.announce = not self.sender.reached
        with self.tape.rolling():
            self.sampler.run(self._stopped, self.signals.wake, lambda: self._reload(argv))
        notify("STOPPING=1")
        self.sender.flush(self.values.zeromq_linger)
        while self.sender.is_alive() and self.signals.stops < 2:
            self.sender.join(0.2)
        self._close()
        return 0 if self.tape.done or self.signals.stopped() else 1

    def _describe(self):
        """Say of the tables what the open sources know of them."""
        tables = self.sources.tables
        self.sender.learn(tables[name] for name in sources.made_here())
        self.sampler.tables = tables

    def _tell(self):
        start.tell(start.lines(self.values, self.jobs, self.sources, self.sender, self.emptied))

    def _stopped(self):
        return self.signals.stopped() or not self.sender.is_alive()

    def _reload(self, argv):
        """After SIGHUP: take over what can be changed while it runs, name what cannot."""
        if not self.signals.hup():
            return
        try:
            values = settings(argv, sources.names())
        except Usage as error:
            log.error("%s; everything stays as it was", error)
            return
        for flag in changed(self.values, values):
            log.error("%s: its change needs a restart", flag)
        show(log, values.verbose)
        self.sources.follow(values)
        self.sampler.change(self.sources.on, values.tables, [sources.period(s.name, values) for s in self.sources.on])
        self._describe()
        self._tell()

    def _close(self):
        counts = self.outbox.counts
        lost = len(self.outbox) + counts.dropped_full + counts.dropped_refused
        if lost:
            log.error("of %d batches, %d reached no collector: %d unsent or unacknowledged at the end, %d dropped "
                      "because the outbox was full, %d refused", self.sampler.sequence, lost, len(self.outbox),
                      counts.dropped_full, counts.dropped_refused)
        if self.tape.replays:
            return              # nothing was opened
        self.sources.close()
        self.sampler.history.close()
        self.emptied.close()
        self.jobs.close()


def _set_nice(nice):
    """Give this thread, which samples, the niceness; one with which it was started stays. Its turns are short, and
    where jobs have all CPUs it would get them some 100 ms late."""
    if nice and not os.getpriority(os.PRIO_PROCESS, 0):
        try:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)
        except PermissionError:
            log.info("--nice %d: not without CAP_SYS_NICE; going on without", nice)


def _delay(values):
    """ns by which this node holds its batches back: by its name, within half a period, so that those of a cluster
    do not come all at once."""
    uri = values.zeromq_uri if values.wire == "0.6" else values.native_uri
    half = int(values.sample_period * SECOND) // 2
    return 0 if loopback(uri) else half * crc32(values.hostname.encode()) >> 32


@printing(PROGRAM)
def main(argv=None):
    """The exit code: 0 after SIGTERM, 2 for a wrong command line, 1 where the machine refuses."""
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == [CHECK]:
        from colmet.node import check       # with what a node need not have in memory
        return check.main(argv[1:])
    show(log, 0)
    try:
        values = settings(argv, sources.names())
        tape, argv = taping.begun(values, argv)
        values = tape.settings(values, argv)
        show(log, values.verbose)
        for line in start.going_on_without():
            log.error("%s", line)
        return Node(values, tape).run(argv)
    except Usage as error:
        log.error("%s", error)
        return 2
    except zmq.ZMQError as error:
        log.error("ZeroMQ: %s", error)
        return 1
    except taping.Stopped as stop:
        log.error("replay: %s", stop)
        return 1
    except (OSError, Unbound, taping.Unreadable) as error:
        log.error("%s", error)
        return 1


if __name__ == "__main__":
    sys.exit(main())
