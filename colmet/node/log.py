"""Lines on stderr, each beginning with the program's name."""
import logging
import sys

LEVELS = (logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)    # nothing, -v, -vv, -vvv
TELL = logging.CRITICAL         # for lines that are always shown though nothing is wrong

log = logging.getLogger("colmet-node")


def set_level(verbose):
    """Let through what `verbose`, the number of -v, asks for. Errors always are."""
    log.setLevel(LEVELS[min(verbose, len(LEVELS) - 1)])
    if not log.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
        log.addHandler(handler)
        log.propagate = False


class Faults:
    """Faults by kind: each kind is told once, as an error, and counted always."""

    def __init__(self):
        self.counts = {}

    def add(self, kind, text):
        """Count one of `kind` (short text); `text` is what is told of the first."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if self.counts[kind] == 1:
            log.error("%s", text)
        else:
            log.debug("%s (%d times)", text, self.counts[kind])
