"""What the collector says, and faults, each kind told once for a peer. `colmet.common.log` shows it."""
import logging
import sys
from collections import Counter

from colmet.common.names import safe

MAX_FAULTS = 10000          # pairs of peer and kind that are told apart
OTHERS = "other peers"

log = logging.getLogger("colmet-collector")


def tell(text):
    """A line that is always shown though nothing is wrong."""
    print("%s: %s" % (log.name, text), file=sys.stderr, flush=True)


class Faults:
    """Faults of what came from peers, counted by (peer, kind); the first of each is told as a warning."""

    def __init__(self):
        self.counts = Counter()

    def add(self, peer, kind):
        """Count a fault. `peer` is whatever name came over the wire, `kind` a short text of ours."""
        key = (safe(peer), kind)
        if key not in self.counts and len(self.counts) >= MAX_FAULTS:
            key = (OTHERS, kind)
        self.counts[key] += 1
        if self.counts[key] == 1:
            log.warning("from %s: %s; it is counted, and not told again for this peer", *key)
