"""The source perfhw: rows of `perf` and of 0.6's table, its mapping, and what it says of counters that are not."""
import errno
import struct
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

import perf_jobs
from colmet.common.metrics.perf import TABLE as PERF
from colmet.common.metrics.perfhw import TABLE as OLD
from colmet.common.wire06 import encode
from colmet.node.backends import Unavailable
from colmet.node.backends.perfhw import Backend, refusal
from colmet.node.draft import Draft
from colmet.node.perf.events import Event, find

pytestmark = pytest.mark.slow       # the kernel's and the C helper's work is alike on each Python

HERE = Path("/")
SIX = ["page_faults", "task_clock", "context_switches", "cpu_migrations", "page_faults_min", "page_faults_maj"]


@pytest.fixture(name="v2")
def _v2(tmp_path):
    with perf_jobs.counted("v2", tmp_path) as place:
        yield place


def source(*names, root=HERE, tables=None, folder=None):
    """The source with these counters, to be closed."""
    return closing(Backend(root, SimpleNamespace(perfhw_list=names, tables=tables, mapping_dir=folder)))


def by_event(rows, job):
    """{event: (since, value, enabled, running)} of a job."""
    return {event: tuple(values) for each, event, values in rows[PERF.name] if each is job}


def test_any_number_has_rows_and_the_first_five_are_what_they_grew_by(v2, caplog):
    with source(*SIX) as backend, perf_jobs.working(v2, "job") as (job, worker):
        first = backend.sample([job])
        faults = worker.faults()
        worker.work(pages=1000)
        second = backend.sample([job])
        third = backend.sample([job])
        worker.work(pages=500)
        worker.end()
        v2.remove("job")
        last = backend.sample([])
        assert backend.sample([]) == {OLD.name: [], PERF.name: []}
    assert [event for _, event, _ in first[PERF.name]] == SIX
    samples = [by_event(rows, job) for rows in (first, second, third, last)]
    assert [values["page_faults"][1] for values in samples] == sorted(v["page_faults"][1] for v in samples)
    assert len({values["page_faults"][0] for values in samples}) == 1
    [(of, instance, grown)] = second[OLD.name]
    assert of is job and instance == "" and len(grown) == 5 and faults > 0
    assert grown == [samples[1][name][1] - samples[0][name][1] for name in SIX[:5]] and grown[0] >= 1000
    assert third[OLD.name][0][2][0] == 0 and last[OLD.name][0][2][0] >= 500
    assert sum(rows[OLD.name][0][2][0] for rows in (first, second, third, last)) == samples[3]["page_faults"][1]
    assert caplog.text.count("has room for 5 counters: %s; the table perf has all 6" % ", ".join(SIX[:5])) == 1


def test_what_is_not_known_is_minus_one_on_the_wire_of_0_6_and_never_0(v2):
    with source("page_faults") as backend, perf_jobs.working(v2, "job") as (job, worker):
        backend.sample([job])
        worker.work(pages=7)
        rows = backend.sample([job])
    draft = Draft([job], {OLD.name, PERF.name})
    draft.add(rows)
    batch = draft.batch("node", "", 1, 1, 7 * 10 ** 18, 0)
    assert [block.table.name for block in batch.blocks] == [OLD.name, PERF.name]
    grown = rows[OLD.name][0][2][0]
    assert grown >= 7
    assert encode(batch)[0] == struct.pack("<255s255sQQ5q", b"perfhwstats_default", b"node", int(job.id), 7 * 10 ** 9,
                                           grown, -1, -1, -1, -1)


def test_the_mapping_has_0_6s_lines_and_goes_with_the_table(tmp_path):
    with source("task_clock", "page_faults", folder=str(tmp_path)) as backend:
        assert list(tmp_path.iterdir()) == []       # `check` opens it too
        backend.sample([])
        backend.sample([])
        [file] = tmp_path.iterdir()
        assert backend.described[OLD.name].mapping == ("task_clock", "page_faults") + ("no_counter",) * 3
    assert file.name.startswith("perfhw_mapping.") and file.suffix == ".csv" and float(file.stem.partition(".")[2]) > 0
    assert file.read_text() == ("counter1,task_clock\ncounter2,page_faults\ncounter3,no_counter\n"
                                "counter4,no_counter\ncounter5,no_counter\n")


def test_without_0_6s_table_there_is_no_mapping_and_no_row_of_it(tmp_path):
    with source("page_faults", tables={PERF.name}, folder=str(tmp_path)) as backend:
        assert backend.sample([])[OLD.name] == [] and list(tmp_path.iterdir()) == []


def test_a_job_that_cannot_be_counted_is_minus_one_and_has_no_row_else(tmp_path):
    job = perf_jobs.job_of(tmp_path)
    with source("page_faults") as backend:
        assert backend.sample([job]) == {OLD.name: [(job, "", [None] * 5)], PERF.name: []}


def test_a_counter_that_the_machine_has_not_is_said_and_the_others_go_on(tmp_path):
    with source("page_faults", "gpu/x/") as backend:
        assert list(backend.lacks) == ["gpu/x/"] and "no PMU gpu" in backend.lacks["gpu/x/"]
    with pytest.raises(Unavailable, match="no PMU gpu"):
        Backend(HERE, SimpleNamespace(perfhw_list=["gpu/x/"], tables=None, mapping_dir=None))


@pytest.mark.parametrize("code, said", [
    (errno.EACCES, "perf_event_paranoid is 3; run colmet-node as root or with CAP_PERFMON"),
    (errno.EPERM, "perf_event_paranoid is 3"), (errno.ENOENT, "the CPU shows no such counter"),
    (errno.EOPNOTSUPP, "the CPU shows no such counter"), (errno.ENOSYS, "no perf_event_open"),
    (errno.EINVAL, "the PMU cpu does not count it (Invalid argument)")])
def test_each_refusal_of_the_kernel_has_its_own_word(code, said, tmp_path):
    file = tmp_path / "proc" / "sys" / "kernel" / "perf_event_paranoid"
    file.parent.mkdir(parents=True)
    file.write_text("3\n")
    assert said in refusal(code, find("instructions", tmp_path), tmp_path)
    assert "the PMU msr does not count it" in refusal(errno.ENOENT, Event("x", "msr", 9, (0, 0, 0)), tmp_path)
