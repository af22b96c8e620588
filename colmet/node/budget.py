"""Keeps colmet-node within --cpu-budget: it measures its own CPU time, and leaves out sources that it can do without.

All threads count, and so do the BPF programs that run in the tasks of others: measured where kernel.bpf_stats_enabled
is on, estimated from the number of tasks that end where not. What is left out is told, and stands in the table
`colmet`; it comes back when there is room again, each time it had to go after a longer wait.
"""
import os
import time
from pathlib import Path

from colmet.node.backends import NAMES, load
from colmet.node.clock import SECOND
from colmet.node.log import TELL, log

NAME = "budget"
WINDOW = 60                 # s between two looks, --period budget=SECONDS
STAY = ("taskstats", "cgroup")      # what the account of jobs is made of
ROOM = 0.5                  # a source comes back while less than this part of the budget is used
PATIENCE, MOST_PATIENCE = 2, 64     # looks with room until then: after the first time, and after many
EXIT_NS = 300               # that the programs take for each task that ends (lib_account)


def order():
    """Names of the sources that go, the first first: what is opt-in, in the order of NAMES, then what is on by default.
    STAY stay."""
    optional = [name for name in NAMES if name not in STAY]
    return sorted(optional, key=lambda name: any(table.default for table in load(name).TABLES))


class Budget:
    """A backend without rows: at each reading it looks what was used since the one before. `per_cent` of one core may
    be; `window` is the s between readings, the first of which is the start. `health.sampler` has the sources."""

    def __init__(self, health, per_cent, window=WINDOW, spent=None):
        self.per_cent, self.window = per_cent, window
        self.elsewhere = Elsewhere()
        self._health, self._order = health, order()
        self._spent = spent or (lambda: time.process_time_ns() + self.elsewhere.read())
        self._shed = []                 # sources, the last one last
        self._patience = {}             # {name: looks with room until it comes back}
        self._calm = 0                  # looks with room in a row
        self._over = False              # that nothing is left to leave out was told
        self._before = None             # (time, spent) of the look before, ns

    def sample(self, jobs):
        """No rows."""
        now = time.monotonic_ns(), self._spent()
        if self._before is None:
            self._before = now
        elif now[0] - self._before[0] >= self.window * SECOND // 2:     # else the start or the end, not a full window
            used = 100 * (now[1] - self._before[1]) / (now[0] - self._before[0])
            self._before = now
            self.look(used)
        return {}

    def look(self, used):
        """Decide, when `used` per cent of a core were used."""
        there = {source.name: source for source in self._health.sampler.sources}
        self._shed = [source for source in self._shed if there.get(source.name) is source]
        if used > self.per_cent:
            self._calm = 0
            self._shed_one(used, [there[name] for name in self._order if name in there and not there[name].shed])
        elif self._shed and used <= ROOM * self.per_cent:
            self._calm += 1
            if self._calm >= self._patience[self._shed[-1].name]:
                self._calm = 0
                self._bring_back(used)
        else:
            self._calm = 0

    def close(self):
        """Nothing is left out for its sake any more."""
        while self._shed:
            self._shed.pop().bring_back()

    def _shed_one(self, used, candidates):
        if not candidates:
            if not self._over:
                log.error("%.2f %% of a core used, --cpu-budget is %g, and nothing is left that it could do without; "
                          "give it more, or a longer --sample-period", used, self.per_cent)
            self._over = True
            return
        source = candidates[0]
        source.leave_out()
        self._shed.append(source)
        self._patience[source.name] = min(MOST_PATIENCE, 2 * self._patience.get(source.name, PATIENCE // 2))
        log.error("%.2f %% of a core used, --cpu-budget is %g: %s is left out until there is room", used, self.per_cent,
                  source.name)

    def _bring_back(self, used):
        source = self._shed.pop()
        source.bring_back()
        self._over = False
        log.log(TELL, "%.2f %% of a core used, --cpu-budget is %g: %s is read again", used, self.per_cent, source.name)


class Elsewhere:
    """The CPU time that the BPF programs of this process take outside of it. `total` is what was read last (ns)."""

    def __init__(self, proc=Path("/proc")):
        self._proc = proc
        self.total = 0
        self._before = None             # at the reading before: (ns that the kernel measured, tasks since boot)

    def read(self):
        """ns since the first reading."""
        measured, follows_exits = programs(self._proc / "self")
        now = measured, begun(self._proc) if follows_exits else 0
        if self._before is not None:
            measured, tasks = (max(0, one - other) for one, other in zip(now, self._before))
            self.total += measured or tasks * EXIT_NS       # in the long run as many end as begin
        self._before = now
        return self.total


def programs(own):
    """(ns that those run by themselves took, 0 unless kernel.bpf_stats_enabled; whether one runs when a task ends), of
    the BPF programs and links that the process of `own`, /proc/PID, has open (proc(5), fdinfo)."""
    times, iterators, follows_exits = {}, set(), False
    for name in os.listdir(own / "fd"):
        try:
            if not os.readlink(own / "fd" / name).startswith("anon_inode:bpf"):
                continue
            text = (own / "fdinfo" / name).read_text()
        except OSError:                 # closed meanwhile
            continue
        fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        number = fields.get("prog_id", "").strip()
        if "run_time_ns" in fields:
            times[number] = int(fields["run_time_ns"])
        elif fields.get("link_type", "").strip() == "iter":
            iterators.add(number)       # it runs in this process, whose time has it
        follows_exits = follows_exits or fields.get("tp_name", "").strip() == "sched_process_exit"
    return sum(time for number, time in times.items() if number not in iterators), follows_exits


def begun(proc):
    """Tasks begun since boot (proc(5), /proc/stat)."""
    return next((int(line.split()[1]) for line in (proc / "stat").read_text().splitlines()
                 if line.startswith("processes ")), 0)
