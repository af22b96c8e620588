"""One temperature sensor: its files, which stay open, and what they say, in millidegrees Celsius."""
import errno
import os
import re

GONE = (errno.ENODEV, errno.ENXIO, errno.ENOENT)        # what a file says whose device is no more
LEAST, MOST = -273150, 10 ** 6      # what lies outside is no temperature: NVMe says 65261850 where it has no limit
ASLEEP = b"suspended"               # power/runtime_status: reading the sensor would wake the device
BYTES = 64
_NUMBER = re.compile(rb"-?\d{1,18}")


class Gone(OSError):
    """The device of an open file is no more."""


class Broken(Exception):
    """The sensor says of itself that it is broken, or what it says is no temperature."""


class Sensor:
    """That at `place` (`colmet.node.sensors.Place`); `max` and `crit` are read again by `limit`."""

    def __init__(self, place):
        self.place = place
        self._value, self._fault, self._power = (File(path) for path in (place.value, place.fault, place.power))
        self.limits = (None, None)

    def read(self):
        """Degrees Celsius; None where the device is asleep. Raises Broken, Gone, and OSError."""
        if self._power.read() == ASLEEP:
            return None
        if self._fault.read() not in (b"", b"0"):
            raise Broken("%s says that it is broken" % self.place.fault)
        found = celsius(self._value.read())
        if found is None:
            raise Broken("%s holds no temperature" % self.place.value)
        return found

    def limit(self):
        """Read the limits, where the device is awake."""
        try:
            if self._power.read() != ASLEEP:
                self.limits = tuple(map(_limit, self.place.limits))
        except OSError:
            pass                    # the limits stay; `read` tells

    def close(self):
        """Closes the files."""
        for file in (self._value, self._fault, self._power):
            file.close()


class File:
    """The file at `path`, opened by the first reading; None: it is always empty."""

    def __init__(self, path):
        self._path, self._fd = path, -1

    def read(self):
        """Its text (bytes), without blanks around. Raises Gone, and OSError."""
        if self._path is None:
            return b""
        if self._fd < 0:
            self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        if os.fstat(self._fd).st_nlink == 0:
            raise Gone(errno.ENODEV, os.strerror(errno.ENODEV))
        return os.pread(self._fd, BYTES, 0).strip()

    def close(self):
        """Closes it, until the next reading."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1


def celsius(text):
    """Degrees from millidegrees (bytes), None where that is no temperature."""
    value = int(text) if _NUMBER.fullmatch(text) else None
    return value / 1000 if value is not None and LEAST < value < MOST else None


def _limit(path):
    file = File(path)
    try:
        return celsius(file.read())
    except OSError:
        return None
    finally:
        file.close()
