"""Energy of the node's RAPL zones: packages, dies, cores, uncore, memory, platform; by powercap or the PMU "power".

Zones hold each other: the energy of the node is the sum over those that are `summed`. See power/powercap/powercap.rst
of the kernel's documentation, and perf_event_open(2).
"""
from colmet.common.schema import NODE, Table, counter, gauge

TABLE = Table("rapl", NODE, __doc__, (
    counter("since", "ns", "Unix time from which on the energy is counted: where the zone's own counter could not be "
            "followed it begins anew", fold="min"),
    counter("energy", "uJ", "energy that the zone used; wraps of its own counter are added up"),
    gauge("power", "W", "mean power since the sample before", code="d"),
    counter("wraps", "count", "times that its own counter began anew at its range"),
    gauge("range", "uJ", "at which its own counter begins anew; not known by the PMU, whose 64 bits do not end"),
    gauge("summed", "count", "1 for the zones whose sum is the energy of the node, none counted twice; else 0",
          fold="max"),
), instance="zone", switch="RAPL")
