"""A real OAR: its jobs found by colmet-node as it is by default, against what they say of themselves."""
import pytest
from programs import wait_for

from schedulers.stand import Stand

pytest_plugins = ("schedulers.plugin",)
pytestmark = [pytest.mark.root, pytest.mark.system]
PATTERNS = ("oar/games_*", "oar/irc_*")
LOOPS, CHILDREN = 300000, 40


@pytest.fixture(scope="module", name="stand")
def _stand(oar, tmp_path_factory):
    """A `Stand` that measured the jobs of `submit`, all over."""
    stand = Stand(oar, PATTERNS, tmp_path_factory.mktemp("oar"))
    try:
        stand.finish(submit(oar, stand.loads))
        yield stand
    finally:
        stand.close()


def submit(oar, loads):
    """Submit an array of one user and a job of another; what oarsub said."""
    return (oar.submit(loads.command("array", LOOPS, CHILDREN), "--array=2", user="irc")
            + oar.submit(loads.command("single", LOOPS, CHILDREN), user="games"))


@pytest.mark.parametrize("name, user, jobs", [("array", "irc", 2), ("single", "games", 1)])
def test_the_row_of_a_job_is_what_it_says(stand, name, user, jobs):
    ids = stand.loads.jobs(name)
    assert len(ids) == jobs
    for job in ids:
        assert len(stand.loads.told(name, job)) == 1
        stand.check_facts(job, user)
        # Beside it there are those of OAR itself, which prepare the job in its cgroup.
        assert 1 + CHILDREN < stand.row(job)["processes"] < 3 * CHILDREN
        stand.check(name, job)


def test_cpu_time_is_read_before_the_cgroup_is_gone(stand):
    stand.check_cpu(("array", "single"))


def test_no_job_is_found_that_is_none(stand):
    assert stand.stored() == stand.loads.jobs("*")


def test_nothing_of_oar_stays_behind(oar, stand):
    before = set(stand.watch.here())
    oar.submit("sleep 1000", user="games")
    wait_for(lambda: set(stand.watch.here()) - before, 60, "job")
    oar.close()
    assert oar.left() == []
