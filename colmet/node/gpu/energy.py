"""Energy of GPUs: by their own counter (NVIDIA since Volta, Intel), else by their power, added up between samples."""
import threading
from typing import NamedTuple, Optional

from colmet.node.gpu.device import Reading


class Spent(NamedTuple):
    """What a card used since `since` (Unix time, ns): `energy` in uJ and, now, `watts`; None where not known."""
    since: int
    energy: Optional[int]
    watts: Optional[float]


class Meter:
    """Adds up the energy of one card."""

    def __init__(self):
        self._since, self._energy = 0, 0.0
        self._before = None             # (boottime, Reading) of the last in which it was known

    def take(self, reading, now, wall):
        """(`Spent`, uJ since it was known before or None) after `reading` (`device.Reading`) at `now` (boottime, ns),
        which is `wall` by the clock. It begins anew where the card was lost, or its counter began anew."""
        counts = reading.energy is not None or self._before and self._before[1].energy is not None
        known = (reading.energy if counts else reading.power) is not None
        if not known:
            if not counts or reading == Reading():
                self._before = None
            return Spent(self._since or wall, None, reading.power), None
        grown, power = self._grown(reading, now, counts)
        if grown is None or grown < 0:
            self._since, self._energy, grown = wall, 0.0, 0
        self._energy += grown
        self._before = now, reading
        return Spent(self._since, int(self._energy), power), grown

    def _grown(self, reading, now, counts):
        """(uJ since it was known before, None where it never was; W)."""
        then, before = self._before or (now, None)
        if before is None or counts and before.energy is None:
            return None, reading.power
        if not counts:
            return (reading.power + before.power) / 2 * (now - then) / 1000, reading.power     # W x ns is nJ
        grown = reading.energy - before.energy
        power = max(0, grown) * 1000 / (now - then) if reading.power is None and now > then else reading.power
        return grown, power


class Energy:
    """Energy of the GPUs for whoever splits that of the node: `read` never waits for a GPU. `gpus` is a
    `colmet.node.gpu.gpus.Gpus`: with `shared`, one that the source gpu reads anyway, and nothing is asked twice; else a
    thread here reads it."""

    def __init__(self, gpus, shared=False):
        self._gpus, self._shared = gpus, shared
        self._wanted, self._ended, self._jobs, self._thread = threading.Event(), False, [], None

    def read(self, jobs=()):
        """({card: `Spent`}, {card: [jobs that hold it]}) of the latest reading; has the next made, of `jobs`."""
        if not self._shared:
            self._jobs = jobs
            self._wanted.set()
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="gpu energy", daemon=True)
                self._thread.start()
        return self._gpus.latest

    @property
    def read_at(self):
        """CLOCK_BOOTTIME (ns) of the latest reading, None before the first: where a driver hangs it becomes old."""
        return self._gpus.read_at

    def close(self):
        """Ends the thread after its reading."""
        self._ended = True
        self._wanted.set()
        if self._thread is None and not self._shared:
            self._gpus.close()

    def _run(self):
        while not self._ended:
            self._wanted.wait()
            self._wanted.clear()
            if not self._ended:
                self._gpus.read(self._jobs)
        self._gpus.close()
