"""Jobs are found as they come and go: on real cgroups with real processes, and on folders where that says as much."""
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import cgroups
from cgroups import names, until, watch
from colmet.node.jobs import jobs as module
from colmet.node.clock import MS, SECOND, boottime
from colmet.node.jobs.patterns import check_pattern, identify

def watches():
    """Number of inotify watches of this process (proc(5), fdinfo)."""
    infos = [path.read_text() for path in Path("/proc/self/fdinfo").iterdir() if path.exists()]
    return sum(info.count("inotify wd:") for info in infos)


@pytest.fixture(params=["v1", "v2"])
def tree(request):
    """Real cgroups of either kind."""
    with cgroups.either(request.param) as made:
        yield made


@pytest.fixture
def soon_old(monkeypatch):
    """A job is young, and looked into by itself, for a moment only."""
    monkeypatch.setattr(module, "YOUNG_NS", 100 * MS)


@pytest.mark.parametrize("text, problem", [
    (r"_(\d+)$", ""), (r"job_(\d+)", ""), (r"_\d+$", "no group"), ("(", "not a regular expression"), ("", "no group")])
def test_a_pattern_is_checked_before_it_is_used(text, problem):
    assert problem in check_pattern(text)
    assert bool(check_pattern(text)) == bool(problem)


@pytest.mark.parametrize("name, patterns, found", [
    ("alice_12", [r"_(\d+)$"], ("12", "alice")),
    ("bob_1_12", [r"_(\d+)$"], ("12", "bob_1")),
    ("a.b-c_12", [r"_(\d+)$"], ("12", "a.b-c")),
    ("alice_12", [r"(\d+)$"], ("12", "alice")),
    ("alice_12", [r"^alice_(\d)"], ("1", "")),
    ("job_12", [r"job_(\d+)"], ("12", "")),
    ("12.server", [r"^(\d+)\."], ("12", "")),
    ("alice-12", [r"(\d+)$"], ("12", "")),
    ("alice_12", [r"job_(\d+)", r"_(\d+)$"], ("12", "alice")),
    ("job_7_12", [r"job_(\d+)", r"_(\d+)$"], ("7", "")),
    ("alice_12", [r"job_(\d+)"], None),
    ("alice_0", [r"_(\d+)$"], None),
    ("alice_", [r"_(\d*)$"], None),
    ("12[3].pbs", [r"^(\d+(?:\[\d+\])?)\."], ("12[3]", "")),
    ("\udcff_12", [r"_(\d+)$"], ("12", "\ufffd")),
])
def test_id_and_user_come_from_the_name(name, patterns, found):
    assert identify(name, [re.compile(text) for text in patterns]) == found


def test_a_job_comes_gets_its_first_task_and_goes(tree):
    with watch(tree.root) as jobs:
        assert jobs.present() == []
        folder = tree.make("alice_12")
        sleeper = tree.sleeper("alice_12")
        assert jobs.wait(until(60)) is True
        [job] = jobs.present()
        assert job.entry() == {"job": "12", "user": "alice"}
        assert job.cgroups == [folder]
        asked = boottime()
        assert list(job.tasks()) == job.processes() == job.processes(asked) == [sleeper.pid]
        assert jobs.ended() == []
        sleeper.kill()
        sleeper.wait()
        assert job.processes(asked) == [sleeper.pid] and job.processes(boottime()) == []
        tree.remove("alice_12")
        assert jobs.present() == [] and jobs.ended() == [job] and jobs.ended() == []
        assert job.entry(gone=True) == {"job": "12", "user": "alice", "gone": 1}
        assert job.start < job.end and job.start_boot < job.end_boot
        assert list(job.tasks()) == job.processes() == []


def test_jobs_that_are_here_before_are_present_at_once(tree):
    tree.make("alice_12")
    sleeper = tree.sleeper("alice_12")
    with watch(tree.root) as jobs:
        [job] = jobs.present()
        assert list(job.tasks()) == [sleeper.pid] and job.started
        assert jobs.tried() == ["%s: 1 here" % tree.root]
        assert jobs.wait(until(0.2)) is False


def test_a_task_that_comes_long_after_its_directory_is_told(tree, soon_old):
    tree.make("alice_12")
    with watch(tree.root) as jobs:
        assert jobs.wait(until(0.3)) is False           # no more looked into by itself
        tree.sleeper("alice_12")
        assert jobs.wait(until(60)) is True


def test_a_first_task_of_which_no_event_tells_is_seen_while_the_job_is_young(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("")
    (tmp_path / "root").mkdir()
    with watch(tmp_path / "root") as jobs:
        (tmp_path / "root" / "alice_12").mkdir()
        (tmp_path / "root" / "alice_12" / "tasks").symlink_to(elsewhere)
        assert names(jobs) == ["alice_12"]
        elsewhere.write_text("4217\n")
        assert jobs.wait(until(60)) is True


def test_what_a_tick_saw_first_needs_no_extra_tick(tree):
    tree.make("alice_12")
    with watch(tree.root) as jobs:
        [job] = jobs.present()
        tree.sleeper("alice_12")
        assert len(job.tasks()) == 1
        assert jobs.wait(until(0.2)) is False


def test_a_tick_that_did_not_look_at_the_job_leaves_the_extra_tick_wanted(tree):
    tree.make("alice_12")
    with watch(tree.root) as jobs:
        tree.sleeper("alice_12")
        assert jobs.wait(until(0)) is False             # some other source was due at that moment
        [job] = jobs.present()
        assert jobs.wait(until(60)) is True
        tree.sleeper("alice_12")
        assert len(job.tasks()) == 2 and jobs.wait(until(0.2)) is False


def test_extra_ticks_keep_their_distance(tree):
    with watch(tree.root) as jobs:
        for name in ("alice_1", "alice_2", "alice_3"):
            tree.make(name)
        tree.sleeper("alice_1")
        assert jobs.wait(until(60)) is True
        before = boottime()
        tree.sleeper("alice_2")
        tree.sleeper("alice_3")
        assert jobs.wait(until(60)) is True
        assert boottime() - before >= SECOND // 50
        assert jobs.wait(until(0.3)) is False           # one tick for the two


def test_wait_ends_when_it_is_woken(tmp_path):
    read, write = os.pipe()
    with watch(tmp_path) as jobs, os.fdopen(read), os.fdopen(write, "wb", buffering=0) as wake:
        assert jobs.wait(until(0), read) is False
        wake.write(b"!")
        assert jobs.wait(until(1000), read) is False


def test_many_jobs_come_and_go(tree):
    with watch(tree.root) as jobs:
        watched = watches()
        for number in range(1, 501):
            (tree.root / ("alice_%d" % number)).mkdir()
        assert len(jobs.present()) == 500
        for number in range(1, 501):
            (tree.root / ("alice_%d" % number)).rmdir()
        assert jobs.present() == [] and len(jobs.ended()) == 500
        assert watches() == watched     # cgroupfs does not free the watch of what is gone


def test_made_again_under_its_name_it_is_another_job(tree):
    with watch(tree.root) as jobs:
        tree.make("alice_12")
        [first] = jobs.present()
        tree.remove("alice_12")
        tree.make("alice_12")
        [second] = jobs.present()
        assert second is not first and jobs.ended() == [first]
        tree.remove("alice_12")
        tree.make("alice_12")
        tree.sleeper("alice_12")
        assert jobs.wait(until(60)) is True             # the watch is on the new one
        assert jobs.present() != [second] and jobs.ended() == [second]


def test_a_queue_that_overflowed_costs_nothing(tmp_path):
    queue = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    (tmp_path / "alice_1").mkdir()
    noise = [str(tmp_path / "noise"), str(tmp_path / "more_noise")]
    os.mkdir(noise[0])
    with watch(tmp_path) as jobs:
        [gone] = jobs.present()
        for number in range(queue // 2 + 10):
            os.rename(noise[number % 2], noise[1 - number % 2])     # two events
        (tmp_path / "alice_1").rmdir()
        (tmp_path / "alice_2").mkdir()
        assert names(jobs) == ["alice_2"] and jobs.ended() == [gone]
        assert jobs.lost_events == 1
        (tmp_path / "alice_3").mkdir()
        assert names(jobs) == ["alice_2", "alice_3"]


def test_nested_directories_belong_to_their_job(tree):
    tree.make("alice_12")
    tree.make("alice_12/step_0")
    first = tree.sleeper("alice_12/step_0")
    with watch(tree.root) as jobs:
        [job] = jobs.present()
        tree.make("alice_12/step_1")
        tree.make("alice_12/step_1/task_7")
        second = tree.sleeper("alice_12/step_1/task_7")
        third = tree.sleeper("alice_12")
        assert jobs.present() == [job]
        assert sorted(job.tasks()) == sorted(job.processes()) == sorted([first.pid, second.pid, third.pid])
        second.kill()
        second.wait()
        tree.remove("alice_12/step_1/task_7")
        tree.remove("alice_12/step_1")
        tree.make("alice_12/step_1")
        fourth = tree.sleeper("alice_12/step_1")
        assert jobs.present() == [job]
        assert sorted(job.tasks()) == sorted([first.pid, third.pid, fourth.pid])
        assert len(job.parts[0].directories) == 3


def test_a_first_task_in_a_nested_directory_is_told(tree, soon_old):
    with watch(tree.root) as jobs:
        tree.make("alice_12")
        tree.make("alice_12/step_0")
        assert jobs.wait(until(0.3)) is False
        tree.sleeper("alice_12/step_0")
        assert jobs.wait(until(60)) is True


def test_files_of_both_kinds_of_cgroup_are_read(tmp_path):
    (tmp_path / "a_1").mkdir()
    (tmp_path / "a_1" / "cgroup.threads").write_text("0\n21\n22\n")        # 0: in another pid namespace
    (tmp_path / "a_1" / "cgroup.procs").write_text("21\n0\n")
    (tmp_path / "a_2").mkdir()
    with watch(tmp_path) as jobs:
        one, two = sorted(jobs.present(), key=lambda job: job.id)
        assert (list(one.tasks()), one.processes()) == ([21, 22], [21])
        assert (list(two.tasks()), two.processes()) == ([], [])


@pytest.mark.parametrize("limit, left", [("watches", 2), ("watches", 0), ("instances", 0)])
def test_where_no_watch_is_left_jobs_are_looked_for(tmp_path, limit, left):
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "root").mkdir()
    limited = ["unshare", "-Ur", "sh", "-ec", 'echo %d >/proc/sys/user/max_inotify_%s; exec "$@"' % (left, limit), "sh"]
    try:
        subprocess.run(limited + ["true"], check=True, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs a user namespace of its own, to set the limit there")
    done = subprocess.run(limited + [sys.executable, str(tmp_path / "program.py"), str(tmp_path / "root")],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, timeout=120)
    assert done.stdout == "['1', '2', '3'] True ['1', '2']\n", done.stderr
    [line] = done.stderr.splitlines()
    assert line.count("fs.inotify.max_user_%s" % limit) == 2        # what it is, and how to raise it


PROGRAM = """
import sys
from pathlib import Path
from colmet.node.jobs import jobs as module
from colmet.node.clock import boottime
from colmet.node.jobs.jobs import Jobs
from colmet.common.log import show
from colmet.node.log import log
show(log, 0)
root = Path(sys.argv[1])
module.SCAN_BLIND_NS //= 10
jobs = Jobs(Path("/"), [str(root)])
for number in (1, 2, 3):
    (root / ("alice_%d" % number)).mkdir()
while len(jobs.present()) < 3:
    jobs.wait(boottime() + 10 ** 8)
before = sorted(job.id for job in jobs.present())
(root / "alice_2" / "tasks").write_text("4217\\n")
told = jobs.wait(boottime() + 60 * 10 ** 9)
(root / "alice_3").rmdir()
while not jobs.ended():
    jobs.wait(boottime() + 10 ** 8)
    jobs.present()
print(before, told, sorted(job.id for job in jobs.present()))
"""
