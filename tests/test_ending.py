"""What is known of a job at its end: with real cgroups and processes, and on files where the kernel has none here."""
import time
from contextlib import closing

import pytest

import cgroups
from colmet.common.metrics import TABLES, energy, jobproc, taskstats
from colmet.common.schema import MISSING
from colmet.node.clock import SECOND, boottime
from colmet.node.jobs.ending import Ending, read_facts
from colmet.node.cgroup.group import METRICS
from colmet.node.jobs.history import History
from colmet.node.jobs.job import Job
from colmet.node.jobs.jobs import Jobs
from e2e.programs import wait_for
from endings import HERE, Followed, account_row, burn, burner, facts_file, finish, made_of, row, words


@pytest.fixture
def bare():
    """A job without cgroups."""
    return Job("12")


def test_what_was_read_after_the_last_task_left_is_exact():
    with cgroups.v1("cpuset", "cpuacct", "memory") as tree:
        tree.make("alice_12")
        with closing(Jobs(HERE, [str(tree.root)])) as jobs, burner(tree, "alice_12") as process:
            [job] = jobs.present()
            followed = Followed(job)
            burn(process)
            most = finish(process)
            wait_for(lambda: not job.tasks(), 30, "end of the task")
            followed.read()
            tree.remove("alice_12")
            assert jobs.present() == [] and jobs.ended() == [job]
            found = followed.end()
    assert found["cpu_source"] == found["peak_memory_source"] == "cgroup v1"
    assert found["end_source"] == "exact"
    assert 0.5 * SECOND <= found["cpu"] <= most
    assert 64 << 20 <= found["peak_memory"] < 128 << 20
    assert job.start == found["start"] < found["end"] <= job.end and 0.5 * SECOND <= found["wall"]
    assert (found["first_sequence"], found["last_sequence"], found["samples"]) == (None, 9, 0)


def test_a_directory_that_went_first_leaves_the_last_sample():
    with cgroups.v1("cpuset", "cpuacct") as tree:
        tree.make("alice_12")
        with closing(Jobs(HERE, [str(tree.root)])) as jobs, burner(tree, "alice_12") as process:
            [job] = jobs.present()
            followed = Followed(job)
            burn(process)
            assert list(job.tasks()) == [process.pid]
            followed.read()
            finish(process)
            tree.remove("alice_12")
            assert jobs.present() == []
            found = followed.end()
    assert (found["cpu_source"], found["end_source"], found["end"]) == ("cgroup v1", "last sample", job.end)
    assert found["cpu"] >= 0.5 * SECOND
    assert (found["peak_memory"], found["peak_memory_source"]) == (None, None)      # no memory cgroup: not zero


def test_a_cgroup_of_v2_counts_without_controllers():
    with cgroups.v2() as tree:
        tree.make("alice_12")
        if not (tree.root / "alice_12" / "cpu.stat").exists():
            pytest.skip("needs cpu.stat in every cgroup: Linux 4.15")
        with closing(Jobs(HERE, [str(tree.root)])) as jobs, burner(tree, "alice_12") as process:
            [job] = jobs.present()
            followed = Followed(job)
            burn(process)
            most = finish(process)
            wait_for(lambda: not job.tasks(), 30, "end of the task")
            followed.read()
            found = followed.end()
    assert (found["cpu_source"], found["end_source"]) == ("cgroup v2", "exact")
    assert 0.5 * SECOND <= found["cpu"] <= most


def test_memory_and_io_of_v2_are_read(tmp_path):
    (tmp_path / "cgroup.controllers").write_text("memory io\n")
    (tmp_path / "cpu.stat").write_text("usage_usec 1500\nuser_usec 1000\nsystem_usec 500\n")
    (tmp_path / "memory.peak").write_text("4096\n")
    (tmp_path / "io.stat").write_text("8:0 rbytes=1024 wbytes=5 rios=1\n8:16 rbytes=1 wbytes=2 rios=1\n")
    found = Followed(made_of(tmp_path)).end()
    assert (found["cpu"], found["peak_memory"], found["read_bytes"], found["write_bytes"]) == (1500000, 4096, 1025, 7)
    assert {found[name + "_source"] for name in ("cpu", "peak_memory", "io")} == {"cgroup v2"}


def test_several_cgroups_of_a_job_are_added_each_once(tmp_path):
    for name, usage in (("one", 100), ("two", 20)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cpuacct.usage").write_text("%d\n" % usage)
        (tmp_path / name / "memory.max_usage_in_bytes").write_text("%d\n" % (usage * 4096))
    (tmp_path / "again").symlink_to("two")
    found = Followed(made_of(tmp_path / "one", tmp_path / "two", tmp_path / "again")).end()
    assert (found["cpu"], found["peak_memory"]) == (120, 409600)


def test_counters_that_come_later_are_found(tmp_path):
    (tmp_path / "cgroup.controllers").write_text("cpu\n")
    followed = Followed(made_of(tmp_path))
    (tmp_path / "cpu.stat").write_text("usage_usec 7\n")
    time.sleep(0.1)         # what was not there is looked for the less often the longer it is not
    followed.read()
    assert followed.end()["cpu"] == 7000


def test_of_a_job_of_which_nothing_is_known_nothing_is_said(bare):
    found = Followed(bare).end(sequence=3)
    known = {name: value for name, value in found.items() if value is not None}
    assert known == {"start": bare.start, "last_sequence": 3, "samples": 0, "rows_taskstats_default": 0,
                     "rows_jobprocstats_default": 0, "rows_account": 0, "rows_cgroup": 0, "rows_energy": 0}


@pytest.mark.parametrize("last, processes", [
    ({"processes": 0, "processes_ended": 45, "exits_lost": 0}, 45),
    ({"processes": 2, "processes_ended": 44, "exits_lost": 0}, 47),
    ({"processes": 0, "processes_ended": 45, "exits_lost": 1}, 47),
    ({"processes": 0, "processes_ended": None, "exits_lost": 0}, 47)])
def test_who_came_in_and_left_again_is_no_process_of_the_job_once_all_have_ended(bare, last, processes):
    """A scheduler's own: in the middle it lives there as others do."""
    ending = Ending(bare)
    ending.saw("account", account_row(processes=3, processes_started=47, processes_ended=44, exits_lost=0))
    ending.saw("account", account_row(processes_started=47, **last))
    found = dict(zip([metric.name for metric in TABLES["job"].metrics], ending.row(9, lambda name: None)))
    assert found["processes"] == processes


def test_the_energy_of_all_sets_of_meters_is_added(bare):
    ending = Ending(bare)
    for since, used in ((5, 0), (5, 700), (5, 900), (80, 0), (80, 11)):
        known = {"since": since, "energy": used}
        ending.saw("energy", tuple(known.get(metric.name) for metric in energy.TABLE.metrics))
    found = dict(zip([metric.name for metric in TABLES["job"].metrics], ending.row(9, lambda name: None)))
    assert (found["energy"], found["rows_energy"]) == (911, 5)


def test_sampled_rows_leave_a_last_sample(bare):
    def of(table, **known):
        return tuple(known.get(metric.name) for metric in table.metrics)
    ending = Ending(bare)
    for sequence, cpu, memory, read in ((4, 100, 8, -1), (5, 300, 2, 4096), (6, 200, 4, 0)):
        ending.saw("taskstats_default", of(taskstats.TABLE, cpu_run_virtual_total=cpu, read_bytes=read))
        ending.saw("procstats_default", ())
        ending.saw("jobprocstats_default", of(jobproc.TABLE, VmRSS=memory))
        ending.sampled(sequence)
    bare.ended()
    found = row(ending, 7)
    assert (found["cpu"], found["peak_memory"], found["read_bytes"], found["write_bytes"]) == (300, 8192, 4096, None)
    assert {found[name] for name in found if name.endswith("_source")} == {"last sample"}
    assert (found["first_sequence"], found["last_sequence"], found["samples"]) == (4, 7, 3)
    assert found["rows_taskstats_default"] == found["rows_jobprocstats_default"] == 3
    assert (found["end"], found["wall"]) == (bare.end, bare.end_boot - bare.start_boot)


class Growing:
    """Counters of a cgroup whose CPU time is what `times` give, reading by reading, the last for ever."""

    def __init__(self, *times):
        self._times, self.readings = list(times), 0

    def read(self, jobs):
        """Those of `colmet.node.cgroup.counters.Counters`."""
        time = self._times.pop(0) if len(self._times) > 1 else self._times[0]
        self.readings += 1
        return {job: [time if name == "cpu" else MISSING for name in METRICS] for job in jobs}

    read_all = read

    def alive(self, job):
        """It never goes."""
        return True

    def version(self, job, name):
        """As if of v2."""
        return "cgroup v2"


@pytest.mark.parametrize("times, readings, cpu, end", [
    ((5,), 2, 5, "exact"), ((5, 6, 7), 4, 7, "exact"), (range(1, 100), 6, 6, None)])
def test_a_reading_is_the_last_when_the_counters_stand_still(bare, times, readings, cpu, end):
    bare.started = True
    for told in (False, True):
        counters = Growing(*times)
        history = History(counters, Ending)
        if told:
            history.attend([], {bare: boottime()})
        else:
            history.read([bare])
        [(_, _, values)] = history.end(bare, 1)["job"]
        found = words(values)
        assert (counters.readings, found["cpu"]) == (readings, cpu)
        assert found["end_source"] == (end or ("records" if told else "last sample"))


def test_exit_facts_close_what_no_cgroup_counts(bare, tmp_path):
    facts = facts_file(tmp_path, start=1000, end=5000, cpu=77, peak_memory=4096, read_bytes=512, write_bytes=0)
    ending = Ending(bare, facts)
    ending.saw("jobprocstats_default", (1,) * len(jobproc.TABLE.metrics))
    found = row(ending)
    assert (found["start"], found["end"], found["wall"], found["end_source"]) == (1000, 5000, 4000, "exact")
    assert (found["cpu"], found["peak_memory"], found["read_bytes"], found["write_bytes"]) == (77, 4096, 512, 0)
    assert {found[name + "_source"] for name in ("cpu", "peak_memory", "io")} == {"wait4"}


@pytest.mark.parametrize("waited, cpu, source", [(99, 100, "cgroup v1"), (101, 101, "wait4"), (None, 100, "cgroup v1")])
def test_of_two_lower_bounds_the_greater_is_taken(tmp_path, waited, cpu, source):
    (tmp_path / "cpuacct.usage").write_text("100\n")
    (tmp_path / "tasks").write_text("1\n")
    found = Followed(made_of(tmp_path), facts_file(tmp_path, end=5000, cpu=waited)).end()
    assert (found["cpu"], found["cpu_source"]) == (cpu, source)


@pytest.mark.parametrize("text", [
    "", "[1]", "\0", '{"job": "13", "cpu": 5}', '{"cpu": 5}', '{"job": "12", "cpu": -1}', '{"job": "12", "cpu": "5"}',
    '{"job": "12", "cpu": 1e3}', '{"job": "12", "cpu": true}'])
def test_facts_that_are_none_say_nothing(bare, tmp_path, text):
    (tmp_path / "facts").write_text(text)
    assert row(Ending(bare, str(tmp_path / "facts")))["cpu"] is None
    assert read_facts(str(tmp_path / "nothing")) is None
