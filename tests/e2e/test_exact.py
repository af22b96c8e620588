"""The CPU time and the processes of jobs as they are stored, against wait4(2): by nodes of two periods at one time.

Where a job's directory outlives its last process, CPU time is exact; where it goes at once, it is a lower bound that
says so, or exact.
"""
import os
import shutil
import time
from types import SimpleNamespace

import pytest

import stored
from colmet.common.metrics.job import CPU_SOURCES, END_SOURCES
from known_cpu import Run, Shape
from programs import wait_for

pytest_plugins = ("harness",)
pytestmark = [pytest.mark.root, pytest.mark.slow]
PATIENCE = 120
PERIODS = (1, 5)                # s
LASTING = 0.4                   # s that a directory outlives the last process, on a machine that may be busy
EXACT, ENTRY = 0.001, 200_000   # share by which wait4 and the cgroup may differ; ns that it takes to enter
TICK, RARELY = 10_000_000, 0.2  # ns that wait4 may miss of who is kept from its end; the share of jobs with such
SHAPES = [Shape("fork", 5, 1, 100), Shape("fork", 5, 4, 100), Shape("exec", 5, 1, 20), Shape("exec", 5, 4, 20),
          Shape("fork", 50, 1, 10), Shape("fork", 50, 4, 12), Shape("exec", 50, 1, 8), Shape("exec", 50, 4, 8),
          Shape("fork", 500, 1, 1), Shape("exec", 500, 4, 4), Shape("fork", 1500, 1, 1), Shape("thread", 50, 4, 12),
          Shape("daemon", 50, 4, 12), Shape("daemon", 5, 1, 40), Shape("fork", 5, 1, 1), Shape("make", 50, 4, 12)]
AT_ONCE = [Shape("fork", 5, 1, 60), Shape("fork", 50, 4, 12), Shape("exec", 5, 4, 20), Shape("thread", 50, 4, 8),
           Shape("daemon", 50, 4, 8), Shape("fork", 5, 1, 1)]
SIDE_BY_SIDE = 6


def run(root, shapes, folder, lasting, first):
    """Run the shapes as jobs `first` and up, some at a time; {id: Run}, each removed `lasting` s after its end."""
    done, running = {}, []
    for number, shape in enumerate(shapes, first):
        if len(running) == SIDE_BY_SIDE:
            finish(running.pop(0), lasting)
        place = folder / str(number)
        place.mkdir()
        done[str(number)] = Run(root.job(number), shape, place)
        running.append(done[str(number)])
    for each in running:
        finish(each, lasting)
    return done


def finish(each, lasting):
    """Wait for its end and take its directories away, each as soon as the kernel lets go of it."""
    each.wait(lasting)
    for path in each.job.paths:
        end = time.monotonic() + 30
        while path.exists():
            try:
                path.rmdir()
            except OSError:
                assert time.monotonic() < end, path


@pytest.fixture(name="stand")
def _stand(root, start, uri, tmp_path):
    """stand.rows(id, table): {period: rows}, after stand.stop()."""
    if not shutil.which("make"):
        pytest.skip("needs make")
    collector = start("collector", "-vvv", "-s", "0.2", "--zeromq-bind-uri", uri,
                      "--hdf5-filepath", tmp_path / "n.hdf5")
    wait_for(lambda: uri in collector.errors(), PATIENCE, "start of the collector")
    nodes = [start("node", "--cpuset_rootpath", root.path, "-s", period, "--hostname", "every%d" % period,
                   "--zeromq-uri", uri) for period in PERIODS]
    wait_for(lambda: collector.errors().count("records received") > 2, PATIENCE, "records of the nodes")

    def stop():
        assert [node.stop() for node in nodes] + [collector.stop()] == [0, 0, 0]
        assert "Traceback" not in nodes[0].errors()

    def rows(job, table):
        found = stored.rows(tmp_path / "n.hdf5", job, table)
        return {period: [row for row in found if row["hostname"] == b"every%d" % period] for period in PERIODS}
    return SimpleNamespace(stop=stop, rows=rows)


def test_cpu_time_and_processes_are_those_of_wait4(root, stand, tmp_path):
    done = run(root, SHAPES, tmp_path, LASTING, 100)
    done.update(run(root, AT_ONCE, tmp_path, 0, 200))
    stand.stop()
    exact = close = 0
    for job, each in done.items():
        for period in PERIODS:
            [row] = stand.rows(job, "job")[period]
            last = stand.rows(job, "account")[period][-1]
            context = job, each.shape, period, each.cpu, row
            end, source = END_SOURCES[row["end_source"]], CPU_SOURCES[row["cpu_source"]]
            if each.shape.processes():
                assert last["processes_ended"] == row["processes"] == each.shape.processes(), context
            if int(job) < 200:
                exact += 1
                assert (end, source) == ("exact", "cgroup v1"), context
                assert row["cpu"] == each.counted, context
                close += abs(row["cpu"] - each.cpu) <= max(EXACT * each.cpu, ENTRY)
                assert -EXACT * each.cpu - ENTRY <= row["cpu"] - each.cpu <= EXACT * each.cpu + TICK, context
            elif end == "exact":
                assert abs(row["cpu"] - each.counted) <= ENTRY, context
            else:
                assert end == "records" and 0 < row["cpu"] <= max(each.cpu + each.before, each.counted), context
            if os.environ.get("COLMET_SHOW"):
                print("%-4s every %d s %-40s %-8s %-10s %+.4f %%" % (
                    job, period, each.shape, end, source, 100 * (row["cpu"] / each.cpu - 1)))
    assert exact == len(PERIODS) * len(SHAPES) and close >= exact * (1 - RARELY)
