"""Power of the node by each meter that it has: its management controller (BMC), hwmon chips, Cray's counters, Redfish.

See DCMI 1.5, 6.6; hwmon/sysfs-interface.rst of the kernel's documentation; DMTF's DSP2046 (Redfish).
"""
from colmet.common.schema import NODE, Table, counter, gauge

TABLE = Table("power", NODE, __doc__, (
    counter("since", "ns", "Unix time from which on the energy is counted; where the meter's own counter began anew, "
            "so does this; missing of meters without a counter", fold="min"),
    counter("energy", "uJ", "energy that the meter counted; missing of meters that have no counter of it"),
    gauge("power", "W", "what the meter told last; missing where it does not answer", code="d"),
    gauge("age", "ns", "of what the meter told: slow ones are read beside the ticks", fold="max"),
    gauge("whole", "count", "1: it measures the whole node; 0: a part, such as a socket or a GPU", fold="max"),
), instance="meter")
