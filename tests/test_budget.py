"""--cpu-budget: what is left out, in which order, when it comes back, and that the data say so."""
import logging
import time
from types import SimpleNamespace

import pytest

from colmet.common.metrics import TABLES
from colmet.common.metrics.colmet import TABLE
from colmet.common.options import Usage
from colmet.node import budget as module
from colmet.node import sources
from colmet.node.backends import NAMES, load
from colmet.node.budget import PATIENCE, STAY, Budget, Elsewhere, begun, order, programs
from colmet.node.clock import SECOND
from colmet.node.health import Health
from colmet.node.sending.outbox import Outbox
from colmet.node.sampler import Identity, Sampler
from colmet.node.settings import settings
from colmet.node.source import NEVER, Source
from sampling import Jobs, OfJobs, OfNode

ORDER = order()
JOBPROC, PROCSTATS = TABLES["jobprocstats_default"], TABLES["procstats_default"]


class Stand:
    """A sampler with taskstats, procstats and jobproc, and a `budget` of 10 % over them; `spent` is what the whole node
    used, in ns."""

    def __init__(self, *names):
        self.spent = 0
        self.sources = [Source(name, OfNode() if name == "procstats" else OfJobs(), (PROCSTATS,), SECOND)
                        for name in names or ("taskstats", "procstats", "jobproc")]
        outbox = Outbox(100)
        self.health = Health(outbox, Jobs())
        self.sampler = Sampler(Identity("n", "", 1), Jobs(), self.sources, outbox, set(TABLES))
        self.health.sampler = self.sampler
        self.budget = self.health.budget = Budget(self.health, 10, spent=lambda: self.spent)

    @property
    def shed(self):
        """Names of the sources that are left out."""
        return [source.name for source in self.sampler.sources if source.shed]

    def shown(self):
        """{part: value of the column `shed`} of the table colmet."""
        place = [metric.name for metric in TABLE.metrics].index("shed")
        return {part: values[place] for _, part, values in self.health.sample(())[TABLE.name]}


@pytest.fixture(name="told")
def _told():
    """What the node says, line by line; whatever an earlier test made of its logger."""
    texts = []
    handler = logging.Handler()
    handler.emit = lambda record: texts.append(record.getMessage())
    module.log.addHandler(handler)
    yield texts
    module.log.removeHandler(handler)


def test_the_order_is_what_is_opt_in_then_what_is_on_by_default_and_the_account_of_jobs_stays():
    assert set(ORDER) | set(STAY) == set(NAMES) and len(ORDER) + len(STAY) == len(NAMES)
    opt_in = [not any(table.default for table in load(name).TABLES) for name in ORDER]
    assert opt_in == sorted(opt_in, reverse=True) and ORDER.index("jobproc") < ORDER.index("procstats")


def test_sources_go_in_the_declared_order_one_a_look_and_the_data_say_so(told):
    stand = Stand()
    stand.budget.look(9.9)
    assert stand.shed == []
    stand.budget.look(12)
    assert stand.shed == ["jobproc"] and stand.shown() == {"node": 1, "taskstats": 0, "procstats": 0, "jobproc": 1}
    for _ in range(3):
        stand.budget.look(12)
    assert stand.shed == ["procstats", "jobproc"] and stand.shown()["node"] == 2
    assert told[:2] == ["12.00 %% of a core used, --cpu-budget is 10: %s is left out until there is room" % name
                        for name in ("jobproc", "procstats")]
    assert len(told) == 3 and "nothing is left that it could do without" in told[2]


def test_a_source_that_is_left_out_is_not_read_and_wakes_nobody():
    stand = Stand()
    jobproc = stand.sources[2]
    stand.sampler.plan(stand.sources, 5 * SECOND)
    stand.budget.look(12)
    stand.sampler.plan(stand.sources, 6 * SECOND)
    stand.sampler.tick(stand.sources)
    assert jobproc.due == NEVER and (jobproc.samples, jobproc.backend.readings) == (0, 0)
    jobproc.shift(2 * SECOND, 7 * SECOND, 0)                    # a reload changes its period
    assert jobproc.due == NEVER and stand.sources[0].samples == 1
    stand.budget.close()
    stand.sampler.tick(stand.sources)
    assert stand.shed == [] and jobproc.samples == 1 and jobproc.due < NEVER


def test_it_comes_back_when_there_is_room_for_long_and_waits_longer_each_time(told):
    stand = Stand()

    def looks_until_back():
        for number in range(1, 500):
            stand.budget.look(4)
            if not stand.shed:
                return number
        raise AssertionError("never")
    waits = []
    for _ in range(8):
        stand.budget.look(12)
        waits.append(looks_until_back())
    assert waits == [PATIENCE, 4, 8, 16, 32, 64, 64, 64]
    assert sum("jobproc is read again" in text for text in told) == 8


def test_between_the_two_limits_all_stays_and_the_wait_begins_anew():
    stand = Stand()
    stand.budget.look(12)
    for _ in range(5):
        stand.budget.look(4)
        stand.budget.look(7)
    assert stand.shed == ["jobproc"]
    for _ in range(PATIENCE):
        stand.budget.look(4)
    assert stand.shed == []


def test_the_last_one_out_is_the_first_one_back():
    stand = Stand()
    stand.budget.look(12)
    stand.budget.look(12)
    for _ in range(PATIENCE):
        stand.budget.look(1)
    assert stand.shed == ["jobproc"]


def test_a_source_that_was_switched_off_meanwhile_is_forgotten():
    stand = Stand()
    stand.budget.look(12)
    stand.sampler.sources = stand.sources[:2]
    for _ in range(PATIENCE):
        stand.budget.look(1)
    stand.sampler.sources = stand.sources[:2] + [Source("jobproc", OfJobs(), (JOBPROC,), SECOND)]
    assert stand.shed == []


def test_what_is_used_is_the_time_spent_between_two_full_looks(monkeypatch):
    now, used = [0], []
    monkeypatch.setattr(module.time, "monotonic_ns", lambda: now[0])
    stand = Stand()
    stand.budget.look = used.append
    for at, spent in ((0, 500), (1, 999), (60, 500 + 0.06), (61, 0), (120, 500.06 + 6)):
        now[0], stand.spent = at * SECOND, spent * SECOND
        assert stand.budget.sample(()) == {}
    assert [round(each, 6) for each in used] == [0.1, 10.0]     # neither what the start cost, nor the tick at 1 s


def test_a_costly_source_is_found_out_by_what_the_process_itself_spends():
    class Costly(OfJobs):
        def sample(self, jobs):
            end = time.process_time() + 0.05
            while time.process_time() < end:
                pass
            return super().sample(jobs)
    stand = Stand("taskstats")
    costly = Source("jobproc", Costly(), (JOBPROC,), SECOND)
    stand.sampler.sources = stand.sources + [costly]
    watch = Source("budget", Budget(stand.health, 0.1, window=0.001), (), SECOND)
    everything = stand.sampler.sources + [watch]
    for _ in range(50):
        stand.sampler.tick(everything)
        if stand.shed:
            break
    readings = costly.backend.readings
    stand.sampler.tick(everything)
    assert stand.shed == ["jobproc"] and costly.backend.readings == readings


@pytest.fixture(name="proc")
def _proc(tmp_path):
    """A /proc whose process has `fds`, {descriptor: (what it is, text of its fdinfo)}."""
    def make(fds, tasks):
        for folder in ("self/fd", "self/fdinfo"):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        for name, (kind, text) in fds.items():
            (tmp_path / "self/fdinfo" / name).write_text(text)
            if not (tmp_path / "self/fd" / name).is_symlink():
                (tmp_path / "self/fd" / name).symlink_to(kind)
        (tmp_path / "stat").write_text("cpu  1 2\nprocesses %d\nprocs_running 2\n" % tasks)
        return tmp_path
    return make


def fds(exit_ns, iterator_ns):
    """Those of an account: the program at the end of tasks, the iterator, their links, and a file."""
    program = "prog_type:\t26\nprog_id:\t%d\nrun_time_ns:\t%d\nrun_cnt:\t1\n"
    return {"3": ("/a/file", "pos:\t0\n"), "4": ("anon_inode:bpf-prog", program % (11, exit_ns)),
            "5": ("anon_inode:bpf-prog", program % (12, iterator_ns)),
            "6": ("anon_inode:bpf_link", "link_type:\traw_tracepoint\nprog_id:\t11\ntp_name:\tsched_process_exit\n"),
            "7": ("anon_inode:bpf_link", "link_type:\titer\nprog_id:\t12\n"),
            "8": ("anon_inode:bpf-map", "map_type:\t1\n")}


def test_programs_count_by_what_the_kernel_measured_but_for_those_that_run_in_our_own_time(proc):
    elsewhere = Elsewhere(proc(fds(1000, 7000), 10))
    assert programs(elsewhere._proc / "self") == (1000, True) and begun(elsewhere._proc) == 10
    assert elsewhere.read() == 0
    proc(fds(1500, 9000), 60)
    assert elsewhere.read() == 500


def test_without_the_kernels_measure_they_count_by_the_tasks_that_come_and_go(proc):
    elsewhere = Elsewhere(proc(fds(0, 0), 100))
    elsewhere.read()
    proc(fds(0, 0), 1100)
    assert elsewhere.read() == elsewhere.total == 1000 * module.EXIT_NS
    alone = Elsewhere(proc({name: ("/a/file", "") for name in "345678"}, 0))
    assert programs(alone._proc / "self") == (0, False)


@pytest.mark.parametrize("words, message", [
    ("--cpu-budget -1", "--cpu-budget -1.0: must be from 0 to 10000 (%)"),
    ("--cpu-budget nan", "--cpu-budget nan: must be from 0 to 10000 (%)")])
def test_a_budget_that_is_none_is_refused(words, message):
    with pytest.raises(Usage) as error:
        settings(words.split(), sources.names())
    assert str(error.value) == message


def test_it_is_followed_when_the_options_change():
    opened = sources.Sources(SimpleNamespace(budget=None, sampler=None, close=lambda: None))
    off = ["--disable-taskstats", "--disable-account", "--disable-procstats", "--disable-cgroup", "--disable-colmet"]
    off = [word for word in off if word[len("--disable-"):] in {table.option for table in TABLES.values()}]

    def follow(*words):
        opened.follow(settings(off + list(words), sources.names()))
        return [source for source in opened.on if source.name == "budget"]
    assert follow() == []
    first, = follow("--cpu-budget", "1")
    assert (first.backend.per_cent, first.period) == (1, module.WINDOW * SECOND)
    assert follow("--cpu-budget", "1") == [first]
    second, = follow("--cpu-budget", "1", "--period", "budget=5")
    assert second is not first and second.backend.window == 5
    assert follow() == [] and opened._health.budget is None
