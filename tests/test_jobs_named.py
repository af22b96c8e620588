"""Jobs that the command line names: cgroups, processes, threads, trees of processes, and the file of exit facts."""
import json
import os
import subprocess
import sys
import threading

import pytest

import cgroups
from cgroups import until, watch
from colmet.node.clock import SECOND, boottime
from e2e.programs import wait_for

LINE = [sys.executable, "-c", """
import os, subprocess, sys
child = subprocess.Popen(["sh", "-c", "sleep 1000 & echo $$ $!; wait"], stdout=subprocess.PIPE)
print(child.stdout.readline().decode().strip(), flush=True)
sys.stdin.read()
"""]


@pytest.fixture
def sleeper():
    """A process that sleeps: Popen."""
    with subprocess.Popen(["sleep", "1000"]) as process:
        yield process
        process.kill()


def test_a_cgroup_is_a_job_wherever_it_is():
    with cgroups.v1("cpuset") as tree:
        for name in ("oar", "oar/alice_12", "oar/step_x", "apart_7"):
            tree.make(name)
        asleep = tree.sleeper("oar/step_x")
        given = [str(tree.root / "apart_7"), "step_x", "alice_12"]
        with watch(tree.root / "oar", cgroups=given) as jobs:
            assert {job.id: job.user for job in jobs.present()} == {"12": "alice", "7": "apart", "step_x": ""}
            [job] = [job for job in jobs.present() if job.id == "step_x"]
            assert list(job.tasks()) == [asleep.pid] and job.cgroups == [tree.root / "oar" / "step_x"]
            asleep.kill()
            asleep.wait()
            tree.remove("oar/step_x")
            assert len(jobs.present()) == 2 and jobs.ended() == [job]
            tree.make("oar/step_x")
            tree.sleeper("oar/step_x")
            assert jobs.wait(until(60)) is True


def test_a_cgroup_may_come_later_and_stands_once(tmp_path):
    with watch(tmp_path, cgroups=[str(tmp_path / "later_3"), str(tmp_path / "nothing")]) as jobs:
        assert jobs.present() == []
        assert jobs.tried() == ["%s: 0 here" % tmp_path] + ["%s: not here yet" % (tmp_path / name)
                                                             for name in ("later_3", "nothing")]
        (tmp_path / "later_3").mkdir()
        assert [job.id for job in jobs.present()] == ["3"]


def test_a_process_is_a_job_under_its_number(sleeper):
    with watch(pids=[sleeper.pid]) as jobs:
        [job] = jobs.present()
        assert job.entry() == {"job": str(sleeper.pid)} and job.cgroups == []
        assert list(job.tasks()) == job.processes() == [sleeper.pid]
        assert 0 <= boottime() - job.start_boot < 60 * SECOND
        sleeper.kill()
        wait_for(lambda: not job.tasks(), 30, "end")        # not yet waited for
        assert jobs.wait(until(0.2)) is False
        assert jobs.ended() == [job] and jobs.present() == [] and job.end is not None


def test_a_process_has_threads_and_a_thread_has_none():
    release = threading.Event()
    thread = threading.Thread(target=release.wait)
    thread.start()
    with watch(pids=[os.getpid()], tids=[thread.native_id]) as jobs:
        process, alone = jobs.present()
        assert {thread.native_id, os.getpid()} <= set(process.tasks())
        assert (alone.id, list(alone.tasks()), alone.processes()) == (str(thread.native_id), [thread.native_id], [])
        release.set()
        thread.join()
        wait_for(lambda: jobs.present() == [process], 30, "end of the thread")
        assert jobs.ended() == [alone]


def test_a_tree_keeps_whom_its_parent_left():
    with subprocess.Popen(LINE, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as top:
        shell, leaf = map(int, top.stdout.readline().split())
        with watch(trees=[top.pid]) as jobs:
            [job] = jobs.present()
            assert job.id == str(top.pid)
            assert sorted(job.processes()) == sorted(job.tasks()) == sorted([top.pid, shell, leaf])
            os.kill(shell, 9)
            wait_for(lambda: sorted(job.processes()) == sorted([top.pid, leaf]), 30, "end of the shell")
            top.stdin.close()
            top.wait()
            wait_for(lambda: job.processes() == [leaf], 30, "end of the first")
            assert jobs.present() == [job]
            os.kill(leaf, 9)
            wait_for(lambda: jobs.present() == [], 30, "end of the tree")
            assert jobs.ended() == [job]


def test_who_is_not_there_is_said():
    gone = subprocess.Popen(["true"])
    gone.wait()
    with watch(pids=[gone.pid], tids=[gone.pid], trees=[gone.pid]) as jobs:
        assert jobs.present() == []
        assert jobs.tried() == ["process %d: none of this number" % gone.pid] * 3


def test_exit_facts_end_the_job_they_name(tmp_path, sleeper):
    facts, draft = tmp_path / "facts", tmp_path / "draft"
    draft.write_text(json.dumps({"job": str(sleeper.pid)}))
    with watch(pids=[sleeper.pid, os.getpid()], facts=str(facts)) as jobs:
        job, other = jobs.present()
        writer = threading.Timer(0.1, lambda: draft.rename(facts))
        writer.start()
        assert jobs.wait(until(60)) is True
        writer.join()
        assert jobs.present() == [other] and jobs.ended() == [job]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "7", '{"job": "1"}'])
def test_facts_of_nobody_end_nobody(tmp_path, text):
    facts = tmp_path / "facts"
    with watch(pids=[os.getpid()], facts=str(facts)) as jobs:
        facts.write_text(text)
        assert len(jobs.present()) == 1 and jobs.ended() == []
