"""The counters of cgroups: trees of files as v1 and v2 write them, and real cgroups of v1."""
import os
import resource
import subprocess
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

import cgroups
from colmet.common.metrics.cgroup import TABLE
from colmet.common.schema import MISSING
from colmet.node.cgroup import sets
from colmet.node.backends import Unavailable
from colmet.node.backends.cgroup import Backend
from colmet.node.clock import SECOND
from colmet.node.cgroup.counters import Counters
from colmet.node.cgroup.group import METRICS
from colmet.node.cgroup.files import FILES
from colmet.node.jobs.job import Cgroup, Job, directory_key
from loads import descriptors

HERE = Path("/")
CPU_STAT = ("usage_usec 1500000\nuser_usec 1000000\nsystem_usec 500000\nnr_periods 9\nnr_throttled 3\n"
            "throttled_usec 77\n")
PRESSURE = "some avg10=0.06 avg60=0.21 avg300=0.99 total=%d\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=%d\n"
V2 = {
    "cgroup.controllers": "cpu io memory pids\n",
    "cpu.stat": CPU_STAT, "memory.current": "5000\n", "memory.peak": "9000\n", "memory.max": "max\n",
    "memory.stat": "anon 4096\nfile 8192\nkernel 512\nkernel_stack 16384\nshmem 1024\nanon_thp 7\n",
    "memory.swap.current": "3\n", "memory.events": "low 0\nhigh 0\nmax 12\noom 2\noom_kill 1\noom_group_kill 0\n",
    "io.stat": "8:0 rbytes=1024 wbytes=5 rios=1 wios=2 dbytes=0 dios=0\n8:16 rbytes=1 wbytes=2 rios=3 wios=4\n",
    "pids.current": "17\n", "pids.peak": "23\n", "pids.max": "100\n",
    "cpu.pressure": PRESSURE % (11, 12), "memory.pressure": PRESSURE % (13, 14), "io.pressure": PRESSURE % (15, 16),
}
V1 = {
    "cpuacct.usage": "1500000001\n", "cpuacct.stat": "user 100\nsystem 50\n",
    "cpu.stat": "nr_periods 9\nnr_throttled 3\nthrottled_time 77\n",
    "memory.stat": "cache 1\nrss 2\nhierarchical_memory_limit 9223372036854771712\ntotal_cache 8192\ntotal_rss 4096\n"
                   "total_rss_huge 0\ntotal_shmem 1024\ntotal_swap 3\n",
    "memory.usage_in_bytes": "5000\n", "memory.max_usage_in_bytes": "9000\n", "memory.kmem.usage_in_bytes": "512\n",
    "memory.failcnt": "12\n", "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
    "blkio.throttle.io_service_bytes_recursive": "8:0 Read 1025\n8:0 Write 7\n8:0 Sync 7\n8:0 Total 1032\nTotal 1032\n",
    "blkio.throttle.io_serviced_recursive": "8:0 Read 4\n8:0 Write 6\n8:0 Total 10\nTotal 10\n",
    "pids.current": "17\n", "pids.peak": "23\n", "pids.max": "100\n",
}
BOTH = {"user": 10 ** 9, "system": 5 * 10 ** 8, "nr_periods": 9, "nr_throttled": 3, "memory_current": 5000,
        "memory_peak": 9000, "memory_limit_hits": 12, "memory_anon": 4096, "memory_file": 8192, "memory_shmem": 1024,
        "memory_kernel": 512, "swap": 3, "oom_kill": 1, "io_read_bytes": 1025, "io_write_bytes": 7, "io_reads": 4,
        "io_writes": 6, "pids": 17, "pids_peak": 23, "pids_limit": 100}
PSI = dict(cpu_some=11, cpu_full=12, memory_some=13, memory_full=14, io_some=15, io_full=16)


def tree(folder, texts):
    """The files `texts` in `folder`."""
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text)
    return folder


def made_of(*folders, below=()):
    """A job of these cgroups, the first with directories `below` it."""
    job = Job("12")
    job.parts = tuple(Cgroup(str(folder), directory_key(str(folder))) for folder in folders)
    job.parts[0].directories += tuple(map(str, below))
    return job


def known(counters, job):
    """{metric: value} of what is known of it."""
    return {name: value for name, value in zip(METRICS, counters.read([job])[job]) if value != MISSING}


def backend(root=HERE, **options):
    """The source, its options those that were given."""
    return Backend(root, SimpleNamespace(**dict({"blkio_rule": False, "reset_peak": False}, **options)))


@pytest.fixture(name="counters")
def _counters():
    with closing(Counters(HERE)) as counters:
        yield counters


@pytest.mark.parametrize("texts, more", [
    (V2, dict(PSI, cpu=1500000000, throttled_time=77000, oom=2)),
    (V1, dict(cpu=1500000001, throttled_time=77)),
])
def test_what_either_version_writes_is_read(counters, tmp_path, texts, more):
    assert known(counters, made_of(tree(tmp_path / "job", texts))) == dict(BOTH, **more)


def test_v1_and_v2_beside_each_other(tmp_path):
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "mountinfo").write_text(
        "31 30 0:27 / /cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n32 30 0:28 / /memory rw - cgroup cgroup rw,memory\n"
        "33 30 0:29 / /unified rw - cgroup2 cgroup2 rw\n")
    for controller, names in (("cpuacct", ("cpuacct.usage", "cpu.stat")), ("memory", ("memory.usage_in_bytes",))):
        (tmp_path / controller).mkdir()
        tree(tmp_path / controller / "job", {name: V1[name] for name in names})
    (tmp_path / "unified").mkdir()
    tree(tmp_path / "unified" / "job",
         {"cpu.stat": CPU_STAT, "io.stat": V2["io.stat"], "io.pressure": PRESSURE % (1, 2)})
    job = made_of(tmp_path / "cpuacct" / "job")
    with closing(Counters(tmp_path)) as counters:
        assert known(counters, job) == {
            "cpu": 1500000001, "user": 10 ** 9, "system": 5 * 10 ** 8, "nr_periods": 9, "nr_throttled": 3,
            "throttled_time": 77, "memory_current": 5000, "io_read_bytes": 1025, "io_write_bytes": 7, "io_reads": 4,
            "io_writes": 6, "io_some": 1, "io_full": 2}
        assert [counters.version(job, name) for name in ("cpu", "user", "oom")] == ["cgroup v1", "cgroup v2", None]


@pytest.mark.parametrize("texts", [
    {}, {"blkio.throttle.io_service_bytes_recursive": "Total 0\n", "pids.max": "max\n"},
    {"cgroup.controllers": "", "pids.max": "max\n"},
    {"cgroup.controllers": "", "memory.stat": "", "io.stat": "", "cpu.stat": "usage_usec\n", "memory.peak": "-1\n"},
    {"cpuacct.usage": "\n", "cpuacct.stat": "user\n"},
])
def test_what_is_not_counted_is_missing(counters, tmp_path, texts):
    assert known(counters, made_of(tree(tmp_path / "job", texts))) == {}


def test_several_cgroups_add_and_the_greatest_peak_counts(counters, tmp_path):
    one, two = tree(tmp_path / "one", V2), tree(tmp_path / "two", dict(V2, **{"memory.peak": "9001\n"}))
    (tmp_path / "again").symlink_to(two)
    found = known(counters, made_of(one, two, tmp_path / "again"))
    assert (found["cpu"], found["memory_peak"], found["pids"], found["cpu_some"]) == (3 * 10 ** 9, 9001, 34, 11)


def test_steps_are_read_where_a_counter_is_not_hierarchical(counters, tmp_path):
    top = tree(tmp_path / "job", V1)
    step, task = tree(top / "step", V1), tree(top / "step" / "task", V1)
    found = known(counters, made_of(top, below=(step, task)))
    assert (found["oom_kill"], found["cpu"], found["memory_anon"]) == (3, 1500000001, 4096)
    for folder in (top, step, task):
        (folder / "memory.use_hierarchy").write_text("0\n")
    found = known(counters, made_of(top, below=(step, task)))
    assert (found["oom_kill"], found["cpu"], found["memory_anon"], found["memory_peak"]) == (3, 1500000001, 12288, 9000)


def test_what_a_step_counted_stays_when_it_is_gone(counters, tmp_path):
    top = tree(tmp_path / "job", V1)
    job = made_of(top, below=(tree(top / "step", V1),))
    assert known(counters, job)["oom_kill"] == 2
    job.parts[0].directories = job.parts[0].directories[:1]
    assert known(counters, job)["oom_kill"] == 2
    job.parts[0].directories += (str(tree(top / "step2", V1)),)
    assert known(counters, job)["oom_kill"] == 3


def test_in_a_tick_all_who_ask_get_one_reading_of_a_job(counters, tmp_path):
    one, two = (made_of(tree(tmp_path / name, V2)) for name in ("one", "two"))
    counters.read([one])
    files = descriptors()
    with counters.tick([two]):
        before = known(counters, one)
        for name in ("one", "two"):
            tree(tmp_path / name, {"cpu.stat": "usage_usec 7\n"})
        assert known(counters, one) == before
        assert [row[METRICS.index("cpu")] for row in counters.read([two, one]).values()] == [7000, before["cpu"]]
        assert counters.read_all([one])[one][METRICS.index("cpu")] == 7000 == known(counters, one)["cpu"]
    assert not counters.alive(one) and counters.alive(two)      # forgotten, for it is not here any more
    assert descriptors() == files
    tree(tmp_path / "two", {"cpu.stat": "usage_usec 8\n"})
    assert known(counters, two)["cpu"] == 8000


def test_what_seldom_changes_is_seldom_read_but_at_the_end(counters, tmp_path, monkeypatch):
    monkeypatch.setattr(sets, "boottime", lambda: SECOND)
    job = made_of(tree(tmp_path / "job", V2))
    counters.read([job])
    counters.read([job])
    tree(tmp_path / "job", {"pids.max": "7\n", "memory.stat": "anon 1\n", "memory.peak": "9100\n",
                             "pids.current": "3\n"})
    found = known(counters, job)
    assert (found["pids"], found["pids_limit"], found["memory_anon"], found["memory_peak"]) == (3, 100, 4096, 9000)
    tree(tmp_path / "job", {"memory.current": "9050\n"})
    found = known(counters, job)
    assert (found["pids_limit"], found["memory_anon"], found["memory_peak"]) == (100, 1, 9100)
    assert counters.read_all([job])[job][METRICS.index("pids_limit")] == 7


def test_peaks_are_read_when_what_they_are_of_changes(counters, tmp_path, monkeypatch):
    monkeypatch.setattr(sets, "boottime", lambda: SECOND)
    job = made_of(tree(tmp_path / "job", V2))
    counters.read([job])
    counters.read([job])
    tree(tmp_path / "job", {"pids.peak": "26\n"})
    assert known(counters, job)["pids_peak"] != 26
    tree(tmp_path / "job", {"pids.current": "24\n"})
    assert known(counters, job)["pids_peak"] == 26


def test_pressure_is_read_when_the_job_used_cpu_time_and_as_long_as_it_grows(counters, tmp_path, monkeypatch):
    def waited(total, **others):
        tree(tmp_path / "job", dict({"io.pressure": "some avg10=0.00 total=%d\n" % total}, **others))
        return known(counters, job)["io_some"]

    monkeypatch.setattr(sets, "boottime", lambda: SECOND)
    job = made_of(tree(tmp_path / "job", V2))
    counters.read([job])
    at_rest = known(counters, job)["io_some"]
    assert waited(at_rest + 10) == at_rest
    assert waited(at_rest + 20, **{"cpu.stat": "usage_usec 1700000\n"}) == at_rest + 20
    assert waited(at_rest + 30) == at_rest + 30
    assert waited(at_rest + 30) == at_rest + 30
    assert waited(at_rest + 40) == at_rest + 30


def test_more_can_be_wanted_later(tmp_path):
    job = made_of(tree(tmp_path / "job", V1), below=(tree(tmp_path / "job" / "step", V1),))
    with closing(Counters(HERE, ("cpu",))) as counters:
        assert set(known(counters, job)) == {"cpu"}
        counters.want()
        assert known(counters, job) == dict(BOTH, cpu=1500000001, throttled_time=154, nr_periods=18, nr_throttled=6,
                                            oom_kill=2)
        counters.want(("cpu",))
        assert known(counters, job)["cpu"] == 1500000001


def test_a_cgroup_that_is_removed_leaves_its_last_numbers(counters):
    with cgroups.v1("cpuset", "cpuacct", "memory", "pids") as made:
        job = made_of(made.make("alice_12"))
        subprocess.run(["sh", "-c", 'for file; do echo 0 > "$file"; done; head -c 5000000 /dev/zero | tail | wc -c',
                        "sh"] + [str(root / "alice_12" / "tasks") for root in made.roots], check=True)
        before = known(counters, job)
        files = descriptors()
        assert counters.alive(job) and before["cpu"] > 0 and before["memory_peak"] > 1 << 20 and before["pids"] == 0
        made.remove("alice_12")
        after = known(counters, job)
        assert not counters.alive(job) and after == before
    counters.forget(job)
    assert descriptors() < files - 10


def test_where_no_more_files_can_be_open_the_others_go_on(tmp_path, caplog):
    jobs = [made_of(tree(tmp_path / str(number), V2)) for number in range(40)]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = descriptors() + 390
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    try:
        with closing(Counters(HERE)) as counters:
            rows = counters.read(jobs)
            counted = [job for job in jobs if rows[job][METRICS.index("cpu")] == 1500000000]
            assert len(rows) == 40 and 5 < len(counted) < 40 and descriptors() < most - 50
            counters.read(jobs)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert caplog.text.count("LimitNOFILE") == 1


def test_every_metric_has_a_file_but_those_of_the_node_itself():
    told = {number[0] for file in FILES for number in file.numbers}
    assert set(METRICS) - told == {"since", "memory_peak_interval"} and told <= set(METRICS)


def test_a_row_for_each_job_of_cgroups(tmp_path):
    job, other = made_of(tree(tmp_path / "job", V2)), Job("1")
    with closing(backend()) as source:
        [(which, instance, values)] = source.sample([job, other])[TABLE.name]
        assert (which, instance, values[0]) == (job, "", job.start) and len(values) == len(TABLE.metrics)
        assert source.sample([]) == {TABLE.name: []}


def test_a_machine_without_cgroups_has_none(tmp_path):
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "mountinfo").write_text("32 30 0:28 / / rw - ext4 /dev/vda rw\n")
    with pytest.raises(Unavailable, match="mount -t cgroup2"):
        backend(tmp_path)


def test_a_peak_of_each_interval_on_request(tmp_path):
    with cgroups.v1("cpuset", "memory") as made, closing(backend(reset_peak=True)) as source:
        job = made_of(made.make("alice_12"))

        def sample():
            row = dict(zip(METRICS, source.sample([job])[TABLE.name][0][2]))
            return row["memory_peak_interval"], row["memory_peak"]
        command = 'for file; do echo 0 > "$file"; done; head -c 30000000 /dev/zero | tail -c 29000000 | wc -c'
        subprocess.run(["sh", "-c", command, "sh"] + [str(root / "alice_12" / "tasks") for root in made.roots],
                       check=True)
        first, second = sample(), sample()
    assert first[0] == first[1] > 25_000_000 and second[0] < 5_000_000 and second[1] == first[1]


def test_io_of_v1_counts_on_request():
    with cgroups.v1("cpuset", "blkio") as made:
        job = made_of(made.make("alice_12"))
        rule = made.roots[1] / "alice_12" / "blkio.throttle.read_bps_device"
        with closing(backend(blkio_rule=True)) as source:
            source.sample([job])
        assert rule.read_text() == ""       # set and taken away
