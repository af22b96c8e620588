"""All GPUs of the node, with their energy, and the jobs that hold and use each."""
import os
import time
from typing import NamedTuple

from colmet.node.backends import Unavailable
from colmet.node.capabilities import give, lacking
from colmet.node.clock import boottime
from colmet.node.gpu.device import Reading
from colmet.node.gpu.drm import Drm
from colmet.node.gpu.energy import Meter, Spent
from colmet.node.gpu.nvidia import Nvidia
from colmet.node.gpu.pids import Owners
from colmet.node.gpu.rights import BY_RULES, Rights
from colmet.node.log import Faults

READERS = (Nvidia, Drm)
RIGHTS = ("CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE")
OTHERS = "GPUs of other users' jobs"
CLOSED = "the environment and the open files of their processes are not for this user; %s"


class Now(NamedTuple):
    """A device as it is: its `Reading`; the energy of its card (`Spent`), and how much that grew (uJ, None where it is
    not known; of a MIG instance both None); its processes [(job or None, `Use`)]; accounts of processes [(job or None,
    `Account`)], or None; how it was given to jobs, {job: `rights.BY_RULES` or `BY_ENVIRONMENT`}. Keys of `users` are
    the jobs that use it, or did since the sample before, of `holders` those that hold it."""
    reading: Reading
    spent: Spent
    grown: float
    uses: list
    accounts: list
    held: dict
    users: dict
    holders: dict


class Gpus:
    """The GPUs of the machine below `root`. `readers` are the names of the ways in which they are read, `lacks` says
    what cannot be read: why; what to do. Raises Unavailable where there is no GPU; asks no driver for anything yet."""

    def __init__(self, root):
        self.latest, self.read_at = ({}, {}), None      # ({card: Spent}, {card: [jobs]}), and when (boottime, ns)
        self._faults, self._readers, self.refused = Faults(), [], {}
        for kind in READERS:
            try:
                self._readers.append(kind(root, self._faults))
            except Unavailable as reason:
                self.refused[kind.name] = str(reason)
        if not self._readers:
            why, remedy = zip(*[reason.partition("; ")[::2] for reason in self.refused.values()])
            raise Unavailable("%s; %s" % (", ".join(why), ", or ".join(remedy)))
        self.readers = [reader.name for reader in self._readers]
        short = os.geteuid() != 0 and lacking(*RIGHTS)
        self.lacks = {OTHERS: CLOSED % give(*short)} if short else {}
        self._owners, self._rights, self._meters = Owners(), Rights(root), {}

    def read(self, jobs):
        """{`Device`: `Now`}. Waits for the drivers."""
        self._owners.look(jobs)
        states = {device: state for reader in self._readers for device, state in reader.read(self._owners).items()}
        held = self._rights.of(self._owners.lists, tuple(states))
        now, wall = boottime(), time.time_ns()
        found = {}
        for device, state in states.items():
            mine = {job: names[device.name] for job, names in held.items() if device.name in names}
            spent, grown = Spent(0, None, None), None
            if device.card == device.name:
                spent, grown = self._meters.setdefault(device.name, Meter()).take(state.reading, now, wall)
            uses = [(self._owners.of(use.pid), use) for use in state.uses]
            accounts, users = state.accounts, dict.fromkeys(job for job, _ in uses if job)
            if accounts:
                likely = _holders(mine, users)
                accounts = [(self._job(account, likely), account) for account in accounts]
                users.update(dict.fromkeys(job for job, _ in accounts if job))
            found[device] = Now(state.reading, spent, grown, uses, accounts, mine, users, _holders(mine, users))
        self.latest = ({device.card: each.spent for device, each in found.items() if device.card == device.name},
                       _by_card(found))
        self.read_at = now
        return found

    def close(self):
        """Ends the sessions with the drivers."""
        for reader in self._readers:
            reader.close()

    def _job(self, account, holders):
        """Whose the process was: one that nobody saw is that of the only job that holds the device, if it came after
        the job."""
        job = self._owners.of(account.pid)
        alone = next(iter(holders)) if len(holders) == 1 else None
        return job or (alone if alone and account.start >= alone.start else None)


def _holders(held, users):
    """Keys are the jobs that hold a device: the rules let them, or they use it; where there is none, those whose
    environment says so. It is theirs to write: none is to take a part of what is another's."""
    sure = [job for job, how in held.items() if how == BY_RULES]
    return dict.fromkeys([*sure, *users] or held)


def _by_card(found):
    """{card: [jobs that hold it, or an instance of it]}."""
    cards = {}
    for device, now in found.items():
        cards.setdefault(device.card, {}).update(now.holders)
    return {card: list(jobs) for card, jobs in cards.items()}
