"""Power of the node: a row for each meter in `power`, and what the BMC tells in 0.6's `ipmipowerstats_default`.

Meters are read by `colmet.node.power.meters`; those that are slow or hang have a thread each, so that a tick takes what
they said last and waits for none.
"""
from colmet.common.metrics import ipmipower, power
from colmet.node.clock import boottime
from colmet.node.power.meters import BMC, IPMI, Meters

TABLES = (ipmipower.TABLE, power.TABLE)


class Backend:
    """The meters below `root`, and those that `options` name. Raises Unavailable where there is none."""

    def __init__(self, root, options):
        self.meters = Meters(root, options)     # that colmet.node.energy.meters.Whole reads too
        self.tables = options.tables
        self.reader = ", ".join(self.meters.kinds)
        self.unfilled = () if set(self.meters.kinds) & set(IPMI) else (ipmipower.TABLE.name,)
        self.lacks = dict(self.meters.lacks)
        if self._wants(ipmipower.TABLE) and BMC in self.meters.absent and self.unfilled:
            self.lacks[BMC] = self.meters.absent[BMC]
        self._seen = {}         # {meter: since of its energy, or None}, in the order in which they came

    def sample(self, jobs):
        """A row for each meter, those that do not answer included, and the one of 0.6."""
        found, rows = self.meters.read(None if self._wants(power.TABLE) else IPMI), {}
        if self._wants(power.TABLE):
            rows[power.TABLE.name] = self._rows(found)
        if self._wants(ipmipower.TABLE) and not self.unfilled:
            rows[ipmipower.TABLE.name] = [(None, "", [self._watts(found)])]
        return rows

    def close(self):
        """Closes the meters."""
        self.meters.close()

    def _wants(self, table):
        return self.tables is None or table.name in self.tables

    def _rows(self, found):
        now, whole = boottime(), set(self.meters.whole)
        rows = []
        for name in dict.fromkeys((*self._seen, *found)):
            reading = found.get(name)
            if reading:
                self._seen[name] = reading.since
                values = [reading.since, reading.energy, reading.watts, now - reading.at]
            else:
                values = [self._seen[name], None, None, None]
            rows.append((None, name, values + [int(name in whole)]))
        return rows

    def _watts(self, found):
        """Whole watts, of --ipmipower-cmd where it is given, else of the first BMC."""
        for name in self.meters.names(IPMI):
            if name in found:
                return round(found[name].watts)
        return None
