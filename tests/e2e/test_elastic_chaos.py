"""Server, writer and collector are killed while jobs run: Elasticsearch ends with each row once, as HDF5 has them."""
import os
import signal
from pathlib import Path

import h5py
import pytest

import stored
from e2e.peers import JOBPROC, Node
from programs import free_port, wait_for
from stored_elastic import PATIENCE, check_same, collector, wait_for_count
from workload import cpu, load

pytest_plugins = ("harness", "elastic.fixtures")
CPU = "cpu_run_virtual_total"
BATCHES, ROWS = 115, 80             # so many that the server is at it for some seconds, and that one search finds all
BACKLOG = 60                        # batches of `WIDE` rows: many times what a writer may hold
WIDE = 4000
HELD = 40 << 10                     # KiB that the writer may take more than it did with nothing to do


def writer_of(program):
    """Process id of the Elasticsearch writer of a collector; None while it has none."""
    for pid in Path("/proc/%d/task/%d/children" % (program.pid, program.pid)).read_text().split():
        try:
            if b"colmet.collector.elasticsearch.writer" in Path("/proc/%s/cmdline" % pid).read_bytes():
                return int(pid)
        except FileNotFoundError:
            continue
    return None


def kill_writer(program):
    """Kill the writer and wait until the collector has another."""
    killed = wait_for(lambda: writer_of(program), PATIENCE, "writer")
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: writer_of(program) not in (None, killed), PATIENCE, "new writer")


def resident(pid, field="VmRSS"):
    """KiB of memory of a process; VmHWM: the most so far."""
    lines = Path("/proc/%d/status" % pid).read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field + ":"))


def flood(uri, batches, rows, first=1):
    """Have a collector acknowledge many rows of one table at once."""
    scheme, _, port = uri.rpartition(":")
    with Node("%s:%d" % (scheme, int(port) + 1)) as node:
        node.hello(tables=[JOBPROC], sequence=batches)
        for sequence in range(first, first + batches):
            node.send(sequence, rows=rows)
        node.acknowledged(first + batches - 1, PATIENCE)


@pytest.mark.root
def test_server_writer_and_collector_are_killed_while_jobs_run(root, uri, start, tmp_path, elasticsearch, prefix):
    def begin():
        return collector(start, uri, tmp_path, elasticsearch.url, prefix, "--hdf5-window", "1", "--elastic-bulk-size",
                         "32K")

    ours = begin()
    with load(root.job(4217), tmp_path, 0.3, threads=2) as process:
        truth = cpu([process.pid])
        node = start("node", "--cpuset_rootpath", root.path, "-s", "0.2", "--zeromq-uri", uri, "--hostname", "node-2",
                     "--zeromq-linger", "60000")
        wait_for_count(elasticsearch, prefix + "taskstats_default", 2)
        flood(uri, BATCHES, ROWS)
        wait_for_count(elasticsearch, prefix + JOBPROC.name, ROWS)
        elasticsearch.kill9()                                           # in mid-bulk
        wait_for(lambda: "until then the journal keeps" in ours.errors(), PATIENCE, "word that it is away")
        before = len(stored.files(tmp_path))
        wait_for(lambda: len(stored.files(tmp_path)) >= before + 2, PATIENCE, "windows of HDF5 in the meantime")
        kill_writer(ours)
        ours.stop(signal.SIGKILL)
        ours = begin()                                                  # Elasticsearch is not there
        elasticsearch.start()
        elasticsearch.wait()
        count = elasticsearch.count(prefix + "taskstats_default")
        kill_writer(ours)                                             # and this time while it catches up
        wait_for_count(elasticsearch, prefix + "taskstats_default", count + 10)
        assert node.stop(timeout=60) == 0
    assert ours.stop(timeout=120) == 0, ours.errors()
    documents = check_same(stored.files(tmp_path), elasticsearch, prefix)
    assert len(documents["12", JOBPROC.name]) == BATCHES * ROWS
    assert {document[CPU] for document in documents["4217", "taskstats_default"]} == {truth}
    ticks = sorted(int(hit["_id"].split("-")[3]) for hit in elasticsearch.hits(prefix + "taskstats_default")
                   if hit["_source"]["job"] == "4217")
    assert ticks == list(range(ticks[0], ticks[0] + len(ticks))) and len(ticks) > 20


def test_a_server_that_is_away_costs_no_memory_and_holds_up_nobody(start, uri, tmp_path):
    ours = collector(start, uri, tmp_path, "http://127.0.0.1:%d" % free_port(), "away_", "--hdf5-window", "1",
                     "--elastic-bulk-size", "1M")
    writer = wait_for(lambda: writer_of(ours), PATIENCE, "writer")
    idle = resident(writer)
    flood(uri, BACKLOG, WIDE)                   # all of it is acknowledged
    wait_for(lambda: sum(map(rows_in, stored.files(tmp_path))) == BACKLOG * WIDE, PATIENCE, "rows in HDF5")
    assert "connection refused" in ours.errors()
    size = sum(path.stat().st_size for path in (tmp_path / "journal").glob("*.journal"))
    assert size > BACKLOG * WIDE * 8 * len(JOBPROC.metrics) > 0
    assert writer_of(ours) == writer and resident(writer, "VmHWM") - idle < HELD
    assert ours.stop(timeout=120) == 1          # not all is stored, and it says so
    assert "the journal" in ours.errors().splitlines()[-1]


def rows_in(path):
    """Rows of the flood's table in a file."""
    with h5py.File(path, "r") as file:
        name = "job_12/" + JOBPROC.name
        return len(file[name]) if name in file else 0
