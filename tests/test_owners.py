"""Whose jobs are: the user of their first process that is not root's, and names that are long in coming."""
import os
import pwd
import subprocess
import threading
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

import colmet.node.jobs.owners
from cgroups import BASE, patiently, schedulers_names, until, v1
from colmet.common.schedulers import rules
from colmet.node.jobs.job import Job
from colmet.node.jobs.jobs import Jobs
from colmet.node.jobs.owners import AGAIN_NS, Owners, Users, real_user
from e2e.programs import wait_for

pytestmark = pytest.mark.usefixtures("patient")
STATUS = "Name:\tx\nUid:\t%s\t0\t0\t0\nGid:\t0\t0\t0\t0\n"
NOBODY = 65534


@pytest.fixture(name="patient")
def _patient(monkeypatch):
    """Names that come at once are waited for, however busy the machine is."""
    monkeypatch.setattr(colmet.node.jobs.owners, "WAIT", 60)


class Processes:
    """Part of a job: processes whose numbers are 1, 2 ..., of these users."""
    directories = ()

    def __init__(self, proc, *uids):
        self._proc = proc
        self.run(*uids)

    def run(self, *uids):
        self._pids = list(range(1, 1 + len(uids)))
        for pid, uid in zip(self._pids, uids):
            (self._proc / str(pid)).mkdir(exist_ok=True)
            (self._proc / str(pid) / "status").write_text(STATUS % uid)

    def processes(self):
        return self._pids

    tasks = processes


def named(uid):
    """A passwd entry as it is asked for."""
    return SimpleNamespace(pw_name="user%d" % uid)


def of(proc, *uids, **more):
    """(Job with processes of these users, Owners that took it up)."""
    job, owners = Job("7", **more), Owners(str(proc), Users(named))
    job.parts = (Processes(proc, *uids),)
    owners.add(job)
    return job, owners


def test_the_first_process_that_is_not_roots_tells(tmp_path):
    job, owners = of(tmp_path, 0, 0, 1001, 1002)
    assert owners.find(job) == 3 and (job.user, job.key) == ("user1001", ("7", ""))
    assert owners.find(job) == 0        # it is known now


def test_it_may_come_later_and_is_looked_for_more_and_more_seldom(tmp_path):
    job, owners = of(tmp_path, 0, 0)
    job.started = True
    looked = []
    job.processes = lambda: looked.append(1) or [1, 2]
    for _ in range(1000):
        owners.look()
    assert job.user == "" and len(looked) == 11
    job.parts[0].run(0, 0, 5)
    del job.processes
    for _ in range(30):
        owners.look()
    assert job.user == "user5"


def test_a_tick_looks_at_so_many_processes(tmp_path):
    job, owners = of(tmp_path, *[0] * 300)
    job.started = True
    others = [Job(str(number)) for number in range(50)]
    for other in others:
        other.parts, other.started = job.parts, True
        owners.add(other)
    assert owners.find(job, 70) == 70
    read = []
    owners.find = lambda job, most: read.append(most) or 70
    owners.look()
    assert read == [100, 30]


def test_root_alone_and_who_is_gone_tell_nothing(tmp_path):
    job, owners = of(tmp_path, 0)
    job.parts[0]._pids.append(999)
    assert owners.find(job) == 2 and job.user == ""
    assert real_user(str(tmp_path), 999) is None
    (tmp_path / "1" / "status").write_text("Name:\tUid:\t5\n")
    assert real_user(str(tmp_path), 1) is None


def test_a_jobs_own_word_counts(tmp_path):
    job, owners = of(tmp_path, 1001, user="alice")
    assert owners.find(job) == 0 and job.user == "alice"
    job, owners = of(tmp_path, 1001, user="55", uid="55")
    assert job.user == "user55" and job.key == ("7", "55")


def test_a_name_that_hangs_holds_nobody_up_and_is_taken_when_it_comes(tmp_path, monkeypatch):
    monkeypatch.setattr(colmet.node.jobs.owners, "WAIT", 0.01)
    answer, asked = threading.Event(), []

    def slow(uid):
        asked.append(uid)
        answer.wait(60)
        return named(uid)
    users = Users(slow)
    owners = Owners(str(tmp_path), users)
    jobs = [Job("1", "8", uid="8"), Job("2", "9", uid="9"), Job("3", "8", uid="8")]
    for job in jobs:
        owners.add(job)
    wait_for(lambda: asked, 60, "question")
    assert [job.user for job in jobs] == ["8", "9", "8"] and asked == [8]       # one at a time
    answer.set()
    wait_for(lambda: owners.look() or [job.user for job in jobs] == ["user8", "user9", "user8"], 60, "names")


def test_who_has_no_name_is_asked_for_again_after_a_while(monkeypatch):
    known, now = {}, [0]
    monkeypatch.setattr(colmet.node.jobs.owners, "boottime", lambda: now[0])
    users = Users(lambda uid: known[uid])
    assert users.name("5") is None and users.name("9" * 30) is None
    known[5] = SimpleNamespace(pw_name="al\udcffice")
    assert users.name("5") is None
    now[0] = AGAIN_NS
    assert users.name("5") == "al\ufffdice"


@pytest.mark.root
def test_a_real_job_of_version_2s_shape_which_does_not_tell_its_user():
    with v1("cpuset"), schedulers_names():
        here = BASE / "cpuset" / ("%dt_slurmstepd.scope" % os.getpid())
        job = here / "job_4217/step_0/user/task_0"
        with closing(Jobs(Path("/"), (), rules=rules())) as jobs:
            here.mkdir()
            step = None
            try:
                job.mkdir(parents=True)
                for each in (here, here / "job_4217", job.parent.parent, job.parent, job):
                    for name in ("cpuset.cpus", "cpuset.mems"):
                        (each / name).write_text((each.parent / name).read_text())
                step = subprocess.Popen(["setpriv", "--reuid=%d" % NOBODY, "--clear-groups", "sleep", "1000"])
                wait_for(lambda: real_user("/proc", step.pid) == str(NOBODY), 60, "change of user")
                (job / "cgroup.procs").write_text("%d" % step.pid)
                wait_for(lambda: jobs.wait(until(20)) or jobs.present()[0].user, 60, "user of the job")
                assert jobs.present()[0].entry() == {"job": "4217", "user": pwd.getpwuid(NOBODY).pw_name,
                                                     "scheduler": "slurm", "steps": ["0"]}
            finally:
                if step:
                    step.kill()
                    step.wait()
                for folder, _, _ in os.walk(str(here), topdown=False):
                    patiently(lambda: os.rmdir(folder))
