"""Small numbers for jobs, as helpers in C have them in the place of names."""
from colmet.node.jobs.job import others


class Numbered:
    """The jobs that were asked for last: `of` is {job: number}, all below `most`."""

    def __init__(self):
        self.of, self._free = {}, []            # the latter: numbers that nobody has now
        self._known = {}                        # {job: the directories of its parts when it was asked for}

    @property
    def most(self):
        """How many numbers there are."""
        return len(self.of) + len(self._free)

    def changed(self, jobs):
        """Yield those of `jobs` that are new, or have other directories than before; each has a number."""
        for job in jobs:
            known, parts = self._known.get(job), job.parts
            if known and len(parts) == len(known) == 1 and parts[0].directories is known[0]:
                continue        # nearly all of them
            if known is None or len(parts) != len(known) \
                    or any(part.directories is not before for part, before in zip(parts, known)):
                if known is None:
                    self.of[job] = self._free.pop() if self._free else len(self.of)
                self._known[job] = [part.directories for part in parts]
                yield job

    def gone(self, jobs):
        """List of those that have a number and are not among `jobs`, of which there are no others."""
        return others(self.of, jobs) if len(self.of) > len(jobs) else ()

    def forget(self, job):
        """Returns its number, which is another's from now on."""
        del self._known[job]
        self._free.append(self.of.pop(job))
        return self._free[-1]


def rows(ffi, cells, count, width):
    """Lists of `width` numbers: the first `count` rows of `cells`."""
    numbers = ffi.unpack(cells, count * width) if count else []
    return [numbers[place:place + width] for place in range(0, count * width, width)]
