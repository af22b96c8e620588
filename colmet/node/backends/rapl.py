"""Energy of the RAPL zones of the node (`colmet.node.rapl.followed`): a row for each zone in `rapl`, and 0.6's columns
in `RAPLstats_default`.
"""
from colmet.common.metrics import rapl, rapl06
from colmet.node import mapping
from colmet.node.clock import boottime, clock
from colmet.node.rapl.columns import csv, slots, used, values
from colmet.node.rapl.followed import Followed
from colmet.node.rapl.zones import summed

TABLES = (rapl06.TABLE, rapl.TABLE)
STEM = "RAPL"           # of the mapping file


class Backend:
    """The zones below `root`; `options.mapping_dir` takes the mapping file. Raises Unavailable where nothing counts
    energy that this user may read."""

    def __init__(self, root, options):
        self.zones = Followed(root, clock)      # that colmet.node.energy.meters.Rapl reads too
        self.refused, self.lacks, self.reader = self.zones.refused, self.zones.lacks, self.zones.name
        self.tables = options.tables
        self._slots = slots(self.zones.zones)
        self._summed = summed(self.zones.zones)
        self._lines = csv(self._slots)
        self.described = {rapl06.TABLE.name: mapping.described(rapl06.TABLE, [line.partition(",")[2]
                                                                              for line in self._lines])}
        self._folder, self._written = options.mapping_dir, False
        self._before, self._before06 = {}, {}

    def sample(self, jobs):
        """A row for each zone of the one table, and one of the other."""
        found = self.zones.read()
        now, rows = boottime(), {}
        if self.tables is None or rapl.TABLE.name in self.tables:
            rows[rapl.TABLE.name] = [(None, zone.name, self._row(zone, reading, now))
                                     for zone, reading in found.items()]
        if self.tables is None or rapl06.TABLE.name in self.tables:
            if not self._written:
                self._written = True
                mapping.write(STEM, self._lines, self._folder)
            rows[rapl06.TABLE.name] = [(None, "", values(self._slots, found, self._before06))]
            self._before06.update(known(found))
        self._before.update((zone, (now, reading)) for zone, reading in known(found).items())
        return rows

    def close(self):
        """Ends the thread and closes the files."""
        self.zones.close()

    def _row(self, zone, reading, now):
        at, before = self._before.get(zone, (now, None))
        energy = used(reading, before) if now > at else None
        power = None if energy is None else energy * 1000 / (now - at)      # uJ/ns is kW
        return [reading.since, reading.energy, power, reading.wraps, reading.span, int(zone.name in self._summed)]


def known(found):
    """Those of {zone: `Reading`} whose energy is known."""
    return {zone: reading for zone, reading in found.items() if reading.energy is not None}
