"""A writer in a process of its own: ``python -m colmet.collector.child MODULE DESCRIPTOR``.

Started by `colmet.collector.writers`; DESCRIPTOR is this end of a pipe, on which (settings, journal directory)
comes first. Signals are the collector's business: this process obeys the pipe alone, and dies with its parent.
"""
import ctypes
import os
import signal
import sys
from importlib import import_module
from multiprocessing.connection import Connection

PR_SET_PDEATHSIG = 1        # prctl(2)


def main(argv):
    """Call `run(settings, journal directory, connection)` of the module named in `argv`."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == 1:   # the parent was gone before the line above
        return 1
    connection = Connection(int(argv[1]))
    try:
        settings, journal = connection.recv()
        import_module(argv[0]).run(settings, journal, connection)
    except EOFError:        # the collector is gone
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
