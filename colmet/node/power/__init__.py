"""Meters of power: the management controller by IPMI, a command, hwmon chips, Cray's counters, Redfish.

`meters.Meters` opens all that a machine has.
"""
