"""The node's first six thermal zones, as 0.6 had them; temperature_mapping.<time>.csv says which counter is which."""
from colmet.common.schema import NODE, Table, gauge

TABLE = Table("temperaturestats_default", NODE, __doc__, tuple(
    gauge("counter_%d" % n, "Celsius", "temperature of zone %d" % n, "q") for n in range(1, 7)),
    switch="temperature")
