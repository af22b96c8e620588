"""Jobs found by the rules of schedulers, at any depth, in trees of files and in real cgroups."""
import os
import pwd
import shutil
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

import colmet.node.jobs.finder
import colmet.node.jobs.jobs
import colmet.node.jobs.owners
from cgroups import BASE, patiently, schedulers_names, until, v1
from colmet.common.schedulers import NONE, rules
from colmet.node.clock import SECOND
from colmet.node.jobs.jobs import Jobs
from colmet.node.jobs.trails import job_of_sluid

MOUNTS = """\
31 22 0:27 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset
32 22 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
33 22 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
34 22 0:29 / /sys/fs/cgroup/again rw - cgroup2 cgroup2 rw
"""
STEP = "system.slice/slurmstepd.scope"
SLUID = "s0A1B2C3D4E5FG"
NUMBERS = count(1)


@pytest.fixture(name="patient", autouse=True)
def _patient(monkeypatch):
    """Names of users are waited for, however busy the machine is."""
    monkeypatch.setattr(colmet.node.jobs.owners, "WAIT", 60)


@pytest.fixture(name="tree")
def _tree(tmp_path):
    """A file system with the hierarchies cpuset, memory and unified, as folders."""
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "mountinfo").write_text(MOUNTS)
    for name in ("cpuset", "memory", "unified"):
        (tmp_path / "sys/fs/cgroup" / name).mkdir(parents=True)
    return tmp_path


def make(tree, hierarchy, path, *pids):
    """The cgroup `path` with these processes, all above it made where they are not."""
    folder = tree / "sys/fs/cgroup" / hierarchy / path
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("cgroup.procs", "tasks"):
        (folder / name).write_text("".join("%d\n" % pid for pid in pids))
    return folder


def process(tree, pid, cmdline):
    """The process `pid` with this command line."""
    (tree / "proc" / str(pid)).mkdir(exist_ok=True)
    (tree / "proc" / str(pid) / "cmdline").write_bytes(cmdline)


def look(tree, known=None):
    """Jobs of this tree by `known`, or else all rules; to be closed."""
    return closing(Jobs(tree, (), rules=rules() if known is None else known))


def seen(jobs):
    """{(scheduler, user, id)} after all that happened was taken up, by events alone."""
    jobs.wait(until(0))
    return {(job.scheduler, job.user, job.id) for job in jobs.present()}


def test_jobs_that_are_here_and_jobs_that_come(tree):
    make(tree, "cpuset", "slurm_lab1/uid_0/job_1/step_0/task_0")
    make(tree, "unified", "oar.slice/oar-u4294967294.slice/oar-u4294967294-j5.slice")
    with look(tree) as jobs:
        known = {("slurm", pwd.getpwuid(0).pw_name, "1"), ("oar", "4294967294", "5")}
        assert seen(jobs) == known
        assert jobs.tried() == ["cgroups of oar: 1 here", "cgroups of slurm: 1 here"]
        make(tree, "unified", STEP + "/job_7/step_extern/user/task_0")
        make(tree, "cpuset", "slurm_lab2/uid_0/job_2/step_batch")
        make(tree, "cpuset", "oar/al_ice_3")
        make(tree, "unified", STEP + "/system")
        assert seen(jobs) - known == {("slurm", "", "7"), ("slurm", "root", "2"), ("oar", "al_ice", "3")}


def test_a_job_is_found_by_mkdir_of_its_whole_path_and_goes_with_it(tree):
    with look(tree) as jobs:
        for _ in range(3):      # the whole tree of the scheduler comes and goes
            make(tree, "cpuset", "slurm/uid_0/job_1/step_0", 1)
            make(tree, "memory", "slurm/uid_0/job_1/step_0/task_0", 1)
            assert seen(jobs) == {("slurm", "root", "1")}
            job = jobs.present()[0]
            assert [path.parts[-4] for path in job.cgroups] == ["cpuset"]      # one hierarchy is enough
            assert list(job.tasks()) == [1]
            for hierarchy in ("cpuset", "memory"):
                shutil.rmtree(str(tree / "sys/fs/cgroup" / hierarchy / "slurm"))
            assert seen(jobs) == set() and jobs.ended() == [job]


def test_where_the_preferred_hierarchy_has_none_another_serves(tree):
    make(tree, "memory", "slurm/uid_0/job_1/step_0/task_3", 1)
    with look(tree) as jobs:
        assert seen(jobs) == {("slurm", "root", "1")}
        assert jobs.present()[0].steps == {"0"}
        make(tree, "memory", "slurm/uid_0/job_1/step_batch/task_0", 2)
        jobs.wait(until(0))
        assert jobs.present()[0].steps == {"0", "batch"}
        assert sorted(jobs.present()[0].processes()) == [1, 2]


def test_a_step_that_came_and_went_unseen_is_named(tree):
    job = make(tree, "cpuset", "slurm/uid_0/job_1")
    with look(tree) as jobs:
        assert seen(jobs) == {("slurm", "root", "1")}
        (job / "step_4").mkdir()
        (job / "step_4").rmdir()
        (job / "other").mkdir()
        jobs.wait(until(0))
        assert jobs.present()[0].entry()["steps"] == ["4"] and len(jobs.present()[0].parts[0].directories) == 2


def test_the_preferred_hierarchy_serves_when_it_comes_late(tree):
    make(tree, "memory", "slurm/uid_0/job_1", 1)
    with look(tree) as jobs:
        [job] = jobs.present()
        make(tree, "cpuset", "slurm")           # as slurmd makes it for its first job
        assert seen(jobs) == {("slurm", "root", "1")} and jobs.present() == [job]
        make(tree, "cpuset", "slurm/uid_0/job_1", 1)
        make(tree, "memory", "slurm/uid_0/job_2", 2)
        assert seen(jobs) == {("slurm", "root", "1")} and jobs.present() == [job]
        assert [path.parts[-4] for path in job.cgroups] == ["cpuset"]
        make(tree, "cpuset", "slurm/uid_0/job_2", 2)
        assert seen(jobs) == {("slurm", "root", "1"), ("slurm", "root", "2")}
        for hierarchy in ("memory", "cpuset"):
            shutil.rmtree(str(tree / "sys/fs/cgroup" / hierarchy / "slurm/uid_0/job_1"))
        assert seen(jobs) == {("slurm", "root", "2")} and jobs.ended() == [job]


def test_what_a_job_is_called_goes_with_its_rows(tree):
    make(tree, "cpuset", "oar/alice_3")
    with look(tree) as jobs:
        assert [job.entry() for job in jobs.present()] == [{"job": "3", "user": "alice", "scheduler": "oar"}]


@pytest.mark.root
def test_a_sluid_becomes_the_id_that_slurmstepd_tells_and_no_users_process(tree):
    process(tree, 76, b"slurmstepd: [1.0]\0")      # a user's, who would be job 1
    os.chown(str(tree / "proc" / "76" / "cmdline"), 65534, 65534)
    make(tree, "unified", "%s/%s/step_0/user/task_0" % (STEP, SLUID), 76)
    with look(tree) as jobs:
        assert seen(jobs) == set()
        process(tree, 77, b"slurmstepd: [4217.0]\0")
        make(tree, "unified", "%s/%s/step_0/slurm" % (STEP, SLUID))
        assert seen(jobs) == set()
        make(tree, "unified", "%s/%s/step_0/slurm" % (STEP, SLUID), 77)
        assert seen(jobs) == {("slurm", "", "4217")}
        assert sorted(jobs.present()[0].processes()) == [76, 77]


@pytest.mark.root
def test_a_slurmstepd_that_enters_while_it_is_looked_for_is_found(tree, monkeypatch):
    asked = []

    def ask(path, proc):
        asked.append(job_of_sluid(path, proc))
        if len(asked) == 1:
            process(tree, 77, b"slurmstepd: [4217.0]\0")
            make(tree, "unified", "%s/%s/step_0/slurm" % (STEP, SLUID), 77)
        return asked[-1]
    monkeypatch.setattr(colmet.node.jobs.finder, "job_of_sluid", ask)
    monkeypatch.setattr(colmet.node.jobs.jobs, "CHECK_NS", 3600 * SECOND)
    with look(tree) as jobs:
        make(tree, "unified", "%s/%s/step_0" % (STEP, SLUID))
        assert seen(jobs) | seen(jobs) == {("slurm", "", "4217")} and asked[0] is None


@pytest.mark.root
def test_a_slurmstepd_that_says_later_who_it_is_is_found(tree, monkeypatch):
    monkeypatch.setattr(colmet.node.jobs.jobs, "CHECK_NS", 0)
    process(tree, 77, b"slurmstepd\0")
    make(tree, "unified", "%s/%s/step_0/slurm" % (STEP, SLUID), 77)
    with look(tree) as jobs:
        assert seen(jobs) == set()
        process(tree, 77, b"slurmstepd: [4217.0]\0")
        assert seen(jobs) == {("slurm", "", "4217")}


def test_a_site_writes_its_own_rule(tree):
    own = rules(NONE, [r"batch/q-.+/(?P<user>.+)\.(?P<job>[0-9]+)/(?P<step>.+)"])
    with look(tree, own) as jobs:
        make(tree, "cpuset", "batch/q-long/bob.12/part")
        make(tree, "cpuset", "batch/other/bob.13")
        make(tree, "cpuset", "oar/alice_3")
        assert seen(jobs) == {("site", "bob", "12")}
        assert jobs.tried() == ["cgroups of --rule: 1 here"]
        assert jobs.present()[0].steps == {"part"}


def test_hostile_names_are_no_jobs_and_harm_none(tree):
    with look(tree) as jobs:
        for name in ("slurm/uid_0/job_1\n", "slurm/uid_0/job_0", "slurm/uid_/job_2", "slurm/job_3", "oar/_", "oar/0",
                     os.fsdecode(b"slurm/uid_0/job_\xff"), "slurm/uid_0/job_" + "9" * 200):
            make(tree, "cpuset", name)
        (tree / "sys/fs/cgroup/cpuset/slurm/uid_0/job_8").symlink_to("/")
        make(tree, "cpuset", os.fsdecode(b"oar/\xffeve_4"))
        assert seen(jobs) == {("slurm", "root", "9" * 200), ("oar", "\ufffdeve", "4")}


def test_a_node_without_jobs_says_once_where_it_looked(tree, caplog, monkeypatch):
    monkeypatch.setattr(colmet.node.jobs.jobs, "SCAN_NS", 0)
    with look(tree) as jobs:
        seen(jobs)
        seen(jobs)
        told = [record.getMessage() for record in caplog.records if "no job in" in record.getMessage()]
        assert len(told) == 1
        assert "cgroups of slurm: slurm[_*]/uid_<uid>/job_<job>, system.slice/" in told[0]
        assert str(tree / "sys/fs/cgroup/cpuset") in told[0] and "--rule" in told[0]
    make(tree, "cpuset", "oar/alice_3")
    caplog.clear()
    with look(tree) as jobs:
        seen(jobs)
        assert caplog.records == []


def top(hierarchy, shape):
    """A new directory for jobs in a real hierarchy, of a name like a scheduler's that no scheduler uses."""
    path = BASE / hierarchy / (shape % ("%dt%d" % (os.getpid(), next(NUMBERS))))
    path.mkdir()
    return path


@pytest.mark.parametrize("shape, below, expected", [
    ("slurm_%s", "uid_0/job_4217/step_0", ("slurm", "root", "4217")),
    ("oardocker/%s", "oar/a_l-i.ce_4217", ("oar", "a_l-i.ce", "4217")),
])
def test_in_real_cgroups_by_events_alone(shape, below, expected):
    with v1("cpuset"), schedulers_names():
        made = BASE / "cpuset" / Path(shape).parent
        ours = not made.exists()
        made.mkdir(exist_ok=True)
        with closing(Jobs(Path("/"), (), rules=rules())) as jobs:
            here = top("cpuset", shape)
            try:
                (here / below).mkdir(parents=True)
                assert expected in seen(jobs)
            finally:
                for folder, _, _ in os.walk(str(here), topdown=False):
                    patiently(lambda: os.rmdir(folder))
                if ours:
                    made.rmdir()
            assert expected not in seen(jobs)
            assert expected in [(job.scheduler, job.user, job.id) for job in jobs.ended()]
