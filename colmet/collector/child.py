"""A writer in a process of its own: ``python -m colmet.collector.child MODULE DESCRIPTOR PARENT``.

Started by `colmet.collector.writers`; DESCRIPTOR is this end of a pipe, on which (settings, journal directory)
comes first. Signals are the collector's business: this process obeys the pipe alone, and dies with its parent,
whose pid PARENT is.
"""
import signal
import sys
from importlib import import_module
from multiprocessing.connection import Connection

from colmet.common.parent import end_with


def main(argv):
    """Call `run(settings, journal directory, connection)` of the module named in `argv`."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if not end_with(int(argv[2]), signal.SIGKILL):
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
