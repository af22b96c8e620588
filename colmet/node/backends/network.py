"""Traffic of the node's network ports: a row for each in `network`, and those of one port of InfiniBand or Omni-Path,
as 0.6 had it of perfquery, in `infinibandstats_default`.

An adapter asks its firmware at each reading, and may hang with it: the source has a thread of its own.
"""
import time

from colmet.common.metrics import infiniband, network
from colmet.common.schema import INT_MAX
from colmet.node.backends import Unavailable
from colmet.node.clock import SECOND, boottime
from colmet.node.network.layouts import COUNTERS, DATA, FLIT
from colmet.node.network.opened import Opened
from colmet.node.network.ports import CXI, IB, NET, ports

TABLES = (infiniband.TABLE, network.TABLE)
SLOW = True
SEEN_AFTER = 60 * SECOND    # at most, for a port that is new
COLUMNS = COUNTERS[:len(infiniband.TABLE.metrics)]
NONE_THERE = "no network port of hardware in %s, %s nor %s; load the driver of the adapter, or name an interface by " \
             "--network-interface"
NO_INFINIBAND = "no port that counts InfiniBand's data in %s; load the driver of the adapter, such as mlx5_ib or " \
                "hfi1 (--enable-network measures the others)"


class Backend:
    """The ports below `root`, those that come later too; `options.network_interface` are patterns of interfaces that
    are no hardware, `options.omnipath`: data of 0.6's table are in flits whatever the device is. Raises Unavailable
    where there are none."""

    def __init__(self, root, options):
        self._root, self.tables, self._options = root, options.tables, options
        self._opened, self._first, self._due = Opened(), None, 0
        self._look()
        found, wanted = self._opened.ports().values(), self._wanted(network.TABLE)
        self.unfilled = () if any(port.layout.words for port in found) else (infiniband.TABLE.name,)
        if not found or self.unfilled and not wanted:
            self.close()
            reason = next(iter(self.lacks.values()), NONE_THERE % (root / IB, root / CXI, root / NET) if wanted
                          else NO_INFINIBAND % (root / IB))
            raise Unavailable(reason)
        self.reader = " and ".join(dict.fromkeys(port.layout.kind for port in found))

    @property
    def lacks(self):
        """{port: why it cannot be read; what to do}."""
        return self._opened.lacks

    def sample(self, jobs):
        """A row for each port that is there, of the one table, and one of the other where there is its port."""
        if boottime() >= self._due or self._opened.lost:
            self._look()
        found, rows = self._opened.read(), {}
        if self._wanted(network.TABLE):
            rows[network.TABLE.name] = [(None, name, row(reading)) for name, reading in found.items()]
        if self._wanted(infiniband.TABLE):
            self._first = first(found, self._first) or self._first
            if self._first:
                rows[infiniband.TABLE.name] = [(None, "", self._row06(found.get(self._first)))]
        return rows

    def close(self):
        """Closes all files."""
        self._opened.close()

    def _wanted(self, table):
        return self.tables is None or table.name in self.tables

    def _look(self):
        found = ports(self._root, self._options.network_interface)
        if not self._wanted(network.TABLE):
            found = {name: port for name, port in found.items() if port.layout.words}
        self._opened.keep(found)
        self._due = boottime() + SEEN_AFTER

    def _row06(self, reading):
        if reading is None:
            return [None] * len(COLUMNS)
        unit = FLIT if self._options.omnipath else reading.port.layout.unit
        return in_bytes(reading.counters[:len(COLUMNS)], unit)


def first(found, before=None):
    """The name of the port of 0.6's table, None where there is none: as perfquery, the first that is up, InfiniBand
    goes before Ethernet; that of `before` as long as it is up."""
    names = [name for name, reading in found.items() if reading.port.layout.words]
    return min(names, default=None, key=lambda name: (not found[name].up, name != before, found[name].port.ethernet,
                                                      names.index(name)))


def row(reading):
    """The values of `network`."""
    totals = in_bytes(reading.traffic.take(reading.counters, time.time_ns()), reading.port.layout.unit)
    return [reading.traffic.since, *totals, reading.traffic.resets, reading.up, reading.speed,
            int(not reading.port.again)]


def in_bytes(counters, unit):
    """Those in the order of `COUNTERS`, data in bytes; None where one does not fit."""
    values = [value and value * (unit if name in DATA else 1) for name, value in zip(COUNTERS, counters)]
    return [None if value is None or value > INT_MAX else value for value in values]
