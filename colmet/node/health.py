"""What Colmet costs this node and how it fares: the rows of the table `colmet`."""
import os
import time

from colmet.common.metrics.colmet import TABLE
from colmet.common.schema import MISSING

_UNKNOWN = dict.fromkeys((metric.name for metric in TABLE.metrics), MISSING)
_RESIDENT = 1           # place in /proc/self/statm, in pages (proc(5))


class Health:
    """A backend of the node itself; `sampler`, set once that is made, has all sources."""

    def __init__(self, outbox, jobs):
        self.outbox, self.jobs = outbox, jobs
        self.since = time.time_ns()
        self.sampler = None
        self.budget = None              # the `colmet.node.budget.Budget` where one is kept
        self._statm = None
        self._page = os.sysconf("SC_PAGE_SIZE")

    def sample(self, jobs):
        """A row for the process and one for each source."""
        sampler = self.sampler
        sources = sampler.sources + [sampler.history] * (sampler.history is not None)
        told = {source: self.source(source) for source in sources}
        failures = sum(told[source]["failures"] for source in sampler.sources)
        rows = [(None, "node", _values(dict(self._node(), failures=failures)))]
        rows += [(None, source.name, _values(each)) for source, each in told.items()]
        return {TABLE.name: rows}

    def close(self):
        """Frees the descriptor, until the next reading."""
        if self._statm is not None:
            os.close(self._statm)
            self._statm = None

    def source(self, source):
        """What its row says: {metric: value}."""
        return {"since": self.since, "samples": source.samples, "failures": source.failures, "late": source.late,
                "duration": source.duration, "cpu": source.cpu, "age": source.age, "shed": int(source.shed)}

    def _node(self):
        sampler, counts = self.sampler, self.outbox.counts
        return {"since": self.since, "samples": sampler.ticks, "late": sampler.late, "duration": sampler.duration,
                "cpu": time.process_time_ns(), "rss": self._resident(), "kept": len(self.outbox),
                "sent": counts.sent, "acknowledged": counts.acknowledged, "resent": counts.resent,
                "dropped_full": counts.dropped_full, "dropped_refused": counts.dropped_refused,
                "jobs_cut": counts.jobs_cut, "clock_steps": sampler.clock_steps,
                "lost_events": self.jobs.lost_events, "shed": sum(source.shed for source in sampler.sources),
                "programs_cpu": self.budget.elsewhere.total if self.budget else MISSING}

    def _resident(self):
        """Bytes of memory that this process holds."""
        if self._statm is None:
            self._statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        return int(os.pread(self._statm, 100, 0).split()[_RESIDENT]) * self._page


def _values(found):
    """A row's values; MISSING where the part has none (a row without None is packed in one go)."""
    return list({**_UNKNOWN, **found}.values())
