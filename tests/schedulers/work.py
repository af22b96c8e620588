"""What jobs do here, and what they say of it themselves."""
from typing import NamedTuple

# FILE LOOPS CHILDREN, in bash: `times` is what getrusage(2) says of it and of the children that it waited for.
SCRIPT = """for ((i = 0; i < $2; i++)); do :; done
for ((i = 0; i < $3; i++)); do /bin/true; done
{ times; echo $EPOCHREALTIME ${SLURM_JOB_ID:-$OAR_JOB_ID}; } > "$1.$$"
"""


class Told(NamedTuple):
    """By one task of `job`: CPU time (s, in steps of 1 ms), Unix time of its end."""
    cpu: float
    end: float
    job: str


class Loads:
    """For the jobs of `machine`."""

    def __init__(self, machine):
        self._script = machine.folder / "load.sh"
        self._script.write_text(SCRIPT)
        self._folder = machine.folder / "told"
        self._folder.mkdir()
        self._folder.chmod(0o777)

    def command(self, name, loops, children):
        """One task that tells as `name`, which any number of tasks may do: 1 + `children` processes."""
        return "bash %s %s/%s %d %d" % (self._script, self._folder, name, loops, children)

    def told(self, name, job=None):
        """[Told] of each task of this name (a pattern), of `job` or of all, in order of their ends."""
        found = [read(path.read_text()) for path in self._folder.glob(name + ".*")]
        return sorted((told for told in found if job in (None, told.job)), key=lambda told: told.end)

    def jobs(self, name):
        """Ids of the jobs that had such tasks: a set."""
        return {told.job for told in self.told(name)}


def read(text):
    """The Told of what SCRIPT wrote."""
    *used, end, job = text.split()
    return Told(sum(map(seconds, used)), float(end), job)


def seconds(text):
    """s of "1m2.345s"."""
    minutes, rest = text.rstrip("s").split("m")
    return 60 * int(minutes) + float(rest)
