"""Every option of colmet-node 0.6.10, by its effect on what a node sends; those of later sources by their one line."""
from collections import Counter

import pytest

import jobs
from colmet.collector import legacy
from collectors import Native, Old
from energy_tree import Powercap
from gpu_machine import nvidia, process
from heat_tree import server
from network_tree import Network
from help06 import COMMON, flags
from mounts_tree import Machine
from programs import wait_for
from workload import load

pytest_plugins = ("harness", "gpu_stub")
PATIENCE = 60
ALWAYS = {"taskstats_default", "procstats_default"}


@pytest.fixture(name="sent")
def _sent(uri, start):
    """sent(arguments..., until=) runs a node by the 0.6 wire until `until` is true of what came; that is the set of
    (table, job), where a job is text."""
    def run(*arguments, until):
        with Old(uri) as sink:
            node = start("node", "--zeromq-uri", uri, "--wire", "0.6", "-s", "0.2", *arguments)
            sink.serve(lambda: until(rows(sink)), PATIENCE)
            assert node.stop() == 0
            return rows(sink)
    return run


def rows(sink):
    """{(table, job)} of all that came."""
    found = set()
    for message in sink.messages:
        for batch in legacy.decode(message)[0]:
            found |= {(block.table.name, batch.jobs[row[0]]["job"]) for block in batch.blocks for row in block}
    return found


def jobs_of(found):
    """Their ids, the node's left out."""
    return {job for _, job in found} - {"0"}


def has(*jobs):
    """A condition: all these jobs came, and the node."""
    return lambda found: set(jobs) | {"0"} <= {job for _, job in found}


@pytest.mark.root
def test_cpuset_rootpath_is_scanned_each_time_it_is_given(root, sent):
    with jobs.Root() as other:
        root.job(11).run("sleep", "600")
        other.job(12).run("sleep", "600")
        found = sent("--cpuset_rootpath", root.path, "--cpuset_rootpath", other.path, until=has("11", "12"))
    assert jobs_of(found) == {"11", "12"} and {table for table, _ in found} == ALWAYS


@pytest.mark.root
def test_regex_job_id_is_obeyed_and_the_first_that_fits_holds(root, sent):
    root.job(175, "alice").run("sleep", "600")
    root.job(23, "bob").run("sleep", "600")
    root.job("x", "carol").run("sleep", "600")
    found = sent("--cpuset_rootpath", root.path, "--regex_job_id", r"^alice_(\d)", "--regex_job_id", r"_(\d+)$",
                 until=has("1", "23"))
    assert jobs_of(found) == {"1", "23"}


@pytest.mark.root
def test_disable_procstats(root, sent):
    root.job(11).run("sleep", "600")
    found = sent("--cpuset_rootpath", root.path, "--disable-procstats", until=lambda found: len(found) > 0)
    assert found == {("taskstats_default", "11")}


@pytest.mark.root
def test_enable_jobproc(root, sent):
    root.job(11).run("sleep", "600")
    found = sent("--cpuset_rootpath", root.path, "--enable-jobproc", until=has("11"))
    assert found == {("taskstats_default", "11"), ("jobprocstats_default", "11"), ("procstats_default", "0")}


@pytest.mark.root
def test_cgroup_absolute_or_below_a_root(root, sent):
    with jobs.Root() as other:
        root.job(11).run("sleep", "600")
        other.job(12).run("sleep", "600")
        other.job(13).run("sleep", "600")
        found = sent("--cpuset_rootpath", root.path, "-c", other.jobs[0].path, "--cgroup", "alice_11",
                     until=has("11", "12"))
    assert jobs_of(found) == {"11", "12"}


@pytest.mark.root
def test_pid_and_tid_are_jobs_of_their_number(root, sent, tmp_path):
    with load(root.job(11), tmp_path, threads=3) as process:
        tid = str(max(root.jobs[0].tasks()))
        found = sent("--cpuset_rootpath", root.path, "-p", process.pid, "-t", tid,
                     until=has("11", str(process.pid), tid))
    assert jobs_of(found) == {"11", str(process.pid), tid}


def test_enable_rapl(sent, tmp_path):
    tree = Powercap(tmp_path)
    found = sent("--root", tree.root, "--enable-RAPL", "--disable-taskstats", "--disable-procstats",
                 until=lambda rows: len(rows) > 0)
    assert found == {("RAPLstats_default", "0")}


def test_enable_temperature(sent, tmp_path):
    found = sent("--root", server(tmp_path), "--enable-temperature", "--disable-taskstats", "--disable-procstats",
                 until=lambda rows: len(rows) > 0)
    assert found == {("temperaturestats_default", "0")}


def test_enable_infiniband_and_omnipath(sent, tmp_path):
    found = sent("--root", Network(tmp_path).root, "--enable-infiniband", "--omnipath", "--disable-taskstats",
                 "--disable-procstats", until=lambda rows: len(rows) > 0)
    assert found == {("infinibandstats_default", "0")}


def test_enable_ipmipower(sent):
    found = sent("--enable-ipmipower", "--ipmipower-cmd", "echo", "Power : 231 W", "--disable-taskstats",
                 "--disable-procstats", until=lambda rows: len(rows) > 0)
    assert found == {("ipmipowerstats_default", "0")}


def test_enable_lustre_and_its_prefix(sent, tmp_path):
    machine = Machine(tmp_path)
    machine.lustre("scratch-ffff88017d1b6800", read=(1, 1))
    found = sent("--root", tmp_path, "--enable-lustre", "--lustre-prefix", "scratch", "--disable-taskstats",
                 "--disable-procstats", until=lambda rows: len(rows) > 0)
    assert found == {("lustrestats_default", "0")}


def test_enable_nvidia(sent, stub, tmp_path):
    stub.card(0)
    stub.write()
    process(nvidia(tmp_path), 70)
    found = sent("--root", tmp_path, "-p", "70", "--enable-nvidia", "--disable-taskstats", "--disable-procstats",
                 until=lambda rows: len(rows) > 0)
    assert found == {("nvidiastats_default", "70")}


@pytest.mark.root
def test_perfhw_counts_what_its_list_names(root, sent):
    root.job(11).run("sleep", "600")
    found = sent("--cpuset_rootpath", root.path, "--enable-perfhw", "--perfhw-list", "page_faults", "task_clock",
                 until=lambda rows: ("perfhwstats_default", "11") in rows)
    assert {table for table, _ in found} <= ALWAYS | {"perfhwstats_default"}


def test_sample_period(port, start):
    uri = "tcp://127.0.0.1:%d" % (port + 1)

    def ticks(sink, period):        # by boundaries of `period` s: how many ticks fell between two
        times = [batch.time / 1e9 for _, batch in sink.batches[1:]]     # the first comes at once
        return Counter((time + 0.001) // period for time in times)
    for period in (0.2, 1):
        with Native(uri) as sink:
            node = start("node", "--native-uri", uri, "--wire", "native", "-s", period, "--disable-taskstats")
            sink.serve(lambda sink=sink: len(sink.batches) >= 5, PATIENCE)
            assert set(ticks(sink, period).values()) == {1}
            if period < 1:
                sink.serve(lambda sink=sink: max(ticks(sink, 1).values()) > 1, PATIENCE)
            node.process.kill()


def test_verbose(uri, start):
    for words, told in (((), False), (("-v",), False), (("-vvv",), True)):
        node = start("node", "--zeromq-uri", uri, "-s", "0.1", "--disable-taskstats", "--zeromq-linger", "0", *words)
        before = node.errors().count("sends to")
        wait_for(lambda node=node, before=before: node.errors().count("sends to") > before, PATIENCE, "start message")
        if told:
            wait_for(lambda node=node: "batch 3: " in node.errors(), PATIENCE, "debug lines")
        assert node.stop() == 0
        assert ("batch 1: " in node.errors()) == told


def test_zeromq_hwm_bounds_what_is_kept_and_the_oldest_go(port, start):
    uri = "tcp://127.0.0.1:%d" % (port + 1)
    node = start("node", "--native-uri", uri, "--wire", "native", "-s", "0.1", "--zeromq-hwm", "3",
                 "--disable-taskstats")
    wait_for(lambda: "the outbox is full (3 batches" in node.errors(), PATIENCE, "complaint")
    with Native(uri, acks=False) as sink:
        sink.serve(lambda: len(sink.batches) >= 3, PATIENCE)
        first, hello = sink.sequences[0], sink.hellos[0]
        assert hello["oldest"] >= 2 and hello["sequence"] - hello["oldest"] <= 2
        assert first > 1 and len(sink.batches) - len(set(sink.sequences)) == 0
        sink.acks = True
        node.process.terminate()
        sink.serve(lambda: node.process.poll() is not None, PATIENCE)
    assert node.process.returncode == 0


@pytest.mark.parametrize("linger, lost", [("0", True), ("-1", False)])
def test_zeromq_linger_is_how_long_the_end_waits_for_acknowledgements(linger, lost, port, start):
    uri = "tcp://127.0.0.1:%d" % (port + 1)
    node = start("node", "--native-uri", uri, "--wire", "native", "-s", "0.2", "--zeromq-linger", linger, "-vvv",
                 "--disable-taskstats")
    wait_for(lambda: "batch 2: " in node.errors(), PATIENCE, "second batch")
    node.process.terminate()
    if lost:
        assert node.process.wait(PATIENCE) == 0 and "reached no collector" in node.errors()
        return
    with Native(uri) as sink:
        sink.serve(lambda: node.process.poll() is not None, PATIENCE, "end of the node")
        assert sorted(set(sink.sequences)) == list(range(1, max(sink.sequences) + 1))
    assert node.process.returncode == 0 and "reached no collector" not in node.errors()


TESTED = {
    test_cpuset_rootpath_is_scanned_each_time_it_is_given: ["--cpuset_rootpath", "--zeromq-uri"],
    test_regex_job_id_is_obeyed_and_the_first_that_fits_holds: ["--regex_job_id"],
    test_disable_procstats: ["--disable-procstats"],
    test_enable_jobproc: ["--enable-jobproc"],
    test_cgroup_absolute_or_below_a_root: ["-c", "--cgroup"],
    test_pid_and_tid_are_jobs_of_their_number: ["-p", "--pid", "-t", "--tid"],
    test_enable_rapl: ["--enable-RAPL"],
    test_enable_temperature: ["--enable-temperature"],
    test_enable_infiniband_and_omnipath: ["--enable-infiniband", "--omnipath"],
    test_enable_ipmipower: ["--enable-ipmipower", "--ipmipower-cmd"],
    test_enable_lustre_and_its_prefix: ["--enable-lustre", "--lustre-prefix"],
    test_enable_nvidia: ["--enable-nvidia"],
    test_perfhw_counts_what_its_list_names: ["--enable-perfhw", "--perfhw-list"],
    test_sample_period: ["-s", "--sample-period"],
    test_verbose: ["-v", "--verbose"],
    test_zeromq_hwm_bounds_what_is_kept_and_the_oldest_go: ["--zeromq-hwm"],
    test_zeromq_linger_is_how_long_the_end_waits_for_acknowledgements: ["--zeromq-linger"],
}


def test_every_option_of_0_6_is_among_them(old_colmet):
    tested = [flag for each in TESTED.values() for flag in each]
    assert sorted(tested) == sorted(flags(old_colmet, "colmet-node") - COMMON)
