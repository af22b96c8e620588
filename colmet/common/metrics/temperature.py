"""Temperatures of the node: every sensor of its hwmon chips, and its thermal zones.

See hwmon/sysfs-interface.rst and driver-api/thermal/sysfs-api.rst of the kernel's documentation.
"""
from colmet.common.schema import NODE, Table, gauge

TABLE = Table("temperature", NODE, __doc__, (
    gauge("temperature", "Celsius", "what the sensor measures; missing where it is broken, asleep or gone", code="d",
          fold="max"),
    gauge("max", "Celsius", "from which on it is too hot: the chip's limit of that name, the trip point hot of a zone",
          code="d", fold="max"),
    gauge("crit", "Celsius", "at which harm is near: the chip's limit of that name, the trip point critical of a zone",
          code="d", fold="max"),
), instance="sensor")
