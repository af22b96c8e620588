"""Where the journal lies, and opening it."""
import os
from pathlib import Path

from colmet.collector.log import log
from colmet.common.journal import SEGMENT_BYTES, SUFFIX, Journal, Locked

SEGMENTS = 16                   # that --journal-size has room for at least
LEAST_SEGMENT = 64 * 2 ** 10    # bytes


class Unusable(Exception):
    """No journal can be kept; the text is one line: where, why, what to do."""


def directory(options, environ=os.environ):
    """The journal's directory: --journal-dir, else beside the HDF5 file, else $STATE_DIRECTORY (systemd.exec(5)),
    else in the user's state directory."""
    if options.journal_dir:
        return Path(options.journal_dir)
    if options.hdf5_filepath:
        return Path(options.hdf5_filepath + SUFFIX)
    if environ.get("STATE_DIRECTORY"):
        return Path(environ["STATE_DIRECTORY"].split(":")[0])
    state = environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return Path(state) / "colmet-collector"


def open_journal(options):
    """The journal, writable. Raises Unusable."""
    path = directory(options)
    segment = max(LEAST_SEGMENT, min(SEGMENT_BYTES, options.journal_size // SEGMENTS))
    try:
        journal = Journal(path, segment)
    except Locked:
        raise Unusable("the journal %s is in use by another collector; stop it or give --journal-dir" % path) from None
    except OSError as error:
        raise Unusable("the journal %s cannot be used: %s; give --journal-dir" % (path, error.strerror)) from None
    if journal.cut:
        log.warning("%s: cut off %d bytes that a crash left unfinished; they were not acknowledged", path, journal.cut)
    if journal.damaged:
        log.error("%s: the last segment is damaged; what follows in it cannot be read, and is left there", path)
    return journal
