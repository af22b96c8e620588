"""A sender with its outbox, and collectors for it, as a plugin of pytest."""
from types import SimpleNamespace

import pytest

from colmet.common import wire
from colmet.common.batch import Batch, pack_rows
from colmet.common.metrics import TABLES
from colmet.node.clock import SECOND, boottime
from colmet.node.sending.outbox import Outbox
from colmet.node.sending.sender import Sender
from e2e.collectors import Native

PROCSTATS = TABLES["procstats_default"]
SESSION = 7


class Side:
    """The node's side: an outbox, a sender, and batches without content."""

    def __init__(self, folder, **options):
        self.uri = "ipc://%s/c" % folder
        settings = SimpleNamespace(**dict({"wire": "auto", "zeromq_uri": self.uri, "native_uri": self.uri + ".native",
                                           "zeromq_hwm": 1000, "zeromq_linger": 0, "wire_timeout": 30,
                                           "sample_period": 0.1}, **options))
        self.outbox = Outbox(settings.zeromq_hwm)
        hello = {"node": "node-1", "cluster": "c", "session": SESSION}
        self.sender = Sender(settings, self.outbox, hello, list(TABLES.values()))
        self.sender.open()
        self.sender.start()

    def put(self, first, last):
        """Batches with these sequences."""
        for sequence in range(first, last + 1):
            block = pack_rows(PROCSTATS, [(0, 0, [sequence] * len(PROCSTATS.metrics))])
            batch = Batch("node-1", SESSION, sequence, sequence * SECOND, boottime(), blocks=[block])
            self.outbox.put(sequence, wire.pack(batch), boottime())

    def close(self):
        if self.sender.is_alive():
            self.sender.flush(0)
            self.sender.join(30)
        assert not self.sender.is_alive()
        self.outbox.close()


@pytest.fixture(name="sender")
def _sender(tmp_path):
    """Starts `Side`s with these options; they are closed after the test."""
    sides = []

    def side(**options):
        sides.append(Side(tmp_path, **options))
        return sides[-1]
    yield side
    for each in sides:
        each.close()


@pytest.fixture(name="native")
def _native(tmp_path):
    """Starts collectors on the native address; they are closed after the test."""
    peers = []

    def collector(**options):
        peers.append(Native("ipc://%s/c.native" % tmp_path, **options))
        return peers[-1]
    yield collector
    for each in peers:
        each.close()
