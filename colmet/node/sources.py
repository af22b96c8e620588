"""Which sources this node reads: the backends whose tables are switched on, and why the others are off."""
from pathlib import Path

from colmet.common.metrics import TABLES, cgroup, colmet
from colmet.node import budget
from colmet.node.backends import NAMES, Unavailable, load
from colmet.node.clock import SECOND
from colmet.node.cgroup.counters import Counters
from colmet.node.jobs.ending import COUNTED
from colmet.node.cgroup.group import METRICS
from colmet.node.source import SlowSource, Source

HEALTH = "colmet"               # the source of the node itself


class Sources:
    """The open sources, `on`, in the order of `NAMES`, the node's own last; `off` gives for each other name why.
    All that read cgroups share `counters` (`colmet.node.cgroup.counters.Counters`)."""

    def __init__(self, health):
        self._modules = {name: load(name) for name in NAMES}
        self._health, self.counters = health, None
        self.on, self.off = [], {}

    def follow(self, settings):
        """Open and close sources so that they are what `settings` asks for; one that could not be opened before is
        tried again."""
        self.counters = self.counters or Counters(Path(settings.root))
        self.counters.want(METRICS if cgroup.TABLE.name in settings.tables else COUNTED)
        there = {source.name: source for source in self.on}
        self.on, self.off = [], {}
        for name, module in self._modules.items():
            wanted = [table for table in module.TABLES if table.name in settings.tables]
            source = there.pop(name, None)
            if not wanted:
                self.off[name] = "not enabled"
                there.update({name: source} if source else {})
            elif source or self._opens(name, module, settings):
                self.on.append(source or self._opened)
                self.on[-1].backend.tables, self.on[-1].backend.counters = settings.tables, self.counters
        for source in self.on:
            source.backend.others = {other.name: other.backend for other in self.on}
        own = there.pop(HEALTH, None)
        if colmet.TABLE.name in settings.tables:
            self.on.append(own or Source(HEALTH, self._health, (colmet.TABLE,), period(HEALTH, settings)))
        self._keep_budget(there.pop(budget.NAME, None), settings)
        for source in there.values():
            source.close()

    @property
    def tables(self):
        """{name: Table}, as the open sources describe them."""
        found = dict(TABLES)
        for source in self.on:
            found.update(getattr(source.backend, "described", {}))
        return found

    def _keep_budget(self, kept, settings):
        """Add the one that keeps --cpu-budget, `kept` where that stayed as it was."""
        window = period(budget.NAME, settings) / SECOND
        if kept and (kept.backend.per_cent, kept.backend.window) != (settings.cpu_budget, window):
            kept.close()
            kept = self._health.budget = None
        if settings.cpu_budget:
            self._health.budget = kept.backend if kept else budget.Budget(self._health, settings.cpu_budget, window)
            self.on.append(kept or Source(budget.NAME, self._health.budget, (), period(budget.NAME, settings)))

    def close(self):
        """Close them all."""
        for source in self.on:
            source.close()

    def _opens(self, name, module, settings):
        try:
            backend = module.Backend(Path(settings.root), settings)
        except (Unavailable, OSError) as error:
            self.off[name] = str(error)
            return False
        kind = SlowSource if getattr(module, "SLOW", False) else Source
        self._opened = kind(name, backend, module.TABLES, period(name, settings))
        return True


def names():
    """Names that --period takes."""
    return NAMES + (HEALTH, budget.NAME)


def period(name, settings):
    """The period of the source `name` in ns."""
    usual = budget.WINDOW if name == budget.NAME else settings.sample_period
    return int(settings.periods.get(name, usual) * SECOND)


def made_here():
    """Names of the tables that something in this release makes."""
    return {table.name for name in NAMES for table in load(name).TABLES} | {colmet.TABLE.name, TABLES["job"].name}
