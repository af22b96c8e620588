"""What is mounted where: texts of mountinfo, and a cgroup in all hierarchies that show it."""
import os
from pathlib import Path

import pytest

from colmet.common.mounts import V2, Mount, directories, mounted, mounts, parse

WANTED = ("cpuacct", "memory", "blkio", V2)


def test_a_cgroup_is_found_under_the_same_path_elsewhere():
    text = (
        "30 25 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
        "31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
        "32 30 0:28 /docker/a /sys/fs/cgroup/my\\040memory rw - cgroup cgroup rw,memory\n"
        "33 30 0:29 /docker/a /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
        "34 30 0:30 /docker/b /sys/fs/cgroup/blkio rw - cgroup cgroup rw,blkio\n"
        "35 30 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n")
    mounts = parse(text)
    assert parse(text, ("cgroup2", "tmpfs")) == [mounts[0], mounts[-1]]
    assert mounts[-1] == Mount("cgroup2", os.makedev(0, 31), "/sys/fs/cgroup/unified", "/", ("rw",), "cgroup2")
    assert mounts[-1].controllers == {V2} and {"cpu", "cpuacct"} < mounts[1].controllers
    assert sorted(directories("/sys/fs/cgroup/cpuset/oar/alice_12", mounts, WANTED)) == [
        (V2, "/sys/fs/cgroup/unified/docker/a/oar/alice_12"),
        ("cpuacct", "/sys/fs/cgroup/cpu,cpuacct/docker/a/oar/alice_12"),
        ("memory", "/sys/fs/cgroup/my memory/oar/alice_12")]
    assert directories("/sys/fs/cgroup/cpuset", mounts, WANTED)[0] == ("cpuacct", "/sys/fs/cgroup/cpu,cpuacct/docker/a")
    assert directories("/elsewhere/alice_12", mounts, WANTED) == [(name, "/elsewhere/alice_12") for name in WANTED[:-1]]


@pytest.mark.parametrize("text", [
    "", "\n", " - ", "1 2 3:4 / / rw", "1 2 3:4 / / rw - cgroup", "1 2 - cgroup2 none rw"])
def test_lines_that_are_none_are_left_out(text):
    assert parse(text) == parse(text, ("cgroup",)) == []


def test_this_machine_has_the_root_and_proc_mounted():
    points = {mount.point: mount.kind for mount in mounts()}
    assert points["/proc"] == "proc" and "/" in points


def test_the_mounts_of_another_root_lie_below_it(tmp_path):
    assert mounted(tmp_path) == []
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "mountinfo").write_text(
        "31 30 0:27 / /cg rw - cgroup2 cgroup2 rw\n32 30 0:28 / / rw - ext4 /dev/vda rw\n")
    assert [mount.point for mount in mounted(tmp_path)] == ["%s/cg" % tmp_path]
    (tmp_path / "proc" / "self" / "mountinfo").write_text(
        "31 30 0:27 / /cg rw - cgroup2 cgroup2 rw\n41 30 0:27 / %s/cg rw - cgroup2 cgroup2 rw\n" % tmp_path)
    assert [mount.point for mount in mounted(tmp_path)] == ["%s/cg" % tmp_path]     # it does already: it is that one
    assert all(mount.point.startswith("/") for mount in mounted(Path("/")))
