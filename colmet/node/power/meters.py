"""All meters of power that a machine has, opened and read together; each may be absent, slow, or hang by itself."""
import os
import time

from colmet.node.backends import Unavailable
from colmet.node.clock import boottime
from colmet.node.held import Held
from colmet.node.log import Faults
from colmet.node.power import bmc
from colmet.node.power.command import OLD_DEFAULT, Command
from colmet.node.power.cray import Cray
from colmet.node.power.hwmon import Hwmon
from colmet.node.power.late import Late
from colmet.node.power.reading import Absent, Silent
from colmet.node.power.redfish import Redfish

START = 3.0             # s that the opening waits for slow meters, so that the start tells of them
SLOW = "has not answered yet; it is asked on"
NONE_THERE = "no meter of power: %s"
CRAY, COMMAND, BMC, REDFISH, HWMON = "cray", "ipmipower-cmd", "ipmi", "redfish", "hwmon"    # kinds, the best first
IPMI = (COMMAND, BMC)       # those of 0.6's table


class Meters(Held):
    """Those below `root`, and those that `options` name. Raises Unavailable where there is none.

    `absent` is {kind: why it is not there}, `lacks` {meter or kind: why it cannot be read} of those that are there,
    each "why; what to do". `read()` waits for none of them; `start` is how many s the opening does.
    """

    def __init__(self, root, options, start=START):
        self.absent, self.lacks, self._faults = {}, {}, Faults()
        self._latest = {}           # {kind: (when it was read, what it said)}
        self._readers = {}          # {kind: [reader]}
        for kind, found in _kinds(root, options).items():
            try:
                for reader in found():
                    self._readers.setdefault(kind, []).append(reader)
            except Absent as reason:
                self.absent[kind] = str(reason)
            except Unavailable as reason:
                self.lacks[kind] = str(reason)
        self._settle(time.monotonic() + start)
        old, *words = OLD_DEFAULT
        if not set(self._readers) & set(IPMI) and os.access(root / old[1:], os.X_OK):
            self._readers[COMMAND] = [Late(Command([str(root / old[1:])] + words))]
        if not self._readers:
            raise Unavailable(_reason([*self.lacks.values(), *self.absent.values()]))

    @property
    def kinds(self):
        """Kinds of meters that are there, the best first."""
        return [kind for kind in (CRAY, COMMAND, BMC, REDFISH, HWMON) if kind in self._readers]

    @property
    def whole(self):
        """Names of the meters that measure the whole node, the best first: those that count energy, and those that
        somebody chose."""
        return [name for kind in self.kinds for reader in self._readers[kind] for name in reader.whole]

    def names(self, kinds):
        """Of the readers of these `kinds`, in that order."""
        return [reader.name for kind in kinds for reader in self._readers.get(kind, ())]

    def read(self, kinds=None, since=None):
        """{meter: `Reading`} of those that answer, of these `kinds` or all; or what they said to somebody who asked
        after `since` (ns of CLOCK_BOOTTIME)."""
        found = {}
        for kind in self.kinds if kinds is None else kinds:
            at, said = self._latest.get(kind, (0, {}))
            if since is None or at < since:
                at, said = self._latest[kind] = boottime(), self._read(kind)
            found.update(said)
        return found

    def _end(self):
        """Closes all; what hangs is left to its thread, which does so when it comes back."""
        for readers in self._readers.values():
            for reader in readers:
                reader.close()

    def _read(self, kind):
        found = {}
        for reader in self._readers.get(kind, ()):
            try:
                found.update(reader.read())
            except (OSError, Silent, Unavailable) as fault:
                self._tell(reader.name, fault)
        return found

    def _settle(self, end):
        """Wait until the slow ones said something, and leave out those that never will."""
        for kind, readers in list(self._readers.items()):
            for late in [reader for reader in readers if isinstance(reader, Late)]:
                answered = late.answered.wait(max(0, end - time.monotonic()))
                if late.fault or not answered:
                    self.lacks[late.name] = str(late.fault or SLOW)
                if isinstance(late.fault, Unavailable):
                    late.close()
                    readers.remove(late)
            if not readers:
                del self._readers[kind]

    def _tell(self, name, fault):
        """Told once, the start's own line included."""
        told = isinstance(fault, OSError) and fault.strerror
        text = "%s: %s" % (name, fault.strerror.lower()) if told else str(fault)
        if self.lacks.get(name) != str(fault):
            self._faults.add("%s %s" % (name, text), "power: %s; it is missing until it answers" % text)


def _kinds(root, options):
    """{kind: function that gives its readers}."""
    def late(make, *arguments):
        return lambda: [Late(make(*arguments))]
    found = {CRAY: lambda: [Cray(root)], BMC: lambda: map(Late, bmc.found(root)), HWMON: late(Hwmon, root)}
    if options.ipmipower_cmd:
        found[COMMAND] = late(Command, options.ipmipower_cmd)
    if options.redfish:
        found[REDFISH] = late(Redfish, options)
    return found


def _reason(reasons):
    """Why there is none: "why; what to do"."""
    parts = [text.partition("; ") for text in reasons]
    why, remedies = ", ".join(why for why, _, _ in parts), ", or ".join(do for _, _, do in parts if do)
    return NONE_THERE % why + ("; " + remedies if remedies else "")
