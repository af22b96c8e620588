"""Every record as text on standard output, in the form of Colmet 0.6, values exact and with their unit.

    1795225808  Job(1001)/ taskstats_default -> Host(vm) -> {
    	cpu_count : 45 (count)
    	...
    }
"""
import sys
import threading

from colmet.collector.entries import Entries
from colmet.collector.log import log
from colmet.collector.status import Word
from colmet.common.facts import FIELDS, job_facts, steps_text
from colmet.common.journal import read
from colmet.common.names import safe
from colmet.common.schema import MISSING

END_LIMIT = 10.0        # s without a batch that was printed, after which nobody is thought to read at the end


class Stdout:
    """The writer, in a thread of its own: whoever reads standard output may be slow. It prints what is durable;
    `position` is what it has printed."""

    def __init__(self, journal, position, stream=None):
        self.name, self.position = "stdout", position
        self.closed = False             # nobody reads any more
        self._journal, self._stream = journal, stream or sys.stdout
        self._entries = Entries()
        self._word = Word(journal, self.name)
        self._durable = position
        self._news = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    @property
    def running(self):
        """Whether anybody reads still."""
        return not self.closed

    def start(self):
        """Start printing."""
        self._thread.start()

    def synced(self, position):
        """All entries below `position` are durable."""
        with self._news:
            self._durable = position
            self._news.notify()

    def seal(self):
        """What is printed is committed: nothing to do."""

    def finish(self):
        """Print what is durable and end; returns whether all of it was."""
        with self._news:
            self._stopping = True
            self._news.notify()
        printed = None
        while self._thread.is_alive() and printed != self._word.stored:
            printed = self._word.stored
            self._thread.join(END_LIMIT)
        return not self._thread.is_alive() and not self.closed

    def _run(self):
        self._entries.catch_up(self._journal, self.position)
        while True:
            with self._news:
                self._news.wait_for(lambda: self._stopping or self._durable > self.position)
                durable, stopping = self._durable, self._stopping
            try:
                self._print(durable)
            except OSError as error:
                log.error("standard output: %s; nothing is printed any more", error.strerror)
                self.closed = True
                self._word.failed("standard output: %s" % error.strerror)
                self._word.leave()
                return
            if stopping:
                return self._word.leave(last=True)

    def _print(self, durable):
        for entry in read(self._journal, self.position):
            if entry.next > durable:
                break
            for batch in self._entries.batches(entry):
                self._stream.writelines(lines(batch))
                self._word.stored += sum(block.rows for block in batch.blocks)
            self.position = entry.next
        self._stream.flush()
        self._word.leave()


def lines(batch):
    """The text of each row of `batch`. What came as a name over the wire is made harmless for a terminal."""
    host, seconds = safe(batch.node), batch.time // 10 ** 9
    facts = [_facts(job, batch.cluster) for job in batch.jobs]
    for block in batch.blocks:
        table = block.table
        width = max(len(metric.name) for metric in table.metrics)
        for job, instance, *values in block:
            name = safe(batch.jobs[job]["job"])
            where = "%s[%s]" % (table.name, safe(batch.strings[instance])) if table.instance else table.name
            rows = ["\t%*s : %s" % (width, metric.name, _text(metric, value))
                    for metric, value in zip(table.metrics, values)]
            if not table.legacy:
                rows = ["\t%*s : %s" % (width, name, known) for name, known in facts[job]] + rows
            head = "%d  Job(%s)/ %s -> Host(%s) -> {" % (seconds, name, where, host)
            yield "\n".join([head] + rows + ["}\n"])


def _facts(job, cluster):
    """What is known of a job, as lines: [(name, text)]."""
    return [(FIELDS[name], steps_text(known) if name == "steps" else safe(known))
            for name, known in job_facts(job, cluster).items()]


def _text(metric, value):
    if value == MISSING or value != value:
        return "-"
    unit = "".join(letter if letter.isprintable() else "?" for letter in metric.unit)
    return "%s (%s)" % (value, unit) if unit else str(value)
