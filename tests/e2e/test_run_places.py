"""`colmet run` where cgroups are of another kind or cannot be written, for ordinary users and under sudo."""
import os
import subprocess
import sys

import pytest
from namespaces import with_mounts
from runs import ORDINARY, job_row, line, unfolded

pytest_plugins = ("harness",)

from colmet.common.metrics.job import CPU_SOURCES

BURN = [sys.executable, "-c", "import time\nwhile time.process_time() < 0.5: pass"]
READ_ONLY = ("for place in $(grep -E '^[^ ]+ [^ ]+ cgroup2? ' /proc/mounts | cut -d' ' -f2); do "
             "mount -o remount,ro,bind $place; done")
V2 = "mount -t tmpfs none /sys/fs/cgroup; mkdir /sys/fs/cgroup/own; mount -t cgroup2 none /sys/fs/cgroup/own"
NONE = "mount -t tmpfs none /sys/fs/cgroup"


def mounted(script):
    """The prefix of a command in a mount namespace of its own, arranged by `script`."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("needs root: a mount namespace")
    return with_mounts(script)


def source(row, name):
    return CPU_SOURCES[row[name]]


@pytest.mark.root
def test_cgroup_v1_or_hybrid_as_on_this_machine(place):
    if not os.path.exists("/sys/fs/cgroup/cpuacct"):
        pytest.skip("needs cgroup v1: this machine has none")
    code, _, err = place.colmet("run", *BURN)
    row = job_row(place.file())[1]
    assert code == 0 and source(row, "cpu_source") == source(row, "peak_memory_source") == "cgroup v1"
    assert row["cpu"] >= 0.5e9 and "wait4" not in line(err, "note").replace("I/O from wait4", "")


def test_cgroup_v2_alone(place):
    code, _, err = place.colmet("run", *BURN, prefix=mounted(V2))
    row = job_row(place.file())[1]
    assert code == 0 and source(row, "cpu_source") == "cgroup v2" and row["cpu"] >= 0.5e9
    assert "no memory controller" in err and source(row, "peak_memory_source") in ("wait4", "last sample")


@pytest.mark.parametrize("script, reason", [(READ_ONLY, "read-only file system"), (NONE, "no cgroup file system")])
def test_where_no_cgroup_can_be_made_the_process_tree_is_measured(place, script, reason):
    code, _, err = place.colmet("run", "-s", "0.05", "sh", "-c", '"$@"; exit 3', "sh", *BURN, prefix=mounted(script))
    row = job_row(place.file())[1]
    assert code == 3 and reason in unfolded(err) and "process tree" in unfolded(err)
    assert source(row, "cpu_source") == "wait4" and row["cpu"] >= 0.5e9 and row["samples"] >= 2
    assert "complete" in err


@pytest.mark.root
def test_an_ordinary_user(place):
    code, _, err = place.colmet("run", "-s", "0.2", "sh", "-c", 'exec "$@"', "sh", *BURN, prefix=ORDINARY)
    row = job_row(place.file())[1]
    assert code == 0 and "permission denied" in unfolded(err)
    assert source(row, "cpu_source") == "wait4" and row["cpu"] >= 0.5e9
    assert place.file().stat().st_uid == 65534


@pytest.mark.root
def test_under_sudo_all_files_are_the_users(place):
    place.environ.update(SUDO_UID="65534", SUDO_GID="65534")
    os.chown(place.cwd, 65534, 65534)
    code, _, _ = place.colmet("run", "true")
    status = place.file().stat()
    assert code == 0 and (status.st_uid, status.st_gid) == (65534, 65534)
