"""Where jobs are looked for: directories given by name, and those that the rules of schedulers led to."""
import os
from dataclasses import dataclass
from typing import Any, Optional

from colmet.common.schedulers import SITE
from colmet.node.jobs.job import directory_key


@dataclass(eq=False)
class Place:
    """A root, or with `single` a directory that is itself a job, as given. `real` is where it is now and `key` what
    (None: nowhere); `above` is the nearest directory over it that exists, `step` the name in there that leads on.
    `mark` (`colmet.node.jobs.trails`) says how a scheduler's own rule led to it."""
    path: str
    single: bool = False
    real: str = ""
    key: Optional[tuple] = None
    above: str = ""
    step: str = ""
    scheduler: str = ""
    mark: Any = None

    def locate(self):
        """(real, key, above, step) as they are at this moment."""
        head, step = os.path.split(os.path.abspath(self.path))
        while directory_key(head) is None and head != "/":
            head, step = os.path.split(head)
        key = directory_key(self.path)
        return os.path.realpath(self.path) if key else "", key, os.path.realpath(head), step

    def covers(self, path):
        """Whether the directory `path` is, or would be if named so, one of its jobs."""
        return (path if self.single else os.path.dirname(path)) == self.real

    def moved(self):
        """Whether it is no longer what it was: come, gone, or another."""
        return directory_key(self.path) != self.key


def below(root, paths):
    """The `paths` as they are below `root`."""
    return [os.path.join(str(root), path.lstrip("/")) for path in paths]


def named(root, cgroups, rootpaths):
    """Where the directories given by ``-c`` are: an absolute path as it is; another one below the first of the roots
    that has it, or else below the first root."""
    for path in cgroups:
        under = below(root, [path] if path.startswith("/") or not rootpaths else
                      [os.path.join(each, path) for each in rootpaths])
        yield next((each for each in under if os.path.isdir(each)), under[0])


def looked_at(finder):
    """For each place given by name and each scheduler, whether it is there to look at, and a line on what was found:
    [(bool, text)]. A scheduler's usual directory is left out while it is not there and its rule looks too."""
    found, schedulers = [], dict.fromkeys(rule.scheduler for rule in finder.trails.rules)
    for place in finder.places:
        if place.single:
            found.append((bool(place.key), "%s: %s" % (place.path, "here" if place.key else "not here yet")))
        elif place.key and not place.mark:
            here = [path for path in finder.found if os.path.dirname(path) == place.real]
            found.append((True, "%s: %d here" % (place.path, len(here))))
        elif not place.mark and place.scheduler not in schedulers:
            found.append((False, "%s: no such directory yet" % place.path))
    for scheduler in schedulers:
        here = [each.place.scheduler for each in finder.found.values() if each.place.mark].count(scheduler)
        whose = "--rule" if scheduler == SITE else scheduler
        found.append((bool(finder.trails.tops), "cgroups of %s: %d here" % (whose, here)))
    return found


def patterns_tried(finder, patterns):
    """Where a job would have been seen: text of several lines, the first of which is empty."""
    lines = ["%s%s: names with %s" % (place.path, "" if place.key else " (not there)", " or ".join(patterns))
             for place in finder.places if not place.single and not place.mark]
    shapes = {}
    for rule in finder.trails.rules:
        shapes.setdefault(rule.scheduler, []).append(rule.text if rule.scheduler == SITE else rule.shape)
    lines += ["cgroups of %s: %s" % ("--rule" if scheduler == SITE else scheduler, ", ".join(found))
              for scheduler, found in shapes.items()]
    if shapes:
        lines.append("below %s" % (", ".join(finder.trails.tops) or "no mount of cgroups at all"))
    lines.append("(--rule or --cpuset_rootpath tells where jobs have other cgroups, --pid measures a process)")
    return "".join("\n  " + line for line in lines)
