"""How the collector fares: figures gathered once a second, which ``/metrics`` and ``colmet-collector status`` show.

They lie beside the journal in status.json. Each writer leaves its `Word` there, in <name>.json, which is put with what
the collector knows of it. Nothing of this is needed after a crash.
"""
import json
import os
import socket
import time
from pathlib import Path
from typing import NamedTuple

from colmet import __version__
from colmet.collector.log import log
from colmet.common.journal import read
from colmet.common.schema import COUNTER, GAUGE

FILE = "status.json"
WORD = ".json"                  # after the name of a writer
WRITTEN_EVERY = 5.0             # s
HEARD = 300.0                   # s: a node that sent a batch since then counts among the peers


class Figure(NamedTuple):
    """One figure: its key in status.json, and its name for Prometheus but for ``colmet_collector_`` and ``_total``."""
    name: str
    kind: str
    doc: str


FIGURES = (
    Figure("received_records", COUNTER, "records that came, those that came twice included"),
    Figure("stored_records", COUNTER, "records that the journal took"),
    Figure("duplicate_batches", COUNTER, "batches that came again, and were not stored again"),
    Figure("lost_batches", COUNTER, "batches that nodes gave up before they came"),
    Figure("peers", GAUGE, "nodes that sent a batch by the native wire in the last 5 minutes"),
    Figure("sessions", GAUGE, "lives of nodes whose sequence numbers are remembered"),
    Figure("forgotten_sessions", COUNTER, "of them, those that had to make room"),
    Figure("journal_bytes", GAUGE, "room that the journal takes on disk"),
    Figure("journal_limit_bytes", GAUGE, "most that it may take: --journal-size"),
    Figure("journal_full", GAUGE, "1 while the journal can take no more and nothing is acknowledged"),
    Figure("syncs", COUNTER, "times the journal was made durable (fdatasync)"),
    Figure("sync_seconds", COUNTER, "time spent in that"),
    Figure("cpu_seconds", COUNTER, "CPU time of the process that receives, writers' own processes left out"),
    Figure("rss_bytes", GAUGE, "resident memory of that process"),
)
REFUSED = Figure("refused", COUNTER, "what was wrong with what came, by kind")
WRITER_FIGURES = (
    Figure("position_bytes", GAUGE, "position in the journal below which the writer has stored all"),
    Figure("lag_bytes", GAUGE, "of the journal that it has not stored yet"),
    Figure("behind_seconds", GAUGE, "age of the oldest entry that it has not stored yet"),
    Figure("running", GAUGE, "1 while the writer runs"),
    Figure("failing", GAUGE, "1 while its last try failed"),
    Figure("stored_records", COUNTER, "records that it stored"),
    Figure("rejected_records", COUNTER, "records that its store refused for good, or that could not be read"),
    Figure("lost_messages", COUNTER, "messages that left the journal before it had stored them"),
)


class Word:
    """What the writer `name` tells of itself, in <name>.json beside the journal: `stored` and `rejected` records since
    that file was begun; `error`, why its last try failed, one line, "" while all goes well; also `last_error`, and
    `last_error_time` and `written` in Unix time."""

    def __init__(self, journal, name):
        self.path = Path(journal) / (name + WORD)
        before = load(self.path) or {}
        self.stored, self.rejected = _number(before, "stored"), _number(before, "rejected")
        self.last_error, self.last_error_time = str(before.get("last_error", "")), _number(before, "last_error_time")
        self.error = ""
        self._left, self._told = float("-inf"), ""

    def failed(self, text):
        """The last try failed: `text` says why."""
        self.error = self.last_error = text
        self.last_error_time = time.time()

    def leave(self, last=False):
        """Write it down every WRITTEN_EVERY s, as a sign of life too; at once where `error` is another, and for the
        `last` time."""
        now = time.monotonic()
        if now - self._left < WRITTEN_EVERY and self.error == self._told and not last:
            return
        self._left, self._told = now, self.error
        write(self.path, {"stored": self.stored, "rejected": self.rejected, "error": self.error,
                          "last_error": self.last_error, "last_error_time": self.last_error_time,
                          "written": time.time()})


class Status:
    """`figures` is what was found when it last `look`ed: never changed, but replaced. `upkeep` knows the journal and
    its writers, `intake` and `receiver` what came."""

    def __init__(self, upkeep, intake, receiver):
        self._upkeep, self._intake, self._receiver = upkeep, intake, receiver
        self._journal = upkeep.journal
        self._started, self._written = time.time(), float("-inf")
        self._arrivals = {}             # {writer: (position, arrival of the entry there, in s)}
        self._failed = False            # that it cannot be written was told
        self.figures = {}
        self.look()

    def look(self, last=False):
        """Gather the figures; write them down where it is time, or for the `last` time."""
        writers = {writer.name: self._writer(writer) for writer in self._upkeep.writers}
        self.figures = dict(self._received(), writers=writers, **self._process())
        if last or time.monotonic() - self._written >= WRITTEN_EVERY:
            self._written = time.monotonic()
            failed = not write(self._journal.directory / FILE, self.figures)
            if failed and not self._failed:
                log.error("%s: cannot be written; `colmet-collector status` has nothing new to tell",
                          self._journal.directory / FILE)
            self._failed = failed

    def _received(self):
        counts, sequences, receiver = self._intake.counts, self._intake.sequences, self._receiver
        refused = {}
        for (_, kind), count in self._intake.faults.counts.items():
            refused[kind] = refused.get(kind, 0) + count
        return {"received_records": counts.received, "stored_records": counts.stored,
                "duplicate_batches": counts.doubled, "lost_batches": counts.lost, "refused": refused,
                "peers": sequences.heard(HEARD), "sessions": len(sequences),
                "forgotten_sessions": sequences.forgotten, "journal": str(self._journal.directory),
                "journal_bytes": self._upkeep.used, "journal_limit_bytes": self._upkeep.limit,
                "journal_full": int(receiver.full), "syncs": receiver.syncs, "sync_seconds": receiver.sync_seconds}

    def _process(self):
        with open("/proc/self/statm") as file:
            pages = int(file.read().split()[1])         # proc(5)
        return {"version": __version__, "host": socket.gethostname(), "pid": os.getpid(), "started": self._started,
                "time": time.time(), "cpu_seconds": time.process_time(),
                "rss_bytes": pages * os.sysconf("SC_PAGE_SIZE")}

    def _writer(self, writer):
        position = writer.position
        word = load(self._journal.directory / (writer.name + WORD)) or {}
        error = str(word.get("error", ""))
        lag = max(0, self._journal.end - position)
        return {"position_bytes": position, "lag_bytes": lag,
                "behind_seconds": max(0.0, time.time() - self._arrival(writer.name, position)) if lag else 0.0,
                "running": int(writer.running), "failing": int(bool(error)), "error": error,
                "stored_records": _number(word, "stored"), "rejected_records": _number(word, "rejected"),
                "lost_messages": self._upkeep.lost.get(writer.name, 0),
                "last_error": str(word.get("last_error", "")), "last_error_time": _number(word, "last_error_time"),
                "heard": _number(word, "written")}

    def _arrival(self, name, position):
        """When the first entry that the writer `name` has not stored came, Unix time in s."""
        known, arrival = self._arrivals.get(name, (None, 0.0))
        if known != position:
            entry = next(read(self._journal.directory, position), None)
            arrival = entry.arrival / 10 ** 9 if entry else time.time()
            self._arrivals[name] = position, arrival
        return arrival


def write(path, values):
    """Write `values` as JSON so that readers see the old or the new, whole; returns whether that went well."""
    draft = path.with_name(path.name + ".new")
    try:
        draft.write_text(json.dumps(values))
        os.replace(draft, path)
    except OSError:         # a full disk: what it means for the data is told elsewhere
        return False
    return True


def load(path):
    """The JSON object in `path`, None where there is none. Raises PermissionError."""
    try:
        values = json.loads(path.read_bytes())
    except PermissionError:
        raise
    except (OSError, ValueError):
        return None
    return values if isinstance(values, dict) else None


def _number(values, name):
    value = values.get(name, 0)
    return value if type(value) in (int, float) else 0
