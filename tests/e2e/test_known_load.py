"""A job of known load, found back in the HDF5 file: node, native wire, collector; against /proc, wait4(2), cpuacct."""
import math
import mmap

import pytest

import stored
from programs import wait_for
from workload import SCHEDULER_TICK, cpu, fields, load

pytest_plugins = ("harness",)
pytestmark = pytest.mark.root
MIB = 1 << 20
SECONDS, WRITTEN, READ, MAPPED, FAULTS, THREADS = 1.6, 23 * MIB, 17 * MIB, 64 * MIB, 5000, 8
KIB = 1024                  # taskstats gives characters in whole KiB of each task
ENTERING = 0.1      # s, more than a shell needs before it is in the job's cgroup
CLOCKS = 0.05       # s, by which the wall clock may be slewed meanwhile
PATIENCE = 60


@pytest.fixture(name="stand")
def _stand(root, uri, start, tmp_path, request):
    """(collector, node) that measure the jobs of `root` every 0.3 s."""
    collector = start("collector", "-vvv", "-s", "0.2", "--zeromq-bind-uri", uri,
                      "--hdf5-filepath", tmp_path / "new.hdf5")
    wait_for(lambda: uri in collector.errors(), PATIENCE, "start of the collector")
    node = start("node", "--cpuset_rootpath", root.path, "-s", "0.3", "--zeromq-uri", uri, "--enable-jobproc",
                 "--task-reader", getattr(request, "param", "auto"))
    wait_for(lambda: "records received" in collector.errors(), PATIENCE, "records of the node")
    return collector, node


def more_records(collector, times=4):
    """Wait until the collector took `times` more groups of records."""
    before = collector.errors().count("records received")
    wait_for(lambda: collector.errors().count("records received") >= before + times, PATIENCE, "more records")


@pytest.mark.parametrize("stand", ["bpf", "netlink"], indirect=True)
def test_what_a_sleeping_process_of_8_threads_did_is_in_the_file(root, stand, tmp_path):
    collector, node = stand
    job = root.job(4217)
    with load(job, tmp_path, SECONDS, MAPPED, WRITTEN, READ, FAULTS, THREADS) as process:
        assert len(job.tasks()) == THREADS
        more_records(collector)
        assert node.stop() == 0
        exact, io, status = cpu([process.pid]), fields(process.pid, "io"), fields(process.pid, "status")
        accounted = job.read("cpuacct", "cpuacct.usage")
    assert collector.stop() == 0
    used = process.usage
    row = stored.rows(tmp_path / "new.hdf5", "4217", "taskstats_default")[-1]
    assert row["cpu_run_virtual_total"] == exact
    assert SECONDS * 1e9 <= exact <= (used.ru_utime + used.ru_stime) * 1e9
    assert abs(accounted - exact) <= ENTERING * 1e9
    in_ticks = (row["ac_utime"] + row["ac_stime"]) / 1e6
    assert abs(in_ticks - exact / 1e9) <= 4 * math.sqrt(exact / 1e9 * SCHEDULER_TICK)       # of as many samples
    assert FAULTS + MAPPED // mmap.PAGESIZE <= row["ac_minflt"] <= used.ru_minflt
    assert row["write_char"] // KIB <= io["wchar"] // KIB and WRITTEN <= row["write_char"]
    assert READ <= row["read_char"] <= io["rchar"]
    assert row["write_bytes"] == io["write_bytes"] and row["read_bytes"] == io["read_bytes"]
    proc = stored.rows(tmp_path / "new.hdf5", "4217", "jobprocstats_default")[-1]
    for name in ("rchar", "wchar", "syscr", "syscw", "read_bytes", "write_bytes", "cancelled_write_bytes"):
        assert proc[name] == io[name], name
    assert WRITTEN <= proc["wchar"] < 2 * WRITTEN and READ <= proc["rchar"] < 2 * READ
    assert proc["VmSize"] == status["VmSize"] and MAPPED // KIB <= proc["VmRSS"] < 2 * MAPPED // KIB
    assert abs(proc["VmRSS"] - status["VmRSS"]) <= 256       # the kernel adds up what each CPU counted when it likes


def test_the_row_of_an_ended_job_is_what_wait4_and_cpuacct_say(root, stand, tmp_path):
    collector, node = stand
    job = root.job("4218")
    with load(job, tmp_path, 0.5, MAPPED, 0, 0, 0, 2) as process:
        more_records(collector)
    more_records(collector)     # its last CPU time may be added a moment after wait4(2)
    accounted, peak = job.read("cpuacct", "cpuacct.usage"), job.read("memory", "memory.max_usage_in_bytes")
    job.remove()
    more_records(collector)
    assert node.stop() == 0 and collector.stop() == 0
    [row] = stored.rows(tmp_path / "new.hdf5", "4218", "job")
    waited = (process.usage.ru_utime + process.usage.ru_stime) * 1e9
    assert row["cpu"] == accounted and abs(accounted - waited) <= ENTERING * 1e9
    assert row["peak_memory"] == peak >= MAPPED
    assert 0 < row["start"] < row["end"] and abs(row["end"] - row["start"] - row["wall"]) <= CLOCKS * 1e9
    samples = stored.rows(tmp_path / "new.hdf5", "4218", "taskstats_default")
    assert row["rows_taskstats_default"] == len(samples) and row["samples"] >= len(samples) > 0
    assert 0 < row["first_sequence"] < row["last_sequence"] == row["sequence"]


def test_jobs_of_two_users_with_one_id_are_both_measured(root, stand, tmp_path):
    collector, node = stand
    truth = {}
    with load(root.job(77, "alice"), tmp_path, 0.2) as first, load(root.job(77, "bob"), tmp_path, 0.4) as second:
        more_records(collector)
        assert node.stop() == 0
        truth = {cpu([first.pid]), cpu([second.pid])}
    assert collector.stop() == 0
    tables = stored.tables(tmp_path / "new.hdf5")
    groups = {job: rows["cpu_run_virtual_total"][-1] for (job, table), rows in tables.items()
              if table == "taskstats_default"}
    assert set(groups.values()) == truth and len(groups) == 2 and all(job.startswith("77") for job in groups)


def test_a_job_that_is_over_long_before_the_next_tick_has_a_record(root, uri, start, tmp_path):
    collector = start("collector", "-vvv", "-s", "0.2", "--zeromq-bind-uri", uri,
                      "--hdf5-filepath", tmp_path / "new.hdf5")
    node = start("node", "--cpuset_rootpath", root.path, "--zeromq-uri", uri, "-s", "3600")
    wait_for(lambda: "records received" in collector.errors(), PATIENCE, "records of the node")
    job = root.job(4219)
    job.run("sleep", "1000")
    more_records(collector, 1)
    job.remove()
    assert node.stop() == 0 and collector.stop() == 0
    assert stored.rows(tmp_path / "new.hdf5", "4219", "taskstats_default")
    assert stored.rows(tmp_path / "new.hdf5", "4219", "job")
