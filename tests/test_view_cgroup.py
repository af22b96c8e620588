"""A cgroup of its own: made on the real file systems of this machine, as each kind of machine has them."""
import os
import subprocess
import sys
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from colmet.common.mounts import parse
from colmet.view import cgroup, scope
from namespaces import with_mounts

MOUNTS = """\
30 25 0:26 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755
31 30 0:27 / /sys/fs/cgroup/unified rw,nosuid - cgroup2 cgroup2 rw,nsdelegate
32 30 0:28 /docker/ab /sys/fs/cgroup/my\\040dir rw - cgroup cgroup rw,cpu,cpuacct
33 30 0:29 / /sys/fs/cgroup/systemd rw shared:9 - cgroup cgroup rw,xattr,name=systemd
"""
MEMBERSHIP = "4:cpu,cpuacct:/docker/ab/x\n1:name=systemd:/\n0::/user.slice/a:b\n"
# An ordinary user, who may read everything: this Python may lie where only root can go.
ORDINARY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all,+dac_read_search",
            "--ambient-caps=-all,+dac_read_search", "--bounding-set=-all,+dac_read_search")
PROBE = """
import subprocess, sys
from pathlib import Path
from colmet.view.cgroup import NoCgroup, OwnCgroup
held = subprocess.Popen(["sleep", "1000"])
try:
    own = OwnCgroup(held.pid)
    inside = held.pid in own.remaining()
    names = {path.name for path in own.directories} == {"colmet_%d" % held.pid}
    counted = any((path / name).exists() for path in own.directories for name in ("cpuacct.usage", "cpu.stat"))
    print(own.kind, inside, names, counted, own.remove(), [path for path in own.directories if path.exists()], sep="|")
except NoCgroup as error:
    print("none", error, sep="|")
finally:
    held.kill()
"""


def probe(*prefix):
    """What PROBE prints when it runs under the command `prefix`."""
    environ = dict(os.environ, PYTHONPATH=str(Path(cgroup.__file__).parents[2]))
    done = subprocess.run(list(prefix) + [sys.executable, "-c", PROBE], env=environ, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True)
    assert done.stderr == ""
    return done.stdout.strip()


def in_mounts(script):
    """PROBE in a mount namespace of its own that `script` has arranged."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("needs root: a mount namespace")
    return probe(*with_mounts(script))


def test_mounts_and_membership_are_parsed():
    unified, v1 = cgroup.hierarchies(parse(MOUNTS))
    assert (unified.controllers, unified.mount) == ((), "/sys/fs/cgroup/unified")
    assert (v1.controllers, v1.mount, v1.root) == (("cpuacct",), "/sys/fs/cgroup/my dir", "/docker/ab")
    membership = cgroup.parse_membership(MEMBERSHIP)
    assert cgroup.own_directory(v1, membership) == Path("/sys/fs/cgroup/my dir/x")
    assert cgroup.own_directory(unified, membership) == Path("/sys/fs/cgroup/unified/user.slice/a:b")
    assert cgroup.own_directory(v1, {"cpuacct": "/docker/abc"}) is None     # outside of what is mounted


def test_this_machine_gives_one_where_it_can():
    if os.geteuid() != 0:
        pytest.skip("needs root: a cgroup")
    fields = probe().split("|")
    assert fields[0] in ("cgroup v1", "cgroup v2") and fields[1:] == ["True", "True", "True", "[]", "[]"]


def test_v2_alone():
    said = in_mounts("mount -t tmpfs none /sys/fs/cgroup; mkdir /sys/fs/cgroup/own; "
                     "mount -t cgroup2 none /sys/fs/cgroup/own")
    assert said == "cgroup v2|True|True|True|[]|[]"


def test_v2_below_a_group_that_holds_processes():
    said = in_mounts("mount -t cgroup2 none /sys/fs/cgroup; mkdir /sys/fs/cgroup/view_test_$$; "
                     "trap 'echo $$ > /sys/fs/cgroup/cgroup.procs; rmdir /sys/fs/cgroup/view_test_$$' EXIT; "
                     "echo $$ > /sys/fs/cgroup/view_test_$$/cgroup.procs; \"$@\"; exit")
    assert said == "cgroup v2|True|True|True|[]|[]"


def test_a_read_only_mount_is_named():
    said = in_mounts("for place in $(grep -E '^[^ ]+ [^ ]+ cgroup2? ' /proc/mounts | cut -d' ' -f2); do "
                     "mount -o remount,ro,bind $place; done")
    assert said.startswith("none|/sys/fs/cgroup") and said.endswith("read-only file system")


def test_no_cgroup_file_system_at_all():
    assert in_mounts("mount -t tmpfs none /sys/fs/cgroup") == "none|no cgroup file system is mounted"


@pytest.mark.root
def test_an_ordinary_user_is_told_why_not():
    said = probe(*ORDINARY)
    assert said.startswith("none|/sys/fs/cgroup") and said.endswith("permission denied")


@pytest.mark.root
def test_what_still_runs_goes_back_and_the_directories_go():
    script = "import os, time\nif os.fork(): os._exit(0)\ntime.sleep(1000)"
    held = subprocess.Popen([sys.executable, "-c", "input()\n" + script], stdin=subprocess.PIPE)
    own = cgroup.OwnCgroup(held.pid)
    held.communicate(b"\n")
    left = own.remaining()
    try:
        assert len(left) == 1
        before = cgroup.parse_membership(Path("/proc/self/cgroup").read_text())
        assert own.remove() == []
        assert not [path for path in own.directories if path.exists()]
        assert cgroup.parse_membership(Path("/proc/%d/cgroup" % left.copy().pop()).read_text()) == before
    finally:
        for pid in left:
            os.kill(pid, 9)


def test_systemd_is_asked_in_a_login_session_only(tmp_path, monkeypatch):
    (tmp_path / "busctl").write_text("#!/bin/sh\nprintf '%s\\n' \"$@\" > " + str(tmp_path / "asked"))
    (tmp_path / "busctl").chmod(0o755)
    monkeypatch.setenv("PATH", "%s:%s" % (tmp_path, os.environ["PATH"]))
    assert scope.sensible("/sys/fs/cgroup/user.slice/user-1000.slice/session-3.scope")
    assert not scope.sensible("/sys/fs/cgroup/system.slice/slurmstepd.scope/job_1/step_0")
    monkeypatch.setattr(scope, "time", SimpleNamespace(monotonic=count().__next__, sleep=lambda _: None))
    there = Path("/sys/fs/cgroup/user.slice/colmet_77.scope")
    assert scope.move(77, lambda: there) == there
    asked = (tmp_path / "asked").read_text().split("\n")
    assert asked[asked.index("StartTransientUnit") + 2] == "colmet_77.scope"
    properties = asked[asked.index("fail") + 1:]
    assert properties[:5] == ["7", "PIDs", "au", "1", "77"] and properties.count("b") == 4
    assert scope.move(78, lambda: there) is None        # it never went there


def test_what_a_killed_run_left_goes_at_the_next_one_and_what_still_runs_stays():
    left = in_mounts("""
        test -w /sys/fs/cgroup/pids/cgroup.procs || exit 0
        sleep 0 & gone=$!; wait
        mkdir /sys/fs/cgroup/pids/colmet_$gone /sys/fs/cgroup/pids/colmet_$$x
        sleep 1000 & lives=$!; mkdir /sys/fs/cgroup/pids/colmet_$lives
        trap 'kill $lives; ls -d /sys/fs/cgroup/pids/colmet_$gone /sys/fs/cgroup/pids/colmet_$lives 2>/dev/null || true
            rmdir /sys/fs/cgroup/pids/colmet_$lives /sys/fs/cgroup/pids/colmet_$$x' EXIT
        "$@"; exit 0""")
    if not left:
        pytest.skip("needs cgroup v1: a pids hierarchy")
    assert [line.rpartition("/")[2][:7] for line in left.splitlines()[1:]] == ["colmet_"]


@pytest.mark.root
def test_the_cgroup_of_a_command_that_just_ended_stays_for_its_last_readings():
    first, second = (subprocess.Popen(["sleep", "1000"]) for _ in range(2))
    own = cgroup.OwnCgroup(first.pid)
    try:
        first.kill()
        first.wait()
        other = cgroup.OwnCgroup(second.pid)        # of another `colmet run` that starts now
        assert [path for path in own.directories if not path.exists()] == []
        assert other.directories and own.directories
    finally:
        second.kill()
        second.wait()
        assert other.remove() == own.remove() == []
    assert not [path for path in own.directories + other.directories if path.exists()]
