"""`colmet attach`: a process or a cgroup that runs already."""
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from programs import wait_for
from runs import job_row, line
from workload import cpu

pytest_plugins = ("harness",)

BURN = "import time\nend = time.monotonic() + %g\nwhile time.monotonic() < end: pass"


@pytest.fixture
def burning():
    process = subprocess.Popen([sys.executable, "-c", BURN % 1000])
    yield process
    process.kill()
    process.wait()


def test_a_process_until_it_ends(place, burning):
    with place.start("attach", burning.pid, "-s", "0.2") as attached:
        wait_for(lambda: place.processes("colmet.node.main", str(burning.pid)), 60, "node")
        first = wait_for(attached.stderr.readline, 60, "word that it measures")
        assert "measuring" in first and "until it ends" in first
        wait_for(lambda: place.samples(burning.pid) >= 2, 60, "two samples")
        burning.kill()
        burning.wait()
        _, err = attached.communicate(timeout=60)
    job, row = job_row(place.file())
    assert attached.returncode == 0 and job == str(burning.pid) and row["samples"] >= 2
    assert "ended" in line(err, "wall") and "complete" in err


def test_for_a_time_and_it_goes_on(place, burning):
    before = cpu([burning.pid])
    code, _, err = place.colmet("attach", "--for", "1.5", "-s", "0.3", "-o", "x.hdf5", burning.pid)
    after = cpu([burning.pid])
    job, row = job_row(place.cwd / "x.hdf5")
    assert code == 0 and burning.poll() is None and job == str(burning.pid)
    assert "from its own start" in err and "%" not in line(err, "CPU")     # of its whole life, so no share of 1.5 s
    assert "still running" in line(err, "wall") and 1.4e9 < row["wall"] and before < row["cpu"] <= after


def test_ctrl_c_ends_the_measuring_only(place, burning):
    with place.start("attach", burning.pid) as attached:
        wait_for(attached.stderr.readline, 60, "word that it measures")
        attached.send_signal(signal.SIGINT)
        _, err = attached.communicate(timeout=60)
    assert attached.returncode == 0 and burning.poll() is None and "still running" in line(err, "wall")


@pytest.mark.root
@pytest.mark.parametrize("name, job", [("view_%d", "%d"), ("view-%d.service", "view-%d.service")])
def test_a_cgroup(place, burning, name, job):
    cgroup = Path("/sys/fs/cgroup/cpuacct") / (name % os.getpid())
    if not cgroup.parent.exists():
        pytest.skip("needs cgroup v1: this machine has none")
    cgroup.mkdir()
    try:
        (cgroup / "cgroup.procs").write_text(str(burning.pid))
        code, _, err = place.colmet("attach", cgroup.name, "--for", "1.2", "-s", "0.3")
        assert code == 0 and burning.poll() is None and "complete" in err
        found, row = job_row(place.file())
        assert found == job % os.getpid() and 0 < row["cpu"] <= int((cgroup / "cpuacct.usage").read_text())
    finally:
        burning.kill()
        burning.wait()
        wait_for(lambda: removed(cgroup), 30, "end of the cgroup")


def removed(cgroup):
    """Whether it could be removed: an ending process stays in it for a moment."""
    try:
        cgroup.rmdir()
    except OSError:
        return False
    return True
