"""What the paths of cgroups tell: those of real schedulers (``tests/fixtures/schedulers``), and hostile ones."""
from pathlib import Path

import pytest

from colmet.common.schedulers import AUTO, MODULES, NONE, identify, rules
from colmet.common.schedulers.rule import rule_fault, split
from colmet.common.schedulers.slurm import job_of_title

FIXTURES = Path(__file__).with_name("fixtures") / "schedulers"
KNOWN = rules()
SLUID = "s0A1B2C3D4E5FG"


def told(path, known=KNOWN):
    """Those fields of the path's Identity that are known, or None."""
    found = identify(path, known)
    return found and {name: value for name, value in found._asdict().items() if value is not None}


@pytest.mark.parametrize("path, expected", [
    ("/slurm/uid_1001/job_12", {"scheduler": "slurm", "job": "12", "uid": "1001"}),
    ("/slurm_lab1/uid_0/job_4/step_batch", {"scheduler": "slurm", "job": "4", "uid": "0", "step": "batch"}),
    ("/slurm_lab.1-a/uid_7/job_4/step_0/task_11",
     {"scheduler": "slurm", "job": "4", "uid": "7", "step": "0", "task": "11"}),
    ("/system.slice/slurmstepd.scope/job_9", {"scheduler": "slurm", "job": "9"}),
    ("/system.slice/slurmstepd.scope/job_9/step_extern/user/task_special",
     {"scheduler": "slurm", "job": "9", "step": "extern", "task": "special"}),
    ("/system.slice/lab1_slurmstepd.scope/job_9/step_0/slurm", {"scheduler": "slurm", "job": "9", "step": "0"}),
    ("/slurmstepd.scope/job_9/step_0/user", {"scheduler": "slurm", "job": "9", "step": "0"}),
    ("/system.slice/slurmstepd.scope/%s/step_0" % SLUID, {"scheduler": "slurm", "sluid": SLUID, "step": "0"}),
    ("/oar/alice_12", {"scheduler": "oar", "job": "12", "user": "alice"}),
    ("/oar/a_b-1.c_2_33", {"scheduler": "oar", "job": "33", "user": "a_b-1.c_2"}),
    ("/oardocker/node1/oar/bob_5", {"scheduler": "oar", "job": "5", "user": "bob"}),
    ("/oar.slice/oar-u1000.slice/oar-u1000-j77.slice", {"scheduler": "oar", "job": "77", "uid": "1000"}),
    ("/oar.slice/oar-u1000.slice/oar-u1000-j77.slice/oar-u1000-j77-s1.scope",
     {"scheduler": "oar", "job": "77", "uid": "1000"}),
])
def test_the_shapes_of_each_scheduler(path, expected):
    assert told(path) == expected


@pytest.mark.parametrize("path", [
    "/", "", "/slurm", "/slurm/uid_1001", "/slurm/uid_x/job_1", "/slurm/uid_1/job_", "/slurm/uid_1/job_1x",
    "/slurm/uid_1/job_0", "/slurm/uid_1/job_000", "/system.slice/slurmstepd.scope/system",
    "/system.slice/slurmstepd.scope/s0A1B2C3D4E5F", "/system.slice/slurmstepd.scope/s0A1B2C3D4E5FI", "/oar/12",
    "/oar/_12", "/oar/alice_0", "/oar/alice_12.old", "/oar/alice_1\u0662", "/oar/alice_12\n", "/sub/oar/alice_12",
    "/user.slice/user-1000.slice/job_12", "/slurm/uid_1/job_1\udcff",
])
def test_what_is_no_jobs(path):
    assert told(path) is None


def test_hostile_names_become_text():
    found = identify("/oar/al\udcffice_12", KNOWN)
    assert found.user == "al\ufffdice" and found.user.encode()
    assert identify("/oar/" + "x" * 200 + "_" + "9" * 50, KNOWN).job == "9" * 50


@pytest.mark.parametrize("name", MODULES)
def test_every_cgroup_that_a_real_scheduler_made_is_its_or_above_its_jobs(name):
    paths = (FIXTURES / ("%s-cgroups.txt" % name)).read_text().split()
    jobs = set()
    for path in paths:
        found = identify(path, KNOWN)
        assert found is None or found.scheduler == name
        assert (found is None) == ("job_" not in path and "labuser_" not in path), path
        jobs.add(found and found.job)
    assert jobs > {None}


def test_one_scheduler_none_and_a_sites_own():
    assert {rule.scheduler for rule in KNOWN} == set(MODULES) and rules(NONE) == []
    assert told("/oar/alice_12", rules("slurm")) is None
    own = rules(NONE, [r"batch/(?P<user>[^/]+)/q[a/]?(?P<job>[0-9]+(?:\[[0-9]+\])?)/(?P<step>s.+)/(?P<task>.+)"])
    assert told("/batch/bob/q12[3]/s1/t/more", own) == {
        "scheduler": "site", "job": "12[3]", "user": "bob", "step": "s1", "task": "t"}
    assert rules(AUTO, [own[0].text])[0].scheduler == "site"


@pytest.mark.parametrize("text, word", [
    ("batch/(job", "regular expression"), ("batch/job", "(?P<job>"), ("", "(?P<job>"),
    ("(?P<job>.)/(?P<job>.)", "one part"), ("(?P<id>.)", "(?P<id>...)"), ("a/(?P<job>x/y)", "regular expression"),
])
def test_a_wrong_rule_says_what_is_wrong(text, word):
    assert word in rule_fault(text)


def test_rules_can_be_read():
    assert [rule.shape for rule in KNOWN] == [
        "oar/<user>_<job>", "oardocker/*/oar/<user>_<job>", "oar.slice/oar-u<uid>.slice/oar-u[0-9]+-j<job>.slice",
        "slurm[_*]/uid_<uid>/job_<job>", "system.slice/[*_]slurmstepd.scope/(job_<job>|<sluid>)",
        "[*_]slurmstepd.scope/(job_<job>|<sluid>)"]


def test_a_rule_is_cut_at_its_slashes():
    assert split(r"/a\/b/[/]c/[]/]d/[^]/]/") == [r"a\/b", "[/]c", "[]/]d", "[^]/]"]


def test_the_job_of_a_slurmstepd():
    assert job_of_title(b"slurmstepd: [4217.batch]\0\0") == "4217"
    assert job_of_title(b"sleep\0slurmstepd: [1.0]") is None
