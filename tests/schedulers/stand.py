"""colmet-node and colmet-collector as they are by default, beside a scheduler whose jobs they are to find."""
import os

import h5py

import elastic_stub
import stored
from colmet.common.metrics.job import END_SOURCES
from programs import Program, free_port, wait_for
from schedulers.work import Loads
from schedulers.watch import Watch, found

PATIENCE = 60
SECOND = 1e9        # ns
CLOCKS = 0.05       # s, by which two that look at the same may differ
EXACT = 0.999
TABLES = ("account", "cgroup")       # with a row of each job as soon as it is found


class Stand:
    """`scheduler` runs; `watch` sees what happens to its jobs, by `patterns` of directories; files are in `folder`."""

    def __init__(self, scheduler, patterns, folder):
        self.scheduler, self.loads, self.watch = scheduler, Loads(scheduler), Watch(patterns)
        self.file, uri = folder / "new.hdf5", "tcp://127.0.0.1:%d" % free_port()
        self.watch.start()
        self.elastic = elastic_stub.Stub()
        self._collector = Program("colmet.collector.main", ("-vvv", "--zeromq-bind-uri", uri, "--hdf5-filepath",
                                                            self.file, "--elastic-host", self.elastic.url), folder)
        wait_for(lambda: uri in self._collector.errors(), PATIENCE, "start of the collector")
        self.node = Program("colmet.node.main", ("-vvv", "--account-pins", "", "--zeromq-uri", uri), folder)
        wait_for(lambda: "records received" in self._collector.errors(), PATIENCE, "records of the node")

    def finish(self, submitted):
        """Wait until the jobs `submitted` (ids) are over and gone, and all is stored."""
        wait_for(lambda: all(map(self.scheduler.over, submitted)), PATIENCE, "end of the jobs %s" % submitted)
        wait_for(lambda: all(seen.gone for seen in self.watch.seen.values()), PATIENCE,
                 "end of the cgroups %s" % self.watch.seen)
        assert self.watch.is_alive() and self.node.stop() == 0, self.node.errors()
        assert self._collector.stop() == 0, self._collector.errors()
        self.watch.close()

    def stored(self):
        """Ids of all jobs that have a row."""
        return stored.jobs([self.file])

    def row(self, job):
        """Its one row of the table `job`, a dict."""
        [row] = stored.rows(self.file, job, "job")
        return row

    def check_facts(self, job, user, steps=()):
        """What is known of `job` is in the file and in each of its documents: its scheduler, `user`, and at least
        these `steps` at the end."""
        scheduler = type(self.scheduler).__name__.lower()
        with h5py.File(self.file, "r") as file:
            known = {name: value.decode() for name, value in file["job_" + job].attrs.items() if name.islower()}
        named = known.pop("steps", "").split(",") if steps else []
        assert (known, set(named) >= set(steps)) == ({"user": user, "scheduler": scheduler}, True), (known, named)
        documents = [each for each in self.elastic.documents() if each["job"] == job]
        assert {(each["job_user"], each["job_scheduler"]) for each in documents} == {(user, scheduler)}
        [end] = [each for each in documents if "end_source" in each]
        assert (end.get("job_steps", []), end.get("steps", 0)) == (named, len(named))

    def check(self, name, job):
        """The row of `job`, whose tasks tell as `name`, has nothing that was not."""
        row, told, seen = self.row(job), self.loads.told(name, job), self.watch.of(job)
        first = min(each["time"] for table in TABLES for each in stored.rows(self.file, job, table)[:1]) / SECOND
        absent, came, occupied, gone = (fold(getattr(each, part) for each in seen) for fold, part in (
            (min, "absent"), (min, "came"), (max, "occupied"), (max, "gone")))
        assert absent - CLOCKS <= first <= told[-1].end, "no row while it ran"
        assert absent - CLOCKS <= row["start"] / SECOND < told[-1].end
        assert told[-1].end - CLOCKS <= row["end"] / SECOND
        assert END_SOURCES[row["end_source"]] == "last sample" or row["end"] / SECOND <= gone + CLOCKS
        at = found(self.node.errors())[job]
        unseen = os.cpu_count() * sum(each.gone - each.read for each in seen)
        assert row["cpu"] / SECOND <= self.used(job) + unseen + CLOCKS
        print("%s %s: found %.0f to %.0f ms after its directory came, first row %.0f ms after it; that went %.0f ms "
              "after its last task, %.0f ms after the last process of the user; CPU %.1f of %.1f ms, end by %s" % (
                  name, job, (at - came) * 1e3, (at - absent) * 1e3, (first - came) * 1e3, (gone - occupied) * 1e3,
                  (gone - told[-1].end) * 1e3, row["cpu"] / 1e6, self.used(job) * 1e3, END_SOURCES[row["end_source"]]))

    def check_cpu(self, names):
        """What the tasks of most jobs tell is in their rows: of each there may be a moment that was too short."""
        jobs = [(name, job) for name in names for job in self.loads.jobs(name)]
        whole = [self.row(job)["cpu"] / SECOND >= sum(told.cpu for told in self.loads.told(name, job)) * EXACT
                 for name, job in jobs]
        assert sum(whole) > len(jobs) / 2, [(self.row(job), self.loads.told(name, job)) for name, job in jobs]

    def used(self, job):
        """CPU time that was seen of it, s."""
        return sum(seen.cpu for seen in self.watch.of(job)) / SECOND

    def close(self):
        """End what runs."""
        self.watch.close()
        self.elastic.close()
        for program in (self.node, self._collector):
            program.__exit__()
