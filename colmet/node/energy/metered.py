"""What a set of meters counted from one reading to the next, nothing twice.

A part that does not answer is waited for: what it counted meanwhile comes with its next reading. When it stays silent,
begins anew, or another one comes, the set is another: all begins anew.
"""
from colmet.node.clock import SECOND
from colmet.node.energy.meters import WHOLE

PATIENCE = 60 * SECOND      # ns for which a part may be silent


class Metered:
    """`meters` as `colmet.node.energy.meters` has them, the best first. `parts` are those that count now, `used` the
    names of the meters that they are of."""

    def __init__(self, meters):
        self._meters = meters
        self._last, self._silent = {}, {}       # {part: Reading}, {part: since when}
        self.parts, self.used, self.holders = frozenset(), (), {}

    def take(self, jobs, now, others):
        """{part: uJ since the reading before} of those that answer at `now` (boottime, ns); None where the set is not
        what it was, and this is its first reading. `others` are the open sources, {name: backend}."""
        for meter in self._meters:
            meter.share(others)
        read = [(meter, meter.read(jobs)) for meter in self._meters]
        self.holders = {name: held for meter in self._meters for name, held in meter.holders.items()}
        self._note(read, now)
        chosen = dict(self._chosen(read, now))
        known = {part: reading for part, reading in chosen.items() if reading.energy is not None}
        same = chosen.keys() == self._last.keys() and all(
            reading.since == self._last[part].since and reading.energy >= self._last[part].energy
            for part, reading in known.items())
        if not same:
            self._last, self.parts = known, frozenset(known)
            self.used = tuple(meter.name for meter, found in read if self.parts.intersection(found))
            return None
        grown = {part: reading.energy - self._last[part].energy for part, reading in known.items()}
        self._last.update(known)
        return grown

    def close(self):
        """Closes all meters."""
        for meter in self._meters:
            meter.close()

    def _note(self, read, now):
        answered = {part for _, found in read for part, reading in found.items() if reading.energy is not None}
        for part in answered:
            self._silent.pop(part, None)
        for part in self._last.keys() - answered:
            self._silent.setdefault(part, now)

    def _chosen(self, read, now):
        """Yield (part, reading) of those that count: of each kind those of the first meter that has any that answers or
        is waited for, of the whole node one."""
        taken = set()
        for _, found in read:
            mine = set()
            for part, reading in found.items():
                waited = part in self._last and now - self._silent.get(part, now) < PATIENCE
                if (reading.energy is not None or waited) and part.kind not in taken \
                        and not (part.kind == WHOLE and WHOLE in mine):
                    mine.add(part.kind)
                    yield part, reading
            taken |= mine
