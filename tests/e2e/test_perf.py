"""Counters of real jobs from the kernel, by real programs, to HDF5 and on the wire of 0.6."""
import json
import struct

import h5py
import pytest

import perf_jobs
from collectors import Old
from perf_worker import TICK, lost
from programs import wait_for
from stored import rows, wait_until

pytest_plugins = ("harness",)
PATIENCE = 60
COUNTERS = ("page_faults", "task_clock", "context_switches", "cpu_migrations", "page_faults_min", "page_faults_maj",
            "instructions")
RECORD = struct.Struct("<255s255sQQ5q")
OTHERS = ("--disable-taskstats", "--disable-procstats", "--disable-job", "--disable-account", "--disable-cgroup",
          "--disable-colmet")


@pytest.fixture(name="root")
def _root(tmp_path):
    """A directory of jobs that perf_event knows."""
    with perf_jobs.counted("v2", tmp_path) as place:
        yield place


def asked(root, *counters):
    """The options of a node that counts the jobs below `root`."""
    return ("-s", "0.2", "--cpuset_rootpath", root.root, "--enable-perfhw", "--perfhw-list", *counters, *OTHERS)


def stored(path, event):
    """Values of one event of job 11, in the order of time."""
    found = rows(path, "11", "perf") if path.exists() else []
    return [row["value"] for row in found if row["event"] == event.encode()]


def test_what_a_job_did_is_in_the_file_to_the_last_fault(root, uri, start, tmp_path):
    path, before = tmp_path / "jobs.hdf5", lost()
    collector = start("collector", "--zeromq-bind-uri", uri, "--hdf5-filepath", path, "-s", "0.2")
    with perf_jobs.working(root, "alice_11") as (_, worker):
        node = start("node", "--zeromq-uri", uri, "--wire", "native", *asked(root, *COUNTERS))
        wait_until(collector, lambda: stored(path, "page_faults"), "first row")
        first, told = stored(path, "page_faults")[0], worker.faults()
        worker.work(pages=2500, seconds=0.3)
        grown = worker.faults() - told
        usage = worker.end()
        root.remove("alice_11")
        wait_until(collector, lambda: stored(path, "page_faults")[-1] - first >= grown, "last row")
        assert node.stop() == 0 and collector.stop() == 0
    faults, clock = stored(path, "page_faults"), stored(path, "task_clock")
    assert faults == sorted(faults) and clock == sorted(clock)
    assert grown <= faults[-1] - first <= usage.ru_minflt + usage.ru_majflt
    assert 0.3e9 <= clock[-1] <= 1.02e9 * (usage.ru_utime + usage.ru_stime) + lost() - before + TICK
    assert stored(path, "page_faults_min")[-1] + stored(path, "page_faults_maj")[-1] == faults[-1]
    old = rows(path, "11", "perfhwstats_default")
    assert sum(row["counter_1"] for row in old) == faults[-1] and sum(row["counter_2"] for row in old) == clock[-1]
    with h5py.File(path, "r") as file:
        mapping = json.loads(file["job_11/perfhwstats_default"].attrs["mapping"])["mappings"][0]
    assert mapping == {"counter_%d" % place: name for place, name in enumerate(COUNTERS[:5], 1)}
    [file] = tmp_path.glob("perfhw_mapping.*.csv")
    assert file.read_text().splitlines() == ["counter%d,%s" % each for each in enumerate(COUNTERS[:5], 1)]
    assert node.errors().count("perfhwstats_default has room for 5 counters") == 1


def test_the_0_6_wire_has_the_records_of_0_6(root, uri, start):
    def records():
        return [RECORD.unpack(message[:RECORD.size]) for message in sink.messages]

    with Old(uri) as sink, perf_jobs.working(root, "alice_11") as (_, worker):
        node = start("node", "--zeromq-uri", uri, "--wire", "0.6", "--profile", "0.6",
                     *asked(root, "page_faults", "dummy"))
        sink.serve(lambda: sink.messages, PATIENCE)
        worker.work(pages=777)
        sink.serve(lambda: sum(record[4] for record in records()) >= 777, PATIENCE)
        assert node.stop() == 0
    assert {len(message) for message in sink.messages} == {RECORD.size} == {566}
    assert {record[0].rstrip(b"\0") for record in records()} == {b"perfhwstats_default"}
    assert {(record[2], *record[5:]) for record in records()} == {(11, 0, -1, -1, -1)}


def test_a_counter_that_is_not_there_is_one_word_and_a_wrong_one_ends_it(root, uri, start):
    node = start("node", "--zeromq-uri", uri, *asked(root, "page_faults", "gpu/x/"))
    wait_for(lambda: "gpu/x/" in node.errors(), PATIENCE, "the word")
    assert node.errors().count("this machine has no PMU gpu, but ") == 1
    assert node.stop() == 0
    node = start("node", "--zeromq-uri", uri, "--enable-perfhw", "--perfhw-list", "instrucions")
    assert node.process.wait(PATIENCE) == 2
    assert "--perfhw-list instrucions: no such event; did you mean instructions?" in node.errors()
