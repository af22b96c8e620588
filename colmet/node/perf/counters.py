"""Counts events for jobs that are cgroups, and for the node (perf_event_open(2)), read in one call of C (lib_perf_hw).

Events of one PMU count together, where it has counters for all of them; a group that never gets to run is halved. What
was counted stays readable when its cgroup is gone. Nothing is mounted: where perf_event is no hierarchy of v1, it knows
the cgroups of v2.
"""
import errno
import os

from colmet.common.mounts import V2, directories, mounted
from colmet.node.clock import MS, SECOND, boottime
from colmet.node.cgroup.group import SPENT
from colmet.node.jobs.job import Cgroup, others
from colmet.node.log import Faults
from colmet.node.perf.groups import Groups, Refused

CONTROLLER = "perf_event"
STARVED_NS = 100 * MS       # of CPU time without a counter: many turns, for one is some 4 ms
_RETRY_NS = 60 * SECOND     # most time between two looks for what could not be opened
_TOO_MANY = (errno.EINVAL, errno.ENOSPC)
NODE = "", None             # the part of the node


class Sums(dict):
    """{place of an event: (since, value, enabled, running)}; a value is None where it is not known."""

    def take(self, group, rows):
        """Add a reading of it, (value, enabled, running) of its events: of another cgroup, or of another time."""
        for place, (value, enabled, running) in zip(group.places, rows):
            since = group.since
            if place in self:
                first, before, was_enabled, was_running = self[place]
                since, enabled, running = min(since, first), enabled + was_enabled, running + was_running
                value = None if value is None or before is None else value + before
            self[place] = since, value, enabled, running


class Followed:
    """What is counted of a job, or of the node: {part: groups}, a part being (path, key); `past` of closed ones."""

    def __init__(self):
        self.groups, self.past = {}, Sums()
        self.looked = False
        self._began = self._retry = boottime()
        self._parts = None                  # at the last look

    def due(self, parts):
        """Whether to look what of `parts` is to be opened and closed: they are others, or it is time to try again."""
        changed, self._parts = parts != self._parts, parts
        return changed or len(self.groups) != len(parts) and boottime() >= self._retry

    def look_now(self):
        """Have it looked at the next time."""
        self._parts = None

    def look_again(self):
        """Note that it was looked at; the older it is, the later comes the next look for what is not open."""
        now, self.looked = boottime(), True
        self._retry = now + min((now - self._began) // 2, _RETRY_NS)

    def open(self):
        """All its groups: list."""
        return [group for groups in self.groups.values() for group in groups]


class Counters:
    """Counts `events` (`colmet.node.perf.events.Event`). Raises Unavailable where lib_perf_hw was not built."""

    def __init__(self, root, events):
        self._root, self._groups, self._faults = root, Groups(root, events), Faults()
        self._events = events
        self._jobs = {}                         # {job, None for the node: Followed}
        self._plan = []                         # groups of places that are opened for each cgroup
        self._node_plan = []                    # the same for the node

    def fault(self, place):
        """0, or the errno with which the kernel does not count the event at `place` on this machine."""
        return self._groups.fault(self._events[place])

    def count(self, places):
        """From now on count the events at these places."""
        by_pmu = {}
        for place in places:
            by_pmu.setdefault(self._events[place].pmu, []).append(place)
        for found in by_pmu.values():
            (self._node_plan if self._events[found[0]].of_node else self._plan).append(tuple(found))

    def read(self, jobs):
        """{job: Sums}: of `jobs`, of those that were followed before and are not forgotten, and of None, the node. What
        cannot be counted is left out."""
        if self._groups.cpus_changed():
            for followed in self._jobs.values():
                self._close(followed, list(followed.groups))
                followed.look_now()
        self.follow(jobs)
        return self._read()

    def follow(self, jobs):
        """Begin to count for those of `jobs` that are new, have other cgroups, or could not be counted before."""
        hierarchies = None
        for job in ([None] if self._node_plan else []) + list(jobs):
            followed = self._jobs.setdefault(job, Followed())
            parts = [NODE] if job is None else [(part.path, part.key) for part in job.parts if isinstance(part, Cgroup)]
            if followed.due(parts):
                hierarchies = mounted(self._root) if hierarchies is None else hierarchies
                self._follow(job, followed, parts, hierarchies)

    def others(self, jobs):
        """Those that are followed and not among `jobs`."""
        return [job for job in others(self._jobs, jobs) if job is not None]

    def forget(self, job):
        """Close all that is kept of `job`."""
        for group in self._jobs.pop(job).open():
            self._groups.close(group)

    def close(self):
        """Close all."""
        for job in list(self._jobs):
            self.forget(job)

    def _follow(self, job, followed, parts, hierarchies):
        """Open what of `parts` is not, close what is no part any more."""
        self._close(followed, [part for part in followed.groups if part not in parts])
        paths = {group.path for group in followed.open()}
        error = None if parts else FileNotFoundError()
        for part in [part for part in parts if part not in followed.groups]:
            path = part[0] and directory(part[0], hierarchies)
            try:
                # two parts may be one cgroup in the hierarchy that counts
                followed.groups[part] = [] if path in paths else self._open(path, part == NODE)
                paths.add(path)
            except OSError as fault:
                error = fault
        # A directory of v1 may come a moment after the others.
        if error and (followed.looked or not parts or error.errno in SPENT):
            self._tell(job.id if job else "0", error)
        followed.look_again()

    def _open(self, path, of_node=False):
        """Groups for the cgroup `path`. Raises OSError, and then has opened none."""
        if path is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        plan, opened, place = self._node_plan if of_node else self._plan, [], 0
        try:
            while place < len(plan):
                try:
                    opened.append(self._groups.open(path, plan[place]))
                    place += 1
                except Refused as refusal:
                    if refusal.errno not in _TOO_MANY or not refusal.place:
                        raise
                    plan[place:place + 1] = plan[place][:refusal.place], plan[place][refusal.place:]
        except OSError:
            for group in opened:
                self._groups.close(group)
            raise
        return opened

    def _close(self, followed, parts):
        """Close these parts, after a last reading."""
        groups = [group for part in parts for group in followed.groups.pop(part)]
        for group, rows in zip(groups, self._groups.read(groups)):
            followed.past.take(group, rows)
            self._groups.close(group)

    def _read(self):
        owners = [(job, group) for job, followed in self._jobs.items() for group in followed.open()]
        sums = {job: Sums(followed.past) for job, followed in self._jobs.items() if followed.past or followed.open()}
        for (job, group), rows in zip(owners, self._groups.read([group for _, group in owners])):
            sums[job].take(group, rows)
            value, enabled, _ = rows[0]
            if value is None and enabled >= STARVED_NS:
                self._starved(job, group)
        return sums

    def _starved(self, job, group):
        """It never got to run: halve it; an event that is alone has no counter."""
        if len(group.places) == 1:
            name = self._events[group.places[0]].name
            self._faults.add("starved " + name, "%s: no counter of the CPU was free for it, so that it is missing; "
                             "another program holds them (perf, or the NMI watchdog: kernel.nmi_watchdog=0)" % name)
            return
        halves = group.places[:len(group.places) // 2], group.places[len(group.places) // 2:]
        for plan in (self._plan, self._node_plan):
            if group.places in plan:
                place = plan.index(group.places)
                plan[place:place + 1] = halves
        groups = next(groups for groups in self._jobs[job].groups.values() if group in groups)
        try:
            smaller = [self._groups.open(group.path, places) for places in halves]
        except OSError:                     # it is gone, or no more files may be opened
            return
        groups[groups.index(group):groups.index(group) + 1] = smaller
        self._groups.close(group)

    def _tell(self, job, error):
        """Once for each kind: the job of this id is not counted, because of the OSError."""
        if error.errno in SPENT:
            self._faults.add("files", "no more files can be kept open for counters (one for each of them, each CPU and "
                             "job): those of job %s and others are missing; raise the limit (LimitNOFILE=, ulimit -n), "
                             "or count less" % job)
        elif not isinstance(error, Refused):
            self._faults.add("cgroup", "job %s has no cgroup that perf_event knows, so that its counters are missing; "
                             "it knows those of v2, or, where it is mounted, those of v1 with perf_event" % job)
        elif error.errno == errno.ENOENT:
            self._faults.add("unknown", "perf_event does not take the cgroup of job %s, so that its counters are "
                             "missing; some kernels want a controller in cgroup.subtree_control for that" % job)
        else:
            self._faults.add(str(error.errno), "the counters of job %s are missing: %s" % (job, error.strerror))


def directory(path, hierarchies):
    """Where perf_event has the cgroup whose directory is `path`, None where it has not."""
    where = dict(directories(path, hierarchies, (CONTROLLER, V2)))
    old = any(CONTROLLER in mount.controllers for mount in hierarchies)
    return where.get(CONTROLLER if old or V2 not in where else V2)
