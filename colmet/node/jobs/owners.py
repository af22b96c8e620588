"""Whose jobs are: names of users by number, and the users of jobs whose directory does not tell.

Names may come over the network (nsswitch.conf(5)), and who answers there may hang: they are asked for in a thread, and
the number stands for the name as long as it is not known.
"""
import pwd
import threading

from colmet.common.schedulers.rule import clean
from colmet.node.clock import SECOND, boottime

WAIT = 1.0                  # s that an answer may hold up whoever asks; but one at a time does, however many hang
AGAIN_NS = 60 * SECOND      # until a name that there was not is asked for again
MOST_PROCESSES = 100        # that are looked at in a tick
_ROOT = "0"


class Users:
    """Names of users. `lookup` is as pwd.getpwuid, which it is by default."""

    def __init__(self, lookup=None):
        self._lookup, self._names, self._asked = lookup or pwd.getpwuid, {}, {}
        self._asking = None

    def name(self, uid):
        """The name of the user number `uid`, both texts; None as long as there is none."""
        now = boottime()
        if uid not in self._names and now - self._asked.get(uid, -AGAIN_NS) >= AGAIN_NS and not self._busy():
            self._asked[uid] = now
            self._asking = threading.Thread(target=self._ask, args=(uid,), name="users", daemon=True)
            self._asking.start()
            self._asking.join(WAIT)
        return self._names.get(uid)

    def _busy(self):
        return self._asking is not None and self._asking.is_alive()

    def _ask(self, uid):
        try:
            self._names[uid] = clean(self._lookup(int(uid)).pw_name)
        except (KeyError, OverflowError):
            pass


class Owners:
    """Gives jobs their `user`: the name of their `uid`, and where that is not known either, that of the first of their
    processes which is not root's: those of a scheduler are root's. `proc` is where processes are told of."""

    def __init__(self, proc, users):
        self._proc, self._users = proc, users
        self._open = {}             # {job: times that it was looked at}: without user, or without the user's name

    def add(self, job):
        """Take up a new job."""
        if job.uid:
            job.user = self._users.name(job.uid) or job.uid
        if not job.user or job.user == job.uid:
            self._open[job] = 0

    def look(self):
        """Look at those that are open, at longer and longer intervals: to be called once a tick."""
        left = MOST_PROCESSES
        for job, times in list(self._open.items()):
            if job.end is not None:
                del self._open[job]
            elif job.uid or job.started:
                self._open[job] = times + 1
                if not times & (times - 1) and left > 0:
                    left -= self.find(job, left)

    def find(self, job, most=MOST_PROCESSES):
        """Find the user of `job`, if it is open, by at most `most` of its processes; returns how many."""
        looked = 0
        if job not in self._open:
            return looked
        for pid in sorted(job.processes())[:most] if not job.uid else ():
            looked += 1
            uid = real_user(self._proc, pid)
            if uid not in (None, _ROOT):
                job.uid = uid
                break
        name = job.uid and self._users.name(job.uid)
        job.user = name or job.uid or job.user
        if name:
            del self._open[job]
        return looked


def real_user(proc, pid):
    """The number of the user who runs the process `pid`, text: its real one (credentials(7)), which a set-user-ID
    program and a daemon that acts for somebody keep. None where it is gone or not shown."""
    try:
        with open("%s/%d/status" % (proc, pid), "rb") as file:
            fields = file.read().partition(b"\nUid:")[2].split(None, 1)
    except OSError:
        return None
    return fields[0].decode("ascii", "replace") if fields else None
