"""What ``colmet-node check`` looks at, one area a module; each has a function that yields `Finding`s.

Everything is tried by the code that the node itself opens it with, and let go again; nothing is decided by the version
of the kernel.
"""
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Tuple

from colmet.node.backends import Unavailable

ON, PART, OFF = "on", "part", "off"


@dataclass(frozen=True)
class Finding:
    """One line. `area` is the module that found it; `state` ON, PART (works, but not all of it) or OFF; `do` what
    helps, "" where nothing is needed or known; `costs` the tables or metrics that are missing without it. Not `asked`
    is what the options do not ask for, or can do without: it makes no check fail."""
    area: str
    name: str
    state: str
    why: str
    do: str = ""
    costs: Tuple[str, ...] = ()
    asked: bool = True

    @property
    def fails(self):
        """Whether something that was asked for does not work."""
        return self.asked and self.state == OFF

    def fields(self):
        """It as a dict, for JSON."""
        return dict(asdict(self), costs=list(self.costs))


def opening(kind, options):
    """("" where a reader or a backend opens, else the reason why not; what opened, closed again)."""
    try:
        opened = kind(Path(options.root), options)
        opened.close()
    except (Unavailable, OSError) as reason:
        return str(reason), None
    return "", opened


def refused(area, name, reason, costs=(), asked=True):
    """The Finding for what did not open; `reason` is "why; what to do", as the text of `Unavailable` is."""
    why, _, remedy = str(reason).partition("; ")
    return Finding(area, name, OFF, why, remedy, tuple(costs), asked)
