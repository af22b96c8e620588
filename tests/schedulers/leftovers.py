"""What schedulers leave in the cgroups of this machine."""
import os

from cgroups import BASE, patiently


def left(names):
    """Directories of these names in all hierarchies: list of Path."""
    return [path for name in names for path in sorted(BASE.glob("*/" + name))]


def remove(names):
    """Remove them with all below; their tasks may be on their way out."""
    for top in left(names):
        for folder, _, _ in os.walk(str(top), topdown=False):
            patiently(lambda: os.rmdir(folder))
