"""What is in the HDF5 files that a collector wrote, read with h5py."""
import os
import signal
import time
from pathlib import Path

import h5py

from programs import wait_for

MISSING = -2 ** 63
PATIENCE = 60       # s
LOOK = 0.2          # s between two looks for what is to be stored


def wait_until(collector, condition, what):
    """As `wait_for`, of what is in the files of `collector` (a `Program`): it is told again and again to store what it
    has (SIGHUP), which by itself it does every few seconds."""
    def stored():
        if "limits " in collector.errors():     # the last of what it says at its start: it takes signals
            os.kill(collector.pid, signal.SIGHUP)
        time.sleep(LOOK)
        return condition()
    wait_for(stored, PATIENCE, what)


def files(folder, pattern="*.hdf5"):
    """The files in `folder` under their final names, in order of those."""
    return sorted(path for path in Path(folder).glob(pattern) if not path.name.startswith("."))


def tables(path):
    """{(job, table): rows as a numpy structured array} of one file; `job` is what follows "job_"."""
    found = {}
    with h5py.File(path, "r") as file:
        for group in file:
            if group.startswith("job_"):
                for table in file[group]:
                    found[group[4:], table] = file[group][table][...]
    return found


def rows(paths, job, table):
    """All rows of one table of `job` in the files, as dicts, in the order of the files."""
    found = []
    for path in [paths] if isinstance(paths, Path) else paths:
        with h5py.File(path, "r") as file:
            name = "job_%s/%s" % (job, table)
            if name in file:
                data = file[name][...]
                found += [dict(zip(data.dtype.names, row)) for row in data.tolist()]
    return found


def jobs(paths):
    """Ids, as text, of all jobs that have a row of any table, the node itself left out."""
    return {job for path in paths for (job, _), data in tables(path).items() if len(data) and job != "0"}
