"""One temperature sensor: its files, and what they say, in millidegrees Celsius."""
import os

from colmet.node.devices import Files

LEAST, MOST = -273150, 10 ** 6      # what lies outside is no temperature: NVMe says 65261850 where it has no limit


class Broken(Exception):
    """The sensor says of itself that it is broken, or what it says is no temperature."""


class Sensor:
    """That at `place` (`colmet.node.sensors.Place`): `files` are those that are read at each sample, `limit_files`
    those of `limits`, max and crit."""

    def __init__(self, place):
        self.place = place
        self.files = Files((place.value, place.fault) if place.fault else (place.value,), place.power)
        self.limit_files, self.limits = Files(place.limits, place.power), (None, None)

    def degrees(self, answers):
        """Degrees Celsius, from what its files told, [(number, errno)]. Raises Broken and OSError."""
        for number, code in answers[::-1]:
            if code:
                raise OSError(code, os.strerror(code))
        if len(answers) > 1 and answers[1][0] != 0:
            raise Broken("%s says that it is broken" % self.place.fault)
        found = celsius(answers[0][0])
        if found is None:
            raise Broken("%s holds no temperature" % self.place.value)
        return found


def celsius(number):
    """Degrees from millidegrees, None where that is no temperature."""
    return number / 1000 if number is not None and LEAST < number < MOST else None
