"""RAPL by powercap: a file for each zone, kept open, all read in one call of C (lib_files).

/sys/class/powercap/intel-rapl:0/energy_uj, max_energy_range_uj, name (power/powercap/powercap.rst of the kernel's
documentation); AMD's processors have the same names. A counter begins anew at its range, so that it must be read often
enough: `interval` says how often, at the greatest power that is plausible.
"""
import errno
import os
from pathlib import Path

from colmet.node import compiled
from colmet.node.backends import Unavailable
from colmet.node.capabilities import give
from colmet.node.log import Faults
from colmet.node.numbers import Firsts
from colmet.node.rapl.powercap_zone import Counted
from colmet.node.rapl.zones import zone_of
from colmet.node.sysfs import GONE, natural, number, text

MOST_POWER = "constraint_0_max_power_uw"
CLASS = Path("sys/class/powercap")
NO_ZONE = "no RAPL zone in %s; modprobe intel_rapl_msr (virtual machines mostly have none)"
SHORT = "its counter begins anew after %d uJ, too often to be followed; look at max_energy_range_uj in %s"
MOST_WATTS = {"psys": 10000, "dram": 500}       # of the others:
WATTS = 1500
SHORTEST = 10 ** 9      # ns: a counter that may begin anew within less cannot be followed
SLEEP = 10 ** 8         # ns that the machine slept, from which on the counters may have been lost meanwhile


class Powercap:
    """The zones below `root`, in `zones`; `lacks` says of those that cannot be read why, and what to do. Raises
    Unavailable where none can. `clock` gives (CLOCK_BOOTTIME, ns of it asleep, Unix time)."""

    name = "powercap"

    def __init__(self, root, clock):
        helper = compiled.load("_files")
        self.lacks, self._clock, self._faults = {}, clock, Faults()
        self._counted = dict(self._open(root / CLASS))
        self.zones = list(self._counted)
        if not self.zones:
            raise Unavailable(next(iter(self.lacks.values()), NO_ZONE % (root / CLASS)))
        self._firsts = Firsts(helper)
        self._asleep = clock()[1]
        self.read()

    @property
    def interval(self):
        """ns after which to read again, at most, so that none is missed; None where nothing begins anew."""
        longest = [counted.longest for counted in self._counted.values() if counted.longest]
        return min(longest) // 2 if longest else None

    def read(self):
        """{zone: `Reading`}; what cannot be read is told once."""
        now, asleep, wall = self._clock()
        slept, self._asleep = asleep - self._asleep > SLEEP, asleep
        for zone, counted, (value, code) in zip(self.zones, self._counted.values(), self._values()):
            if code:
                counted.fail(gone=code in GONE)
                self._faults.add("%s %d" % (zone.name, code), "rapl: zone %s: %s; its energy is missing until it "
                                 "answers" % (zone.name, os.strerror(code).lower()))
            elif not counted.take(value, now, wall, slept):
                self._faults.add("%s value" % zone.name, "rapl: zone %s: %s holds no number within its range; its "
                                 "energy is missing" % (zone.name, counted.path))
        return {zone: counted.reading() for zone, counted in self._counted.items()}

    def close(self):
        """Closes the files."""
        for counted in self._counted.values():
            counted.close()
        self._firsts.close()

    def _values(self):
        """(value or None, errno) of each zone; one that went may be back already."""
        zones = list(self._counted.values())
        found = self._told(zones)
        for place in [place for place, (_, code) in enumerate(found) if code in GONE]:
            zones[place].fail(gone=True)
            [found[place]] = self._told(zones[place:place + 1])
        return found

    def _told(self, zones):
        fds = [counted.descriptor() for counted in zones]
        return [(value, errno.ENODEV if fd < 0 else code) for fd, (value, code) in zip(fds, self._firsts.read(fds))]

    def _open(self, folder):
        """Yield (`Zone`, `Counted`) of each that can be read."""
        for zone, path in zones(folder).items():
            energy = path / "energy_uj"
            span = number(path / "max_energy_range_uj")
            watts = max(MOST_WATTS.get(zone.kind, WATTS), (number(path / MOST_POWER) or 0) // 10 ** 6)
            longest = span * 1000 // watts if span else None        # uJ / W is us
            if longest and longest < SHORTEST:
                self.lacks[zone.name] = SHORT % (span, path)
                continue
            try:
                yield zone, Counted(energy, span, longest)
            except PermissionError:
                self.lacks[zone.name] = "%s may be read by root only, since CVE-2020-8694; %s" % (
                    energy, give("CAP_DAC_READ_SEARCH"))
            except OSError as error:
                self.lacks[zone.name] = "%s: %s; look for it in dmesg" % (energy, error.strerror.lower())


def zones(folder):
    """{`Zone`: its folder} of those below `folder` that count energy, in the order of their names. One that two drivers
    show, as intel-rapl and intel-rapl-mmio, is that of the first."""
    entries = dict(_entries(folder))
    found, drivers = {}, {}
    for entry in sorted(entries, key=lambda entry: (entry.partition(":")[0], natural(entry))):
        path, driver = entries[entry], entry.partition(":")[0]
        if not (path / "energy_uj").exists():
            continue
        above = entries.get(entry.rpartition(":")[0])
        zone = zone_of(text(path / "name") or entry, text(above / "name") if above else "")
        if drivers.setdefault(zone.name, driver) == driver:
            found[zone._replace(name="%s (%s)" % (zone.name, entry)) if zone in found else zone] = path
    return {zone: found[zone] for zone in sorted(found, key=lambda zone: natural(zone.name))}


def _entries(folder, before=""):
    """Yield (name, path) of zones, which lie beside each other as links, below each other, or both."""
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        if name.startswith(before):
            if ":" in name:
                yield name, folder / name
            yield from _entries(folder / name, name + ":")
