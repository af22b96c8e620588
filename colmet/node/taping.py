"""Where a node can be recorded and replayed (`colmet.node.tape`), of one that is not: nothing is done there."""
from contextlib import nullcontext

from colmet.node.health import Health
from colmet.node.sampler import Sampler


class Unreadable(Exception):
    """There is no recording, or none that this release reads; the text says why."""


class Stopped(SystemExit):
    """A replay cannot go on; no `except Exception` takes it for a failure of a source."""


class Off:
    """No tape. `replays`: answers come from one; `done`: it was replayed to its end."""
    replays = done = False
    apart = rolling = staticmethod(nullcontext)
    sampler, health = Sampler, Health

    @staticmethod
    def same(what, *_):
        """It is not taped."""
        return what

    settings = signals = same


def begun(values, argv):
    """(`Off` or what is in its place, the command line to go by), for a node with these `values`. Raises OSError,
    Unreadable."""
    if values.record or values.replay:
        from colmet.node.tape import node
        return node.begun(values, argv)
    return Off(), argv
