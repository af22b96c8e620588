"""Roots of jobs: that come later, that are links, that share a job; and jobs that share an id."""
import logging
import os
import subprocess

import pytest

import cgroups
from cgroups import names, until, watch
from colmet.node.log import log


@pytest.fixture(params=["v1", "v2"])
def tree(request):
    """Real cgroups of either kind."""
    with cgroups.either(request.param) as made:
        yield made


@pytest.mark.parametrize("below", ["root", "a/b/root"])
def test_a_root_may_come_later_go_and_come_again(tmp_path, below):
    root = tmp_path / below
    with watch(root) as jobs:
        assert jobs.tried() == ["%s: no such directory yet" % root]
        for _ in range(2):
            (root / "alice_12").mkdir(parents=True)
            (root / "alice_12" / "tasks").write_text("4217\n")
            assert jobs.wait(until(60)) is True
            [job] = jobs.present()
            assert job.cgroups == [root / "alice_12"]
            (root / "bob_7").mkdir()
            assert names(jobs) == ["alice_12", "bob_7"]
            subprocess.run(["rm", "-r", str(tmp_path / below.split("/")[0])], check=True)
            assert jobs.present() == [] and len(jobs.ended()) == 2


def test_a_root_of_cgroups_may_come_later_and_go(tree):
    root = tree.root / "oar"
    with watch(root) as jobs:
        for _ in range(2):
            tree.make("oar")
            tree.make("oar/alice_12")
            sleeper = tree.sleeper("oar/alice_12")
            assert jobs.wait(until(60)) is True
            assert names(jobs) == ["alice_12"]
            sleeper.kill()
            sleeper.wait()
            tree.remove("oar/alice_12")
            tree.remove("oar")
            assert jobs.present() == [] and len(jobs.ended()) == 1


def test_a_root_may_be_a_link(tmp_path):
    (tmp_path / "real" / "alice_12").mkdir(parents=True)
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "cpuset").symlink_to(tmp_path / "real")
    with watch(str(tmp_path / "links" / "cpuset") + "/") as jobs:
        assert names(jobs) == ["alice_12"]
        assert jobs.present()[0].cgroups == [tmp_path / "real" / "alice_12"]
        (tmp_path / "real" / "bob_7").mkdir()
        assert names(jobs) == ["alice_12", "bob_7"]
        (tmp_path / "other" / "carol_3").mkdir(parents=True)
        (tmp_path / "links" / "cpuset").unlink()
        (tmp_path / "links" / "cpuset").symlink_to(tmp_path / "other")
        assert names(jobs) == ["carol_3"]


def test_a_later_job_of_the_same_id_is_the_twin(tree):
    for name in ("zoe_12", "alice_12"):
        tree.make(name)
    with watch(tree.root) as jobs:
        assert {job.user: job.twin for job in jobs.present()} == {"zoe": False, "alice": True}
        tree.make("bob_12")
        tree.make("bob_13")
        assert [(job.user, job.twin) for job in jobs.present()][2:] == [("bob", True), ("bob", False)]
        assert jobs.present()[1].entry() == {"job": "12", "user": "alice", "twin": 1}
        tree.remove("zoe_12")
        assert [job.twin for job in jobs.present() if job.user == "alice"] == [True]


def test_one_job_in_several_roots_is_one(tmp_path):
    for root in ("one", "two"):
        (tmp_path / root / "alice_12").mkdir(parents=True)
        (tmp_path / root / "alice_12" / "tasks").write_text("11\n12\n" if root == "one" else "12\n13\n")
    (tmp_path / "link").symlink_to("one")
    with watch(*(tmp_path / root for root in ("one", "two", "link"))) as jobs:
        [job] = jobs.present()
        assert job.cgroups == [tmp_path / "one" / "alice_12", tmp_path / "two" / "alice_12"]
        assert sorted(job.tasks()) == [11, 12, 13]
        subprocess.run(["rm", "-r", str(tmp_path / "one" / "alice_12")], check=True)
        assert jobs.present() == [job] and sorted(job.tasks()) == [12, 13]
        subprocess.run(["rm", "-r", str(tmp_path / "two" / "alice_12")], check=True)
        assert jobs.present() == [] and jobs.ended() == [job]


def test_what_this_user_may_not_read_is_told_once(tree):
    told = []
    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())
    log.addHandler(handler)
    for name in ("alice_12", "alice_13"):
        tree.make(name)
        tree.sleeper(name)
        for path in (tree.root / name).iterdir():
            path.chmod(0o600)
    os.seteuid(65534)
    try:
        with watch(tree.root) as jobs:
            assert names(jobs) == ["alice_12", "alice_13"]
            assert [(list(job.tasks()), job.processes()) for job in jobs.present()] == [([], [])] * 2
    finally:
        os.seteuid(0)
        log.removeHandler(handler)
    assert len(told) == 1 and str(tree.root) in told[0] and "run colmet-node as root" in told[0]
