"""A batch in the making: rows of one tick come in by source and leave as a `Batch` with its lists of jobs and texts."""
from colmet.common.batch import NODE_JOB, Batch, Block, pack_rows
from colmet.common.metrics import TABLES
from colmet.common.wire import MAX_NAME


class Draft:
    """`jobs` are those present at this tick; all are named in the batch, with or without rows. `wanted` are the
    names of the tables that are switched on: rows of others are left out. `tables` are {name: Table}, as this node
    describes them."""

    def __init__(self, jobs, wanted, tables=TABLES):
        self._wanted, self._tables = wanted, tables
        self._entries = [dict(NODE_JOB)] + [_fitting(job.entry()) for job in jobs]
        self._places = {job: place for place, job in enumerate(jobs, 1)}
        self._places[None] = 0
        self._strings = {"": 0}
        self._blocks = {}
        self.rows = {}                  # {job: [(table, values)]}, the node's own left out

    def gone(self, job):
        """Name `job`, which ended: a row of it may follow."""
        if job not in self._places:
            self._places[job] = len(self._entries)
            self._entries.append(_fitting(job.entry(gone=True)))

    def add(self, rows):
        """Take {table name: [(job, instance, values)]} of one source. Rows of jobs that are not named are left out:
        those of a slow source may be of one that went meanwhile."""
        for name, found in rows.items():
            if not found or name not in self._wanted:
                continue
            placed = [(self._places[row[0]], self._place(row[1]), row[2]) for row in found if row[0] in self._places]
            block = pack_rows(self._tables[name], placed)
            if name in self._blocks:
                block = Block(block.table, self._blocks[name].data + block.data)
            if block.data:
                self._blocks[name] = block
            for job, _, values in found:
                if job is not None and job in self._places:
                    self.rows.setdefault(job, []).append((name, values))

    def batch(self, node, cluster, session, sequence, time, boottime):
        """The batch; its blocks follow the order of `TABLES`, which is that of the 0.6 wire."""
        blocks = [self._blocks[name] for name in TABLES if name in self._blocks]
        return Batch(node, session, sequence, time, boottime, self._entries, list(self._strings), blocks, cluster)

    def _place(self, instance):
        """Where the text `instance` is among the batch's; raises ValueError for what the wire does not take."""
        place = self._strings.get(instance)
        if place is None:
            if not isinstance(instance, str) or len(instance.encode()) > MAX_NAME:
                raise ValueError("instance %.50r is no text of at most %d bytes" % (instance, MAX_NAME))
            place = self._strings[instance] = len(self._strings)
        return place

    def __bool__(self):
        return bool(self._blocks)


def _fitting(entry):
    """The entry of a job, its texts cut to what the wire takes: one odd name must not cost the batch."""
    for name, value in entry.items():
        if isinstance(value, str) and len(value) * 4 > MAX_NAME:
            entry[name] = _cut(value)
    if "steps" in entry:
        entry["steps"] = list(map(_cut, entry["steps"]))
    return entry


def _cut(text):
    return text.encode()[:MAX_NAME].decode("utf-8", "ignore")
