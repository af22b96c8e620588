"""The jobs of this node: found under the roots, by inotify as they come and go, or named on the command line.

All is looked at again when the kernel lost events, and every minute in any case.
"""
import errno
import os
import re
import select
import time
from collections import Counter

from colmet.common.schedulers import oar
from colmet.node.clock import MS, SECOND, boottime
from colmet.node.jobs.ending import read_facts
from colmet.node.jobs.finder import Finder
from colmet.node.jobs.job import Job, oldest_process
from colmet.node.log import Faults, log
from colmet.node.jobs.owners import Owners, Users
from colmet.node.jobs.patterns import DEFAULT_PATTERNS, identify
from colmet.node.jobs.places import Place, below, looked_at, named, patterns_tried
from colmet.node.jobs.processes import Process, Thread, Tree
from colmet.node.jobs.trails import Trails
from colmet.node.jobs.watch import Watches

DEFAULT_ROOTS = ("/dev/oar_cgroups_links/cpuset/oar/",)
SCAN_NS = 60_000 * MS           # between two listings of everything
SCAN_BLIND_NS = 1_000 * MS      # the same where inotify is not to be had
LOOK_NS = 50 * MS               # between two looks into a young job without tasks
YOUNG_NS = 1_000 * MS           # age up to which it is looked into so often
NO_FILES = (errno.EMFILE, errno.ENFILE)
CHECK_NS = 5_000 * MS           # between two looks whether the roots are still the same
GAP_NS = (20 * MS, 200 * MS)    # least and most time from a tick to an extra one


class Jobs:
    """`rootpaths` and `cgroups` (``-c``) are texts, taken below `root`, a Path; a relative one of `cgroups` is looked
    for under each of the rootpaths. `patterns` are texts that `check_pattern` accepts. `pids`, `tids` and `trees` are
    numbers of processes, each a job under its number. `facts`: path of a file whose coming ends the job it names
    (`colmet.node.jobs.ending`). `rules`: those of `colmet.common.schedulers`, for all hierarchies of cgroups."""

    def __init__(self, root, rootpaths=DEFAULT_ROOTS, patterns=DEFAULT_PATTERNS, cgroups=(), pids=(), tids=(),
                 trees=(), facts=None, rules=()):
        self._proc, self._faults = os.path.join(str(root), "proc"), Faults()
        self._jobs, self._ended = {}, []        # {Job.key: Job} of those present; those not yet told
        self._ids = Counter()                   # how many of those present have an id
        self._empty = {}                        # {Job: boottime at which it was found}: no task yet
        self._numbered, self._pidfds = [], {}   # jobs given by number; {fd: Job}
        self._unsampled = {}                    # {Job: its `seen` when its first task was noticed}
        self._told = False                      # whether facts ended a job since `ended` was called
        self._left, self._extra_from = boottime(), 0
        self._next_scan = self._next_look = self._next_check = 0
        self._followed = False
        self._new = False                       # whether what is found now was made while we look on
        self._facts, self._missing, self._watches = facts, [], Watches()
        self.attendant = None                   # `colmet.node.jobs.emptied.Emptied`: follows what comes and is emptied
        self._silent_until, self._patterns = boottime() + SCAN_NS, patterns
        patterns = [re.compile(text) for text in patterns]
        scheduler = oar.NAME if tuple(rootpaths) == DEFAULT_ROOTS else ""
        places = [Place(path, scheduler=scheduler) for path in below(root, rootpaths)]
        places += [Place(path, single=True) for path in named(root, cgroups, rootpaths)]
        self._owners = Owners(self._proc, Users())
        self._finder = Finder(places, lambda name: identify(name, patterns), self._watches, self,
                              Trails(rules, root, self._watches.add), self._proc)
        for kind, given in ((Process, pids), (Thread, tids), (Tree, trees)):
            for number in given:
                self._add_number(kind(self._proc, number))
        if facts:
            self._watches.add(os.path.dirname(os.path.abspath(facts)))
        self._follow()
        self._new = True
        self._unsampled = {}                    # the first tick comes anyway

    @property
    def lost_events(self):
        """Times that the kernel's queue of events was full, and everything was looked at again."""
        return self._finder.lost

    @property
    def blind(self):
        """Why the kernel does not tell of all jobs that come, and what to do; "" where it does."""
        return self._watches.fault

    def present(self):
        """The jobs that are here now, in the order in which they were found."""
        if not self._followed:
            self._next_check = 0
            self._follow()
        self._followed = False
        if self._numbered:
            self._spared(self._end_numbered)
        self._spared(self._owners.look)
        return list(self._jobs.values())

    def ended(self):
        """Those that ended since the last call."""
        ended, self._ended, self._told = self._ended, [], False
        return ended

    def wait(self, until, wake=None):
        """Follow the jobs until CLOCK_BOOTTIME is `until` (ns) or the descriptor `wake` can be read: False; or until an
        extra tick is wanted now, for a job got its first task or ended by its `facts`: True."""
        poll, wake = self._poll(wake)
        self._followed = False
        entered = boottime()
        gap = min(max(4 * (entered - self._left), GAP_NS[0]), GAP_NS[1])    # extra ticks take a fifth of the time
        self._extra_from = entered + gap
        for job in [job for job in self._empty if job.started]:
            self.look(job)
        while True:
            now = boottime()
            if self._wanted() and now >= self._extra_from:
                self._unsampled, self._told = {}, False
                return self._leave(True)
            if now >= until:
                return self._leave(False)
            ready = [fd for fd, _ in poll.poll(max(0, self._next(until) - now) / MS)]
            self._follow(self._watches.fd in ready, self.attendant and self.attendant.fd in ready)
            self._followed = True   # just now: `present`, if it comes next, need not do it again
            if wake in ready:
                return self._leave(False)
            for fd in set(ready) & set(self._pidfds):
                poll.unregister(fd)
                self._exited(fd)

    def looked_at(self):
        """For each root, scheduler and job named on the command line, whether it is there to look at, and a line on
        what was found: [(bool, text)]."""
        return looked_at(self._finder) + [(False, text) for text in self._missing]

    def tried(self):
        """A line for each place in which jobs are looked for: what was found there."""
        return [text for _, text in self.looked_at()]

    def close(self):
        """Free the descriptors."""
        self._watches.close()
        for fd in self._pidfds:
            os.close(fd)
        self._pidfds = {}

    # What the finder calls.

    def join(self, id, user, status=None, scheduler="", uid=None):
        """The present job `id` of `user`, or a new one of `scheduler`; `status` is stat(2) of its directory, `uid` the
        number of its user."""
        job = self._jobs.get((id, user))
        if job is None:
            job = self._jobs[id, user] = Job(id, user, twin=self._ids[id] > 0, scheduler=scheduler, uid=uid)
            self._owners.add(job)
            self._silent_until = None
            self._ids[id] += 1
            self._empty[job] = job.start_boot
            log.debug("job %s of %s is here, found at %.3f", id, job.user or "nobody known", time.time())
        if status is not None:
            made = min(status.st_mtime_ns, status.st_ctime_ns)      # no cgroup file system gives the birth itself
            job.began(job.start_boot - max(0, job.start - made))
        return job

    def look(self, job):
        """See whether `job` has its first task."""
        if job not in self._empty:
            return
        fresh = not job.started         # else a tick has seen it already
        if job.started or job.tasks():
            del self._empty[job]
            self._finder.calm(job)
            self._owners.find(job)
            if fresh:
                self._unsampled[job] = job.seen
            if not self._new:
                born = oldest_process(self._proc, job.processes())
                job.began(job.start_boot if born is None else born)

    def finish(self, job):
        """Note that `job` ended now."""
        if self._jobs.get(job.key) is job:
            del self._jobs[job.key]
            self._ids[job.id] -= 1
            if not self._ids[job.id]:
                del self._ids[job.id]
            self._empty.pop(job, None)
            self._unsampled.pop(job, None)
            job.ended()
            self._ended.append(job)

    def closed(self, path):
        """Tell that the tasks of the job at `path` cannot be read."""
        self._faults.add("closed", "%s may not be read by this user, so that its job is not measured: run colmet-node "
                         "as root, or as one who may" % path)

    # Within.

    def _follow(self, events=True, emptied=True):
        """Take up what happened; without `events` and `emptied` there is none of that kind."""
        now = boottime()
        stirred = events or now >= min(self._next_scan, self._next_check)       # else no job comes, goes or changes
        if self.attendant and (stirred or emptied):     # before a job whose directory is gone is finished
            self.attendant.take()
        self._spared(self._look_around, now, events)
        if self.attendant and stirred:
            self.attendant.follow(self._jobs.values())

    def _look_around(self, now, events):
        if now >= self._next_scan:
            self._finder.scan()
            self._next_look = 0
        if events:
            self._finder.follow()
        if now >= self._next_check:
            self._finder.settle()
            self._next_check = now + CHECK_NS
        if self._facts and os.path.exists(self._facts):
            self._end_by_facts()
        if self._watches.fault and "watches" not in self._faults.counts:
            self._faults.add("watches", self._watches.fault)
        if self._silent_until and now >= self._silent_until:
            self._silent_until = None
            log.error("no job in %d s; looked for%s", SCAN_NS // SECOND, patterns_tried(self._finder, self._patterns))
        if now >= self._next_scan:
            self._next_scan = now + (SCAN_BLIND_NS if self._watches.fault else SCAN_NS)
            young = list(self._empty)
        elif now >= self._next_look:
            young = [job for job, found in self._empty.items() if now - found <= YOUNG_NS]
        else:
            return
        for job in young:
            self.look(job)
        took = boottime() - now
        self._next_look = now + max(LOOK_NS, 5 * took)      # many at once: no more than a fifth of the time

    def _add_number(self, part):
        if part.began is None:
            self._missing.append("process %d: none of this number" % part.pid)
            return
        job = self.join(str(part.pid), "")
        job.parts += (part,)
        job.began(part.began)
        self.look(job)
        self._numbered.append(job)
        if self._proc == "/proc" and not isinstance(part, Thread):
            try:
                self._pidfds[os.pidfd_open(part.pid)] = job
            except OSError:
                pass        # before Linux 5.3, or gone since: `present` sees it end

    def _exited(self, fd):
        """The process of `fd` ended, and its job if nothing else of it runs."""
        del self._pidfds[fd]
        os.close(fd)
        self._spared(self._end_numbered)

    def _end_numbered(self):
        for job in [job for job in self._numbered if not any(part.alive() for part in job.parts)]:
            self._numbered.remove(job)
            self.finish(job)

    def _spared(self, work, *arguments):
        """Do `work`; where no file could be opened any more, that is told, and all is looked at again in a second."""
        try:
            work(*arguments)
        except OSError as error:
            if error.errno not in NO_FILES:
                raise
            self._faults.add("files", "no more files can be opened (%s): jobs that come now may be missed, until some "
                             "are closed; raise the limit (LimitNOFILE=, ulimit -n)" % error.strerror)
            self._next_scan = boottime() + SCAN_BLIND_NS

    def _end_by_facts(self):
        facts, self._facts = read_facts(self._facts), None
        for job in [job for job in self._jobs.values() if facts and job.id == facts["job"]]:
            self.finish(job)
            self._told = True

    def _poll(self, wake):
        poll, wake = select.poll(), wake.fileno() if hasattr(wake, "fileno") else wake
        for fd in (wake, self._watches.fd, self.attendant and self.attendant.fd, *self._pidfds):
            if fd is not None and fd >= 0:
                poll.register(fd, select.POLLIN)
        return poll, wake

    def _next(self, until):
        """When to look again if nothing happens before, at most `until`."""
        times = [until, self._next_scan]
        if self._wanted():
            times.append(self._extra_from)
        if any(self._next_look - found <= YOUNG_NS for found in self._empty.values()):
            times.append(self._next_look)
        return min(times)

    def _wanted(self):
        """Whether a job's first task was noticed and no tick has looked at it since, or facts ended a job."""
        if not self._unsampled:
            return self._told
        self._unsampled = {job: seen for job, seen in self._unsampled.items() if job.seen == seen}
        return self._told or bool(self._unsampled)

    def _leave(self, extra):
        self._left = boottime()
        return extra
