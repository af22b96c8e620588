"""Temperatures of the node: a row for each sensor in `temperature`, and the first six thermal zones in 0.6's
`temperaturestats_default`.

Some chips take 100 ms for a reading: the source has a thread of its own, in which all is read but names.
"""
import errno
import os

from colmet.common.metrics import temperature, temperature06
from colmet.node import compiled, mapping, sensors
from colmet.node.backends import Unavailable
from colmet.node.clock import boottime
from colmet.node.devices import Devices
from colmet.node.listing import SELDOM
from colmet.node.log import Faults
from colmet.node.sensor import NO_LIMITS, Broken, Sensor, celsius
from colmet.node.sysfs import GONE, LOOK, RESTING

TABLES = (temperature06.TABLE, temperature.TABLE)
SLOW = True
STEM = "temperature"        # of the mapping file
COLUMNS = len(temperature06.TABLE.metrics)
AT_ONCE = 64                # sensors whose limits are read at once, at two open files each
UNUSED = "no counter "      # 0.6's words for a column without a zone, the blank too
NONE_THERE = "no temperature in %s nor %s; load the driver of the sensors, such as coretemp, k10temp or nvme " \
             "(virtual machines mostly have none)"


class Backend:
    """The sensors below `root`; `options.mapping_dir` takes the mapping file. Raises Unavailable where there are
    none."""

    def __init__(self, root, options):
        self._root, self._sensors, self._faults, self._due = root, {}, Faults(), 0
        self._listing = sensors.listing(root)
        self._find()
        if not self._sensors:
            raise Unavailable(NONE_THERE % (root / sensors.HWMON, root / sensors.ZONES))
        self._devices = Devices(compiled.load("_files"))
        numbers = {sensor.place.zone: name for name, sensor in self._sensors.items()}
        self._columns = [numbers.get(zone) for zone in range(COLUMNS)]
        self._lines = csv([name and self._sensors[name].place.label for name in self._columns])
        self.described = {temperature06.TABLE.name: mapping.described(
            temperature06.TABLE, [line.partition(",")[2].strip() for line in self._lines])}
        kinds = ["thermal zones" if zone else "hwmon" for zone in sorted({number is not None for number in numbers})]
        self.reader = " and ".join(kinds)
        self.unfilled = () if any(self._columns) else (temperature06.TABLE.name,)
        self.tables, self._folder, self._written = options.tables, options.mapping_dir, False

    def sample(self, jobs):
        """A row for each sensor of the one table, and one of the other where it has a zone."""
        looks = boottime() >= self._due
        if looks:
            self._look()
        answers, rows = self._devices.read(), {}
        found = {name: sensor and self._degrees(name, sensor, answers[name]) for name, sensor in self._sensors.items()}
        if looks:
            self._limit(answers, boottime())
        if self.tables is None or temperature.TABLE.name in self.tables:
            rows[temperature.TABLE.name] = [(None, name, [found[name], *(sensor.limits if sensor else NO_LIMITS)])
                                            for name, sensor in self._sensors.items()]
        if self._has_columns():
            if not self._written:
                self._written = True
                mapping.write(STEM, self._lines, self._folder)
            rows[temperature06.TABLE.name] = [(None, "", [whole(found.get(name)) for name in self._columns])]
        return rows

    def close(self):
        """Closes all files."""
        self._devices.close()

    def _has_columns(self):
        return any(self._columns) and (self.tables is None or temperature06.TABLE.name in self.tables)

    def _look(self):
        """Find what is new."""
        self._find()
        self._devices.keep({name: sensor.files for name, sensor in self._sensors.items() if sensor})
        self._due = boottime() + LOOK

    def _limit(self, answers, now):
        """Read the limits of those whose devices are awake, new ones at once and others seldom; some together: their
        files do not stay open."""
        awake = [self._sensors[name] for name, [(_, code), *_] in answers.items() if code != errno.EAGAIN]
        awake = [sensor for sensor in awake if sensor and any(sensor.place.limits) and now >= sensor.due]
        for start in range(0, len(awake), AT_ONCE):
            some = awake[start:start + AT_ONCE]
            found = iter(self._devices.once([path for sensor in some for path in sensor.place.limits]))
            for sensor in some:
                sensor.limits, sensor.due = (celsius(next(found)), celsius(next(found))), now + SELDOM

    def _find(self):
        """{name: `Sensor`} of those that are there, None for those that were."""
        if not self._listing.changed():
            return
        before = {name: sensor and sensor.place for name, sensor in self._sensors.items()}
        found = sensors.names(sensors.places(self._root), before)
        for name, place in before.items():
            if place and place != found.get(name):
                self._sensors[name] = None
        for name, place in found.items():
            self._sensors[name] = self._sensors.get(name) or Sensor(place)

    def _degrees(self, name, sensor, answers):
        """Degrees, or None: told once where it is a fault."""
        try:
            return sensor.degrees(answers)
        except Broken as fault:
            self._faults.add(name, "temperature: %s; it is missing until it is mended" % fault)
        except OSError as error:
            if error.errno in GONE:
                self._devices.lose(name)
                self._sensors[name], self._due = None, 0
                self._listing.forget()              # its place may be another's now
            if error.errno not in RESTING:
                self._faults.add("%s %d" % (sensor.place.chip, error.errno), "temperature: %s: %s; what does not "
                                 "answer is missing until it does" % (name, os.strerror(error.errno).lower()))
        return None


def csv(types):
    """Lines of 0.6's temperature_mapping file, from the types of the zones, None where there is none."""
    return ["counter_%d, %s" % (number + 1, "%s_%d" % (kind, number) if kind else UNUSED)
            for number, kind in enumerate(types)]


def whole(value):
    """Degrees as 0.6 has them: whole, towards 0."""
    return None if value is None else int(value)
