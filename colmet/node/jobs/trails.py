"""The ways from the top of each cgroup hierarchy to the directories that hold jobs, as the rules of schedulers say.

Of version 1 one hierarchy is enough: the first of `ORDER` that has a scheduler's directory.
"""
import os
from collections import namedtuple

from colmet.common.schedulers import slurm
from colmet.common.mounts import V2, mounted
from colmet.node.jobs.job import directory_key, folders, numbers

ORDER = (V2, "cpuset", "cpuacct", "memory", "freezer", "pids")
Mark = namedtuple("Mark", "rule level groups")
Mark.__doc__ = """A directory is as deep as the part `level` of `rule`; `groups` is what the names up to it told."""


class Trails:
    """`rules` are those of `colmet.common.schedulers`; the hierarchies are those mounted below `root`. `watch(path)`
    is called for each directory on the way before it is listed."""

    def __init__(self, rules, root, watch):
        self.rules, self._root, self._watch = rules, root, watch
        self.tops = []          # paths of hierarchies, the preferred first
        self._marks = {}        # {directory on the way: [Mark]}

    def scan(self):
        """[(directory, Mark)] of all that hold jobs now."""
        if not self.rules:
            return []
        self.tops, self._marks = _tops(self._root), {}
        return [each for top in self.tops for each in self._take(top, [Mark(rule, 0, {}) for rule in self.rules])]

    def enter(self, directory, name):
        """The same of what was made as `name` in `directory`, and below."""
        marks = [mark for mark in self._marks.get(directory, ()) if mark.level < mark.rule.depth]
        further = []
        for rule, level, groups in marks:
            found = rule.fits(level, name)
            if found is not None and not (level == 0 and self._preferred(directory, name)):
                further.append(Mark(rule, level + 1, dict(groups, **found)))
        path = os.path.join(directory, name)
        return self._take(path, further) if further and directory_key(path) else []

    def superseded(self, path):
        """Whether a hierarchy that goes before that of the directory `path` has come to have what leads there."""
        top = next((each for each in self.tops if path.startswith(each + "/")), None)
        return top is not None and self._preferred(top, path[len(top) + 1:].split("/")[0])

    def gone(self, path):
        """Forget the directory `path`, which is no more; whether it was on a way."""
        return self._marks.pop(path, None) is not None

    def _take(self, directory, marks):
        self._marks[directory] = marks
        self._watch(directory)
        holding = [(directory, mark) for mark in marks if mark.level == mark.rule.depth]
        if len(holding) < len(marks):
            for name in folders(directory):
                holding += self.enter(directory, name)
        return holding

    def _preferred(self, top, name):
        """Whether a hierarchy that goes before `top` has the directory `name`."""
        before = self.tops[:self.tops.index(top)]
        return any(directory_key(os.path.join(other, name)) for other in before)


def _tops(root):
    """Mount points of the hierarchies below `root`, each hierarchy once."""
    ranks = {name: rank for rank, name in enumerate(ORDER)}
    mounts = sorted(mounted(root), key=lambda mount: (min(ranks.get(name, len(ORDER)) for name in mount.controllers),
                                                      len(mount.point), mount.point))
    tops = {}
    for mount in mounts:
        tops.setdefault(directory_key(mount.point), mount.point)
    tops.pop(None, None)
    return list(tops.values())


def job_of_sluid(path, proc):
    """The job id of the directory `path` that bears a SLUID: its slurmstepd, a process of root, tells it; None as long
    as there is none. What a user's process says counts for nothing."""
    for directory, _, _ in os.walk(path):
        for pid in numbers(os.path.join(directory, "cgroup.procs")) or ():
            try:
                with open(os.path.join(proc, str(pid), "cmdline"), "rb") as file:
                    job = slurm.job_of_title(file.read(200)) if os.fstat(file.fileno()).st_uid == 0 else None
            except OSError:     # it has ended
                continue
            if job:
                return job
    return None
