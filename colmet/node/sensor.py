"""One temperature sensor: its files, and what they say, in millidegrees Celsius."""
import os

from colmet.node.devices import Files

LEAST, MOST = -273150, 10 ** 6      # what lies outside is no temperature: NVMe says 65261850 where it has no limit

FINE = 0, 0                         # what the file of a fault tells of a sensor that is not broken: 0, and no errno
NO_LIMITS = None, None


class Broken(Exception):
    """The sensor says of itself that it is broken, or what it says is no temperature."""


class Sensor:
    """That at `place` (`colmet.node.sensors.Place`): `files` are those that are read at each sample; `limits` are max
    and crit, degrees or None, to be read anew when they are `due` (CLOCK_BOOTTIME, ns)."""

    def __init__(self, place):
        self.place = place
        self.files = Files((place.value, place.fault) if place.fault else (place.value,), place.power)
        self.limits, self.due = NO_LIMITS, 0

    def degrees(self, answers):
        """Degrees Celsius, from what its files told, [(number, errno)]. Raises Broken and OSError."""
        number, code = answers[0]
        if len(answers) > 1 and answers[1] != FINE:
            code = answers[1][1]
            if not code:
                raise Broken("%s says that it is broken" % self.place.fault)
        if code:
            raise OSError(code, os.strerror(code))
        found = celsius(number)
        if found is None:
            raise Broken("%s holds no temperature" % self.place.value)
        return found


def celsius(number):
    """Degrees from millidegrees, None where that is no temperature."""
    return number / 1000 if number is not None and LEAST < number < MOST else None
