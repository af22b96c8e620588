"""The CPU time and the processes of jobs as they are stored, against wait4(2): by nodes of two periods at one time.

Where a job's directory outlives its last process, CPU time is exact; where it goes at once, it is a lower bound that
says so, or exact.
"""
import os
import shutil
from types import SimpleNamespace

import pytest

import exact
import known_cpu
import stored
from bombs import compiled
from programs import wait_for

pytest_plugins = ("harness",)
pytestmark = [pytest.mark.root, pytest.mark.slow]
PATIENCE = 120
PERIODS = (1, 5)                # s
LASTING = 1.0                   # s that a directory outlives the last process, on a machine that may be busy


@pytest.fixture(name="stand")
def _stand(root, start, uri, tmp_path):
    """stand.rows(id, table): {period: rows}, after stand.stop()."""
    if not shutil.which("make"):
        pytest.skip("needs make")
    compiled(tmp_path, "burn")
    collector = start("collector", "-vvv", "-s", "0.2", "--zeromq-bind-uri", uri,
                      "--hdf5-filepath", tmp_path / "n.hdf5")
    wait_for(lambda: uri in collector.errors(), PATIENCE, "start of the collector")
    nodes = [start("node", "--cpuset_rootpath", root.path, "-s", period, "--hostname", "every%d" % period,
                   "--zeromq-uri", uri, "-vvv") for period in PERIODS]
    wait_for(lambda: nodes[0].errors().count("batch 1: ") == len(PERIODS), PATIENCE, "first batches of both nodes")

    def stop():
        assert [node.stop() for node in nodes] + [collector.stop()] == [0, 0, 0]
        assert "Traceback" not in nodes[0].errors()

    def rows(job, table):
        found = stored.rows(tmp_path / "n.hdf5", job, table)
        return {period: [row for row in found if row["hostname"] == b"every%d" % period] for period in PERIODS}
    return SimpleNamespace(stop=stop, rows=rows)


def test_cpu_time_and_processes_are_those_of_wait4(root, stand, tmp_path):
    lasting = known_cpu.run(root, exact.LASTING, tmp_path, 100, LASTING)
    removed = known_cpu.run(root, exact.AT_ONCE, tmp_path, 200, 0)
    stand.stop()
    close = []
    for job, truth in {**lasting, **removed}.items():
        for period in PERIODS:
            [row] = stand.rows(job, "job")[period]
            exact.check_tasks(truth, row, stand.rows(job, "account")[period][-1])
            if job in lasting:
                close.append(exact.check_lasting(truth, row, "cgroup v1"))
            else:
                exact.check_removed(truth, row)
            if os.environ.get("COLMET_SHOW"):
                print("%-4s every %d s %s" % (job, period, exact.shown(truth, row)))
    assert len(close) == len(PERIODS) * len(exact.LASTING) and sum(close) >= len(close) * (1 - exact.RARELY)
