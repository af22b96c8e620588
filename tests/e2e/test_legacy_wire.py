"""Real jobs, and Colmet 0.6.10 on either side: its node to our collector, our node to its collector, both at once."""
import time

import pytest

import stored
from programs import wait_for
from workload import cpu, fields, load

pytest_plugins = ("harness",)
pytestmark = pytest.mark.root
CPU = "cpu_run_virtual_total"
TASKSTATS, JOBPROC, PROCSTATS = "taskstats_default", "jobprocstats_default", "procstats_default"
PATIENCE = 60       # s


def collect(start, folder, uri, *arguments):
    """Our collector, that takes both wires and stores in folder/new.*.hdf5; it is ready."""
    collector = start("collector", "--zeromq-bind-uri", uri, "--hdf5-filepath", folder / "new", "-s", "0.2", *arguments)
    wait_for(lambda: uri.rpartition(":")[2] in collector.errors(), PATIENCE, "start of the collector")
    return collector


def collect_old(start_old, folder, uri):
    """The collector of 0.6.10, that stores in folder/old.hdf5."""
    return start_old("collector", "-vv", "--zeromq-bind-uri", uri, "-s", "0.2", "--buffer-size", "1000",
                     "--hdf5-filepath", folder / "old.hdf5")


def pushed(collector, times):
    """Whether 0.6.10's collector, that was started with -vv, has stored messages `times` times."""
    return collector.errors().count("HDF5: Pushed") >= times


def sample(root, uri, *arguments):
    """Arguments of a node, ours or that of 0.6.10, that samples the jobs of `root` every half second."""
    return ("--cpuset_rootpath", root.path, "-s", "0.5", "--zeromq-uri", uri) + arguments


def test_a_node_of_0_6_sends_to_our_collector(root, uri, start, start_old, tmp_path):
    collector = collect(start, tmp_path, uri, "-vvv")
    with load(root.job(4217), tmp_path, 0.3, 1 << 20, 3 << 20, 2 << 20, threads=2) as process:
        truth, exact = cpu([process.pid]), fields(process.pid, "io")
        start_old("node", *sample(root, uri, "--enable-jobproc"))
        wait_for(lambda: collector.errors().count("records received") >= 6, PATIENCE, "records of the node")
        assert collector.stop() == 0
        assert cpu([process.pid]) == truth
    files = stored.files(tmp_path)
    samples = stored.rows(files, "4217", TASKSTATS)
    assert samples[-1][CPU] == truth and samples[-1]["metric_backend"] == TASKSTATS.encode()
    proc = stored.rows(files, "4217", JOBPROC)
    assert proc[-1]["rchar"] == 2 * exact["rchar"]          # 0.6 adds what is per process for each of two threads
    assert proc[-1]["VmRSS"] > 2 * 1024                     # and its own collector drops this column
    assert len(stored.rows(files, "0", PROCSTATS)) >= 3
    assert stored.jobs(files) == {"4217"}


def test_our_node_sends_to_a_collector_of_0_6(root, uri, start, start_old, tmp_path):
    collector = collect_old(start_old, tmp_path, uri)
    with load(root.job(4218), tmp_path, 0.3, 1 << 20, 3 << 20, 2 << 20, threads=2) as process:
        truth, exact = cpu([process.pid]), fields(process.pid, "io")
        node = start("node", *sample(root, uri, "--wire", "0.6", "--enable-jobproc"))
        wait_for(lambda: pushed(collector, 4), PATIENCE, "records of the node")
        assert node.stop() == 0
        assert collector.stop() == 0
    path = tmp_path / "old.hdf5"
    assert {row[CPU] for row in stored.rows(path, "4218", TASKSTATS)} == {truth}
    assert {row["rchar"] for row in stored.rows(path, "4218", JOBPROC)} == {exact["rchar"]}
    assert len(stored.rows(path, "0", PROCSTATS)) >= 4
    assert {name for _, name in stored.tables(path)} == {TASKSTATS, PROCSTATS, JOBPROC}


def test_our_node_finds_out_by_itself_that_the_collector_is_of_0_6(root, uri, start, start_old, tmp_path):
    with load(root.job(4219), tmp_path, 0.1) as process:
        truth = cpu([process.pid])
        node = start("node", *sample(root, uri, "--wire-timeout", "2", "-vvv"))
        wait_for(lambda: "batch 2: " in node.errors(), PATIENCE, "batches that are kept")
        time.sleep(1)                                       # times of 0.6 are whole seconds
        began, collector = int(time.time()), collect_old(start_old, tmp_path, uri)
        wait_for(lambda: pushed(collector, 3), PATIENCE, "records of the node")
        assert node.stop() == 0
        assert collector.stop() == 0
    rows = stored.rows(tmp_path / "old.hdf5", "4219", TASKSTATS)
    assert {row[CPU] for row in rows} == {truth}
    assert sum(row["timestamp"] < began for row in rows) >= 2       # what was kept until it found out came too
    assert node.errors().count("a 0.6 collector, or a firewall") == 1


def test_nodes_of_both_releases_send_to_our_collector_at_once(root, uri, start, start_old, tmp_path):
    collector = collect(start, tmp_path, uri, "-vvv")
    with load(root.job(4220), tmp_path, 0.2, threads=4) as process:
        truth = cpu([process.pid])
        start_old("node", *sample(root, uri))
        wait_for(lambda: collector.errors().count("records received") >= 3, PATIENCE, "records of the node of 0.6")
        node = start("node", *sample(root, uri, "--hostname", "new-node"))
        wait_for(lambda: collector.errors().count("records received") >= 12, PATIENCE, "records of both nodes")
        assert node.stop() == 0
        assert collector.stop() == 0
    hosts = {}
    for row in stored.rows(stored.files(tmp_path), "4220", TASKSTATS):
        hosts.setdefault(row["hostname"], []).append(row[CPU])
    assert len(hosts) == 2 and set(hosts[b"new-node"]) == {truth}
    [theirs] = [values for host, values in hosts.items() if host != b"new-node"]
    assert theirs[-1] == truth and len(theirs) >= 3
