"""Power and energy of hwmon chips: ACPI power meters, NVIDIA Grace, GPUs, boards with shunts.

/sys/class/hwmon/hwmonN/{powerM_input,powerM_average} in uW, energyM_input in uJ, with powerM_label or energyM_label;
with older kernels those of ACPI power meters lie in hwmonN/device (hwmon/sysfs-interface.rst and
hwmon/acpi_power_meter.rst of the kernel's documentation).
"""
import os
import re
import time

from colmet.node import compiled, sensors
from colmet.node.clock import boottime
from colmet.node.devices import Devices, Files
from colmet.node.log import Faults
from colmet.node.power.reading import UW, Absent, Counted, Reading, Silent, plausible
from colmet.node.sysfs import GONE, LOOK, RESTING, label

FILES = re.compile(r"(power|energy)(\d+)_(average|input)")
ACPI, SOCKET = "power_meter", "socket"      # Grace shows its sockets by the same driver
BATTERY = "power_supply"


class Hwmon:
    """Those below `root`. Raises Absent where there are none, and Unavailable without the C helper. `whole` is the name
    of the one that measures the whole node: an ACPI meter that is not a socket's, where there is one such."""

    name = "hwmon"

    def __init__(self, root):
        self._root, self._meters, self._faults, self._due = root, {}, Faults(), 0
        self._listing = sensors.listing(root)
        self._find()
        if not self._meters:
            raise Absent("no power in %s; load the driver of the meter, such as acpi_power_meter"
                              % (root / sensors.HWMON))
        self._devices = Devices(compiled.load("_files"))

    def read(self):
        """{name: `Reading`} of those that answer."""
        if boottime() >= self._due:
            self._look()
        answers = self._devices.read()
        found = {name: self._read(name, meter, answers[name]) for name, meter in self._meters.items() if meter}
        return {name: reading for name, reading in found.items() if reading}

    def stop(self):
        """A reading ends when the driver lets it."""

    def close(self):
        """Closes all files."""
        self._devices.close()

    def _look(self):
        self._find()
        self._devices.keep({name: meter.files for name, meter in self._meters.items() if meter})
        self._due = boottime() + LOOK

    def _find(self):
        """Find what is new; what went keeps its name."""
        if not self._listing.changed():
            return
        before = {name: meter and meter.place for name, meter in self._meters.items()}
        parts = dict(_parts(self._root))
        found = sensors.names(list(parts), before)
        for name, place in before.items():
            if place and place != found.get(name):
                self._meters[name] = None
        for name, place in found.items():
            self._meters[name] = self._meters.get(name) or Meter(place, *parts[place])
        names = [name for name, meter in self._meters.items() if meter and meter.whole]
        self.whole = tuple(names) if len(names) == 1 else ()

    def _read(self, name, meter, answers):
        try:
            return meter.reading(answers)
        except Silent as fault:
            self._faults.add(name, "power: %s; it is missing until it is mended" % fault)
        except OSError as error:
            if error.errno in GONE:
                self._devices.lose(name)
                self._meters[name], self._due = None, 0
                self._listing.forget()
            if error.errno not in RESTING:
                self._faults.add("%s %d" % (name, error.errno), "power: %s: %s; it is missing until it answers"
                                 % (name, os.strerror(error.errno).lower()))
        return None


class Meter:
    """The one at `place` (`colmet.node.sensors.Place`), of the files `power` and `energy`, each None where there is
    none; `whole` where it may be the node's."""

    def __init__(self, place, power, energy, whole):
        self.place, self.whole, self.files = place, whole, Files((power, energy), place.power)
        self._counted = Counted()

    def reading(self, answers):
        """The `Reading`, from what its files told, [(number, errno)]. Raises Silent and OSError, with EAGAIN where the
        device sleeps: it is not woken."""
        for path, (number, code) in zip(self.files.numbers, answers):
            if code:
                raise OSError(code, os.strerror(code))
            if path and (number is None or number < 0):
                raise Silent("%s holds no number" % path)
        (power, _), (energy, _) = answers
        watts = None if power is None else plausible(power / UW)
        if power is not None and watts is None:
            raise Silent("%s holds more than a node can take" % self.place.value)
        return Reading(watts, *self._counted.take(energy, time.time_ns()), boottime())


def _parts(root):
    """Yield (place, (power, energy, whole)) of each meter; a power and an energy of one number and no two labels are
    one meter's."""
    for chip in sensors.chips(root, FILES):
        if chip.device and BATTERY in chip.device.parts:
            continue
        files = {}
        for match in chip.files:
            kind, number, how = match.groups()
            if how == "average" or (kind, number) not in files:     # some give both
                files[kind, number] = chip.folder / match.string
        for number in dict.fromkeys(number for _, number in files):
            yield from _numbered(chip, number, files.get(("power", number)), files.get(("energy", number)))


def _numbered(chip, number, power, energy):
    labels = [label(chip.folder / (kind + number + "_label")) for kind in ("power", "energy")]
    labels[0] = labels[0] or label(chip.folder / ("power%s_oem_info" % number))
    if power and energy and labels[1] not in ("", labels[0]) and labels[0]:
        yield _meter(chip, labels[0], power, None)
        yield _meter(chip, labels[1], None, energy)
    else:
        yield _meter(chip, labels[0] or labels[1] or ("power" if power else "energy") + number, power, energy)


def _meter(chip, label, power, energy):
    place = sensors.Place(chip.name, label, power or energy, power=chip.power)
    return place, (power, energy, chip.driver == ACPI and SOCKET not in label.lower())
