"""Power and energy of a Cray node, by the files of its controller in /sys/cray/pm_counters.

power, cpu_power, memory_power, accelN_power "187 W 1734094386309238 us"; energy and its like "14217892 J ... us";
freshness, a number that goes on ten times a second; startup, another one after each start of the controller, with which
the energies begin at 0. No right is needed.
"""
import os
import re
import time

from colmet.node.clock import SECOND, boottime
from colmet.node.power.reading import UW, Absent, Counted, Reading, Silent, plausible
from colmet.node.sysfs import File, natural

FOLDER = ("sys", "cray", "pm_counters")
NODE = "cray/node"
TRIES = 3                   # readings of all files, of which one falls between two changes
STILL = 5 * SECOND          # freshness that stays so long: the controller does not measure any more
_FILE = re.compile(r"(?:(\w+)_)?(power|energy)")
_VALUE = re.compile(rb"(\d{1,15}) ([WJ])(?: \d+ us)?")


class Cray:
    """That below `root`. Raises Absent where there is none."""

    name = "cray"
    whole = (NODE,)

    def __init__(self, root):
        folder = root.joinpath(*FOLDER)
        try:
            names = sorted(os.listdir(folder), key=natural)
        except OSError:
            names = []
        matches = [match for match in map(_FILE.fullmatch, names) if match]
        if not matches:
            raise Absent("no %s" % folder)
        self._files = {("cray/%s" % (match.group(1) or "node"), match.group(2)): File(folder / match.string)
                       for match in matches}
        self._fresh, self._startup = (File(folder / name) if name in names else File(None)
                                      for name in ("freshness", "startup"))
        self._counted = {name: Counted() for name, _ in self._files}
        self._last, self._at = None, 0

    def read(self):
        """{name: `Reading`}, all of one moment. Raises Silent where they stand still, and OSError."""
        for _ in range(TRIES):
            before, startup = self._fresh.read(), self._startup.read()
            values = {key: value(file.read(), key[1]) for key, file in self._files.items()}
            if (self._fresh.read(), self._startup.read()) == (before, startup):
                break
        now = boottime()
        if before != self._last or not before:
            self._last, self._at = before, now
        if now - self._at > STILL:
            raise Silent("the files in %s stand still: their freshness does not go on" % os.path.join("/", *FOLDER))
        return {name: self._reading(name, values, startup) for name in self._counted}

    def stop(self):
        """A reading takes no time."""

    def close(self):
        """Closes all files."""
        for file in (*self._files.values(), self._fresh, self._startup):
            file.close()

    def _reading(self, name, values, startup):
        joules, watts = values.get((name, "energy")), values.get((name, "power"))
        energy, since = self._counted[name].take(None if joules is None else joules * UW, time.time_ns(), startup)
        return Reading(None if watts is None else plausible(float(watts)), energy, since, self._at)


def value(text, kind):
    """The number in the text (bytes) of a file of `kind` power or energy, None where it holds none."""
    match = _VALUE.fullmatch(text)
    return int(match.group(1)) if match and match.group(2) == (b"W" if kind == "power" else b"J") else None
