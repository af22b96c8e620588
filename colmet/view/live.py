"""Live numbers of one job, from the journal of a running collector: never older than the last tick."""
import json

from colmet.common import journal, wire
from colmet.common.metrics import jobproc, taskstats
from colmet.common.schema import MISSING
from colmet.view import text


class Live:
    """Follows the journal in `directory` for the job of id `job` (text)."""

    def __init__(self, directory, job):
        self._directory, self._job = directory, job
        self._position = 0
        self._tables = {}
        self.values = {}        # of the last tick: (table, metric) -> number

    def update(self):
        """Read what came since the last call."""
        for entry in journal.read(self._directory, self._position):
            self._position = entry.next
            if entry.kind == journal.SCHEMAS:
                self._tables.update(wire.read_schemas(json.loads(entry.payload)))
            elif entry.kind == journal.NATIVE:
                batch, _ = wire.unpack(wire.split(entry.payload), self._tables)
                self._take(batch)

    def _take(self, batch):
        """Keep the job's values of `batch`, in which it has one row in a table at most."""
        for block in batch.blocks:
            for job, _, *values in block:
                if batch.jobs[job]["job"] == self._job:
                    names = [(block.table.name, metric.name) for metric in block.table.metrics]
                    self.values.update((name, value) for name, value in zip(names, values) if value != MISSING)

    def line(self, wall):
        """One line on what the processes that live now have used; `wall` in ns."""
        cells = ["%-13s" % text.duration(wall)]
        for word, width, metrics, show in CELLS:
            value = next((show(self.values[key]) for key in metrics if key in self.values), "")
            if value:
                cells.append("%s %-*s" % (word, width, value))
        return " ".join(cells).rstrip()


def _kib(number):
    return text.size(1024 * number)


_TASKS, _PROCESSES = taskstats.TABLE.name, jobproc.TABLE.name
CELLS = (
    ("CPU", 12, [(_TASKS, "cpu_run_virtual_total")], text.duration),
    ("mem", 9, [(_PROCESSES, "VmRSS")], _kib),
    ("read", 9, [(_PROCESSES, "read_bytes"), (_TASKS, "read_bytes")], text.size),
    ("written", 9, [(_PROCESSES, "write_bytes"), (_TASKS, "write_bytes")], text.size),
)
