"""Batches, a journal of them, and a writer in this process, for the tests of the HDF5 writer."""
import json
import os
from types import SimpleNamespace

from colmet.collector.hdf5 import writer as hdf5
from colmet.common import wire
from colmet.common.batch import Batch, pack_rows
from colmet.common.journal import NATIVE, SCHEMAS, Journal
from colmet.common.metrics import TABLES

SECOND = 10 ** 9
T0 = 1795225807
TASKSTATS = TABLES["taskstats_default"]


def settings(path, **changes):
    """The options of the writer."""
    values = dict(hdf5_filepath=str(path), hdf5_complevel=1, hdf5_complib="zlib", hdf5_max_size=2 ** 31,
                  hdf5_window=600.0, verbose=0)
    return SimpleNamespace(**dict(values, **changes))


def batch(tick, jobs=("7",), node="node-1", rows=None, table=TASKSTATS, **more):
    """A batch of `node` at second T0 + `tick` with a row of `table` for each of `jobs`; its values begin with the
    tick and the job's place."""
    values = [tick, 0] + list(range(2, len(table.metrics)))
    cells = rows or [(place, 0, [tick, place] + values[2:]) for place in range(1, len(jobs) + 1)]
    entries = [{"job": "0"}] + [job if isinstance(job, dict) else {"job": job} for job in jobs]
    return Batch(node, 99, tick, (T0 + tick) * SECOND, 1, entries, more.pop("strings", [""]),
                 [pack_rows(table, cells)], **more)


def write_journal(directory, batches, arrival=None):
    """Append `batches` to the journal in `directory`, one second apart, and return its end."""
    journal = Journal(directory)
    tables = {block.table for each in batches for block in each.blocks}
    journal.append(SCHEMAS, json.dumps(wire.schemas(tables)).encode(), arrival or T0 * SECOND)
    for place, each in enumerate(batches):
        journal.append(NATIVE, wire.join(wire.pack(each)), arrival or (T0 + place) * SECOND)
    journal.sync()
    end = journal.end
    journal.close()
    return end


def open_writer(path, journal, **changes):
    """A writer with the settings `changes`; it holds no lock."""
    lock, target = hdf5.open_store(settings(path, **changes))
    os.close(lock)
    return hdf5.Writer(target, journal)


def store(path, journal, **changes):
    """Have a writer with the settings `changes` store all that the journal holds; returns it."""
    writer = open_writer(path, journal, **changes)
    writer.read_on(must=True)
    return writer
