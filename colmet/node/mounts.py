"""What is mounted where, as far as it takes to tell hierarchies of cgroups apart."""
import os
from pathlib import Path


def mounts(proc=Path("/proc")):
    """(type, st_dev, mount point as it is written, options of the file system) of each mount, from
    /proc/self/mountinfo (proc(5))."""
    for line in (proc / "self" / "mountinfo").read_text(errors="surrogateescape").splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        major, minor = fields[2].split(":")
        kind, _, options = after.split(" ", 2)
        yield kind, os.makedev(int(major), int(minor)), fields[4], options.split(",")
