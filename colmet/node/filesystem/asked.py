"""File systems whose programs are asked for what they count, beside the ticks: a tick takes the answer before."""
from colmet.node.clock import SECOND, boottime
from colmet.node.filesystem.command import Failed
from colmet.node.log import Faults
from colmet.node.source import SlowSource


class Asked:
    """`monitors` have `kind`, the kind of mounts that they know, `ask(mounts)`, which gives Readings or raises Failed,
    and `lacks()`; all of them ask by `command`."""

    def __init__(self, monitors, command):
        self._monitors, self._command, self._faults = monitors, command, Faults()
        self._mounts, self._before = [], boottime()
        self._slow = SlowSource("filesystem", self, (), SECOND)

    def latest(self, mounts):
        """[Reading] as of the tick before; [] while none of their kind is mounted, and where they do not answer."""
        now = boottime()
        self._slow.period, self._before = now - self._before, now
        self._mounts = [mount for mount in mounts if mount.kind in {monitor.kind for monitor in self._monitors}]
        if not self._mounts:
            return []
        found = self._slow.rows(self._mounts).get("", [])
        self._slow.start(_bare, self._mounts)
        return found

    def sample(self, mounts):
        """{"": [Reading]}, by the thread of the SlowSource."""
        found, there = [], {mount.kind for mount in mounts}
        for monitor in self._monitors:
            if monitor.kind in there:
                try:
                    found += monitor.ask(mounts)
                except Failed as reason:
                    if not self._command.stopped:       # its end with the node is no fault
                        self._faults.add(monitor.kind, "%s: %s; its file systems are missing until it answers"
                                         % (monitor.kind, reason))
        return {"": found}

    def stop(self):
        """End what is asked, and the thread."""
        self._command.stop()
        self._slow.close()

    def close(self):
        """Nothing is held."""


def _bare(source, meter, work, *arguments):
    """`SlowSource` wants a guard: all that `sample` may raise it takes itself."""
    return work(*arguments)
