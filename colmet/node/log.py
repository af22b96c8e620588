"""What the node says, and faults, each kind told once. `colmet.common.log` shows it."""
import logging

TELL = logging.CRITICAL         # for lines that are always shown though nothing is wrong

log = logging.getLogger("colmet-node")


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
