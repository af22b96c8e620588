"""Which source each column counter_1, counter_2, ... of a table of 0.6 is on this machine: a file, as 0.6 wrote it, and
part of the table's description, which goes with the rows.
"""
import os
import time
from dataclasses import replace

from colmet.node.log import log


def described(table, words):
    """`table` with the text of `words` for each of its metrics in their order: what the counter is here."""
    return replace(table, mapping=tuple(words))


def write(stem, lines, folder):
    """Write `lines` as `stem`_mapping.<time>.csv in `folder`, "" for the working directory, None for nowhere. Where
    that cannot be, it is told once."""
    if folder is None:
        return
    path = os.path.join(folder, "%s_mapping.%s.csv" % (stem, time.time()))
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write("".join(line + "\n" for line in lines))
    except OSError as error:
        log.warning("%s: %s; what it says is also in the attributes of the table, --mapping-dir gives another place",
                    path, error.strerror.lower())
