"""The 24 columns of 0.6's RAPLstats_default: for each of the first four packages its package, core and dram zone, and
for each of these the energy since the sample before and the range of its counter. uncore and psys have no column.
"""
from colmet.node.rapl.zones import CORE, DRAM, PACKAGE

KINDS = (PACKAGE, CORE, DRAM)
PAIRS = 12                              # of columns
UNSUPPORTED = 0                         # in both columns of a zone that the hardware has not


def slots(zones):
    """[(package, kind, zone or None)] in the order of the columns, two of which are for each."""
    there = {(zone.package, zone.kind): zone for zone in zones}
    packages = list(dict.fromkeys(zone.package for zone in zones if zone.package))
    return [(package, kind, there.get((package, kind))) for package in packages for kind in KINDS][:PAIRS]


def csv(slots):
    """Lines of 0.6's RAPL_mapping file: the name of each column, what it holds, package and zone."""
    lines = []
    for package, kind, zone in slots:
        for what in ("energy_microjoule", "max_energy_range_microjoule"):
            lines.append("%s,%s,zone_%s" % (what, package, kind) if zone else "counter_not_supported_by_hardware,,")
    lines += ["no_counter,,"] * (2 * PAIRS - len(lines))
    return ["counter_%d,%s" % (number, text) for number, text in enumerate(lines, 1)]


def values(slots, found, before):
    """The row, from {zone: `Reading`}: what was `found` now, and what each had when it was known `before`."""
    row = []
    for _, _, zone in slots:
        row += [used(found[zone], before.get(zone)), found[zone].span] if zone else [UNSUPPORTED] * 2
    return row + [None] * (2 * PAIRS - len(row))


def used(reading, before):
    """uJ since the reading `before` (None: since the start), None where that cannot be known."""
    if reading.energy is None or before is None:
        return reading.energy
    return reading.energy - before.energy if before.since == reading.since else None
