"""colmet-node as an ordinary user who has few capabilities or none: which reader of tasks it takes, and what is stored
of a job then."""
import os
import shutil
import subprocess
import sys

import pytest

import stored
from colmet.common.metrics import account as declared
from colmet.common.metrics.job import CPU_SOURCES, END_SOURCES
from colmet.node import bpf
from programs import wait_for

pytest_plugins = ("harness",)
pytestmark = [pytest.mark.root, pytest.mark.slow]
PATIENCE = 60
READING = "dac_read_search"         # this Python may lie where only root can go
RIGHTS = {"bpf": ("bpf", "perfmon"), "netlink": ("net_admin",), "proc": ()}
LACKING = {"bpf": (), "netlink": ("CAP_BPF",), "proc": ("CAP_BPF", "CAP_NET_ADMIN")}
COUNT = 20
CHILDREN = """
import os, sys
sys.stdin.readline()
for _ in range(%d):
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
sys.stdin.readline()
""" % COUNT


def ordinary(*capabilities):
    """The command that runs another as nobody, with these capabilities alone."""
    kept = ",".join(["-all"] + ["+" + name for name in capabilities + (READING,)])
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=" + kept,
            "--ambient-caps=" + kept, "--bounding-set=" + kept]


def told(process):
    """Let it go on to its next stop."""
    process.stdin.write(b"\n")
    process.stdin.flush()


@pytest.mark.parametrize("reader", RIGHTS)
def test_with_these_rights_alone_a_node_takes_this_reader(reader, root, start, uri, tmp_path):
    if not shutil.which("setpriv"):
        pytest.skip("needs setpriv: install util-linux")
    if reader == "bpf" and not bpf.BTF.exists():
        pytest.skip("needs BPF: this kernel has no BTF")
    collector = start("collector", "-vvv", "-s", "0.2", "--zeromq-bind-uri", uri,
                      "--hdf5-filepath", tmp_path / "n.hdf5")
    wait_for(lambda: uri in collector.errors(), PATIENCE, "start of the collector")
    node = start("node", "--cpuset_rootpath", root.path, "-s", "0.5", "--zeromq-uri", uri, "-vvv",
                 before=ordinary(*RIGHTS[reader]))

    def ticks(more):
        least = node.errors().count(": batch ") + more
        wait_for(lambda: node.errors().count(": batch ") >= least, PATIENCE, "batches of the node")
    ticks(1)
    job = root.job(61)
    process = job.run(sys.executable, "-S", "-E", "-c", CHILDREN, stdin=-1)
    ticks(2)
    told(process)
    ticks(2)
    told(process)
    assert process.wait(PATIENCE) == 0
    ticks(2)
    counted = job.read("cpuacct", "cpuacct.usage")
    job.remove()
    ticks(2)
    assert [node.stop(), collector.stop()] == [0, 0]
    said = " ".join(node.errors().split())
    assert "taskstats (%s)" % reader in said and "Traceback" not in said and "missing" not in said
    assert [name for name in LACKING[reader] if name not in said] == []
    [row] = stored.rows(tmp_path / "n.hdf5", "61", "job")
    assert (END_SOURCES[row["end_source"]], CPU_SOURCES[row["cpu_source"]]) == ("exact", "cgroup v1")
    assert row["cpu"] == counted
    rows = stored.rows(tmp_path / "n.hdf5", "61", "account")
    if reader == "proc":
        assert len(rows) == 0
    else:
        last = rows[-1]
        assert declared.SOURCES[last["source"]] == reader
        assert last["processes_started"] == last["processes_ended"] == row["processes"] == 1 + COUNT


def test_what_an_ordinary_user_left_in_the_kernel_is_found_again(root, start, tmp_path):
    if not shutil.which("setpriv") or not shutil.which("mount"):
        pytest.skip("needs setpriv and mount: install util-linux")
    if not bpf.BTF.exists():
        pytest.skip("needs BPF: this kernel has no BTF")
    place, pins = tmp_path / "bpf", tmp_path / "bpf" / "colmet"
    place.mkdir()
    subprocess.run(["mount", "-t", "bpf", "-o", "mode=0700", "bpf", str(place)], check=True)
    try:
        pins.mkdir()
        os.chown(pins, 65534, 65534)
        root.job(62).run("sleep", 1000)
        for time in (1, 2):
            node = start("node", "--cpuset_rootpath", root.path, "-s", "0.5", "-vvv", "--zeromq-linger", 0,
                         "--zeromq-uri", "ipc://%s/nobody" % tmp_path, "--account-pins", pins,
                         before=ordinary("bpf", "perfmon"))
            said = node.errors().count(": batch ")
            wait_for(lambda: node.errors().count(": batch ") > said + 1, PATIENCE, "batches of the node")
            assert node.stop() == 0 and node.errors().count("taskstats (bpf)") == time
            [left] = pins.iterdir()
            assert (left / "on_exit").exists()
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
