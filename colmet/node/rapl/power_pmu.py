"""RAPL by the PMU "power" of perf_event_open(2), through C (lib_rapl): for kernels and users that powercap refuses.

/sys/bus/event_source/devices/power: `type`, `cpumask` (a CPU of each package or die), `format/event`, and in `events`
one file for each zone with its `.scale` and `.unit`. The kernel follows the counters; they are 0 when they are opened.
"""
import errno
import os
from collections import Counter

from colmet.node import compiled
from colmet.node.backends import Unavailable
from colmet.node.capabilities import give
from colmet.node.log import Faults
from colmet.node.perf import events as perf_events
from colmet.node.rapl.zones import CORE, DRAM, PACKAGE, PSYS, UNCORE, Reading, Zone
from colmet.node.sysfs import text

PMU = perf_events.DEVICES / "power"
EVENTS = {"energy-pkg": PACKAGE, "energy-cores": CORE, "energy-gpu": UNCORE, "energy-ram": DRAM, "energy-psys": PSYS}
UNIT, UJ = "Joules", 10 ** 6
MISSING_PMU = "no PMU power in %s; modprobe rapl, or intel_rapl_perf before Linux 5.0"
REFUSED = "perf_event_open(2) refuses what counts all tasks of a CPU; %s, or sysctl kernel.perf_event_paranoid=0"


class PowerPmu:
    """The zones below `root`, in `zones`; `lacks` says of those that cannot be counted why, and what to do. Raises
    Unavailable where none can. `clock` gives (CLOCK_BOOTTIME, ns of it asleep, Unix time)."""

    name = "perf"
    interval = None             # the kernel sees to it that nothing is missed

    def __init__(self, root, clock):
        helper = compiled.load("_rapl")
        self._ffi, self._lib = helper.ffi, helper.lib
        self.lacks, self._faults, self._fds = {}, Faults(), []
        self._since = clock()[2]
        folder = root / PMU
        if not (folder / "type").exists():
            raise Unavailable(MISSING_PMU % folder)
        try:
            self._scales = dict(self._open(root, folder))
        except ValueError as fault:
            self.close()
            raise Unavailable("%s: %s" % (folder, fault)) from None
        self.zones = list(self._scales)
        if not self.zones:
            raise Unavailable(next(iter(self.lacks.values()), "%s has no event of energy; update the kernel" % folder))
        self._fds = self._ffi.new("int32_t[]", self._fds)
        self._answers = self._ffi.new("int32_t[]", len(self._fds))
        self._cells = self._ffi.new("int64_t[]", len(self._fds))

    def read(self):
        """{zone: `Reading`}; what cannot be read is told once."""
        compiled.check(self._lib.rapl_read(self._fds, self._answers, len(self._fds), self._cells))
        found = {}
        for zone, answer, cell in zip(self.zones, self._answers, self._cells):
            if answer:
                self._faults.add(zone.name, "rapl: zone %s: %s; its energy is missing until its CPU is back"
                                 % (zone.name, os.strerror(-answer).lower()))
            found[zone] = Reading(self._since, None if answer else round(cell * self._scales[zone]))
        return found

    def close(self):
        """Closes the events."""
        for fd in self._fds:
            os.close(fd)
        self._fds = []

    def _open(self, root, folder):
        """Yield (`Zone`, uJ of a step) of each event that opens, and keep its descriptor."""
        seen = set()
        for name, part in EVENTS.items():
            path = folder / "events" / name
            if not path.exists():
                continue
            event = perf_events.find("%s/%s/" % (folder.name, name), root)
            for cpu, package in packages(root, event.cpus or (0,)):
                zone = _zone(part, package)
                fd = -errno.EEXIST if zone in seen else self._lib.rapl_open(event.type, event.configs[0], cpu)
                seen.add(zone)
                if fd in (-errno.EACCES, -errno.EPERM):
                    self.lacks[zone.name] = REFUSED % give("CAP_PERFMON")
                elif fd >= 0:
                    self._fds.append(fd)
                    yield zone, _step(path)
                elif fd != -errno.EEXIST:
                    self.lacks[zone.name] = "perf_event_open(2) of %s on CPU %d: %s; look for it in dmesg" % (
                        name, cpu, os.strerror(-fd).lower())


def packages(root, numbers):
    """[(CPU, name of its package)] of the CPUs `numbers`: "package-0", with the die where they are of several."""
    found = []
    for cpu in numbers:
        topology = root / "sys" / "devices" / "system" / "cpu" / ("cpu%d" % cpu) / "topology"
        found.append((cpu, text(topology / "physical_package_id") or "0", text(topology / "die_id") or "0"))
    of = Counter(package for _, package, _ in found)
    return [(cpu, "package-%s-die-%s" % (package, die) if of[package] > 1 else "package-%s" % package)
            for cpu, package, die in found]


def _zone(part, package):
    if part == PSYS:
        return Zone(PSYS, PSYS)
    return Zone(package if part == PACKAGE else "%s/%s" % (package, part), part, package)


def _step(path):
    """uJ of a step of the event `path`; raises ValueError."""
    unit = text(path.with_name(path.name + ".unit")) or UNIT
    if unit != UNIT:
        raise ValueError("%s is in %s" % (path, unit))
    return float(text(path.with_name(path.name + ".scale"))) * UJ
