"""A reader without patience: opens every HDF5 file of a folder under its final name, over and over.

    python watcher.py FOLDER REGEX REPORT

It says "looking", and looks at least once, until its standard input ends; then writes to REPORT a JSON object:
"opened", how often a file was opened and read, and
"failed", what went wrong each time. A file that is complete when it appears, and stays, never fails.
"""
import json
import os
import re
import select
import sys
from pathlib import Path

import h5py


def look(path):
    """Open a file, and read all of one table and the number of rows of the others."""
    with h5py.File(path, "r") as file:
        tables = [file[group][table] for group in file if group.startswith("job_") for table in file[group]]
        rows = [len(table) for table in tables]
        assert rows and tables[-1][...].shape == (rows[-1],)


def main(folder, regex, report):
    """Look until told to stop."""
    opened, failed = 0, []
    print("looking", flush=True)
    last = False
    while not last:
        last = bool(select.select([sys.stdin], [], [], 0)[0])
        for name in sorted(os.listdir(folder)):
            if re.fullmatch(regex, name):
                try:
                    look(Path(folder, name))
                    opened += 1
                except (OSError, AssertionError, KeyError, RuntimeError, ValueError) as error:
                    failed.append("%s: %r" % (name, error))
    Path(report).write_text(json.dumps({"opened": opened, "failed": failed}))


if __name__ == "__main__":
    main(*sys.argv[1:])
