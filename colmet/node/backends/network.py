"""Traffic of the node's network ports from sysfs (`colmet.node.ports`): a row for each in `network`, and 0.6's
columns, those of one InfiniBand or Omni-Path port, in `infinibandstats_default`."""
import time

from colmet.common.metrics import infiniband, network
from colmet.node.backends import Unavailable
from colmet.node.ports import FLIT, ports
from colmet.node.traffic import Traffic

TABLES = (infiniband.TABLE, network.TABLE)
DATA = 2            # so many of the counters of a port are data, in its own unit


class Backend:
    """The ports below `root`, those that come later too. `options.omnipath`: data of 0.6's table are 8 bytes a unit,
    whatever the device. Raises Unavailable where no port counts."""

    def __init__(self, root, options):
        self._root, self.tables, self._omnipath = root, options.tables, options.omnipath
        found, self._traffic = ports(root), {}
        self._first = first(found)
        if not (found if self._wanted(network.TABLE) else self._first):
            kind = "network" if self._wanted(network.TABLE) else "InfiniBand or Omni-Path"
            raise Unavailable("no %s port that counts in %s; is its driver loaded?" % (kind, root / "sys" / "class"))

    def sample(self, jobs):
        """A row for each port that is there; the jobs play no part."""
        found, rows = ports(self._root), {}
        raw = {name: port.raw() for name, port in found.items()}
        if self._wanted(network.TABLE):
            self._traffic = {name: self._traffic.get(name) or Traffic(time.time_ns()) for name in found}
            rows[network.TABLE.name] = [(None, name, self._row(port, raw[name])) for name, port in found.items()]
        if self._wanted(infiniband.TABLE):
            self._first = self._first or first(found)
            if self._first in found:
                unit = FLIT if self._omnipath else found[self._first].unit
                rows[infiniband.TABLE.name] = [(None, "", in_bytes(raw[self._first], unit))]
            elif self._first:
                rows[infiniband.TABLE.name] = [(None, "", [None] * 4)]
        return rows

    def close(self):
        """Nothing stays open."""

    def _wanted(self, table):
        return self.tables is None or table.name in self.tables

    def _row(self, port, raw):
        traffic = self._traffic[port.name]
        totals = in_bytes(traffic.take(raw), port.unit)
        return [traffic.since, *totals, traffic.resets, int(port.up), int(port.summed)]


def first(found):
    """Name of the port of 0.6's table, as perfquery takes it: the first whose link is up, else the first; or None."""
    names = [name for name, port in found.items() if port.infiniband]
    return next((name for name in names if found[name].up), next(iter(names), None))


def in_bytes(counters, unit):
    """The four of a port, those of data in bytes."""
    return [None if value is None else value * (unit if place < DATA else 1) for place, value in enumerate(counters)]
