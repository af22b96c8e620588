"""What is mounted where, from /proc/self/mountinfo (proc(5)), and where the hierarchies of cgroups show one cgroup."""
import os
import re
from pathlib import Path
from typing import NamedTuple, Tuple

V1, V2 = "cgroup v1", "cgroup v2"
KINDS = {"cgroup": V1, "cgroup2": V2}


class Mount(NamedTuple):
    """A mount of the file system `kind`, whose directory `top` is shown at `point`; `device` is its st_dev, `options`
    are those of the file system: of a cgroup v1, its controllers too; `source` is what was mounted."""
    kind: str
    device: int
    point: str
    top: str
    options: Tuple[str, ...]
    source: str = ""

    @property
    def controllers(self):
        """Of a hierarchy of cgroups: {V2}, or v1's names among others."""
        return frozenset({V2} if KINDS.get(self.kind) == V2 else self.options)


def parse(text, kinds=None):
    """The mounts in the text of mountinfo, only those of `kinds` where these are given, in their order: what lies under
    another comes before it."""
    found = []
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        kind = after.split(" ")
        if kinds is not None and kind[0] not in kinds:
            continue
        fields = before.split(" ")
        if len(fields) > 4 and len(kind) > 2:
            major, _, minor = fields[2].partition(":")
            device = os.makedev(int(major), int(minor)) if major.isdigit() and minor.isdigit() else 0
            point, top, source = map(unescaped, (fields[4], fields[3], kind[1]))
            found.append(Mount(kind[0], device, point, top, tuple(kind[2].split(",")), source))
    return found


def mounts(proc=Path("/proc"), kinds=None):
    """The mounts that this process sees, of `kinds` or all. Raises OSError."""
    return parse((proc / "self" / "mountinfo").read_text(errors="surrogateescape"), kinds)


def mounted(root):
    """The mounts of cgroups in the file system below `root`, their points made to lie there where they do not; [] where
    it tells none."""
    try:
        found = mounts(Path(root) / "proc", KINDS)
    except FileNotFoundError:
        return []
    prefix = str(root).rstrip("/")
    there = [mount if mount.point.startswith(prefix + "/") else mount._replace(point=prefix + mount.point)
             for mount in found]
    return list(dict.fromkeys(there))


def directories(path, hierarchies, names):
    """Where the cgroup whose directory is `path` may be in each of `hierarchies`: [(name, directory)], name a
    controller of v1 or V2, one of `names`. For a directory in none of them, itself as V2 or as all of v1."""
    homes = [mount for mount in hierarchies if _below(path, mount.point)]
    if not homes:
        is_v2 = os.path.exists(path + "/cgroup.controllers")
        return [(name, path) for name in names if (name == V2) == is_v2]
    home = max(homes, key=lambda mount: len(mount.point))
    cgroup = os.path.normpath(home.top + "/" + path[len(home.point):])
    found = []
    for mount in hierarchies:
        wanted = mount.controllers.intersection(names)
        if wanted and _below(cgroup, mount.top):
            there = os.path.normpath(mount.point + "/" + cgroup[len(mount.top.rstrip("/")):])
            found += [(name, there) for name in names if name in wanted]
    return found


def _below(path, top):
    return path == top or path.startswith(top.rstrip("/") + "/")


def unescaped(text):
    """mountinfo writes blanks and the like as three octal digits after a backslash."""
    return text if "\\" not in text else re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), text)
