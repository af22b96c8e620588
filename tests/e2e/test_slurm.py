"""A real Slurm of two nodes: its jobs found by colmet-node as it is by default, against what they say of themselves."""
import pytest
from programs import wait_for

from schedulers.stand import Stand

pytest_plugins = ("schedulers.plugin",)
pytestmark = [pytest.mark.root, pytest.mark.system]
PATTERNS = ("slurm_*/uid_*/job_*",)
LOOPS, CHILDREN = 150000, 40
TASK = 1 + CHILDREN
SRUN = 2                # its process forks once
NODE = 1                # `sleep`, which holds step_extern on each node
SCRIPT = 1


@pytest.fixture(scope="module", name="stand")
def _stand(slurm, tmp_path_factory):
    """A `Stand` that measured the jobs of `submit`, all over."""
    stand = Stand(slurm, PATTERNS, tmp_path_factory.mktemp("slurm"))
    try:
        stand.finish(submit(slurm, stand.loads))
        yield stand
    finally:
        stand.close()


def submit(slurm, loads):
    """Submit all jobs at once, of two users; what sbatch said."""
    load = {name: loads.command(name, LOOPS, CHILDREN) for name in ("steps", "array", "nodes")}
    steps = "srun -n1 %s; srun -n2 %s; %s" % ((load["steps"],) * 3)
    return [slurm.submit("srun " + load["array"], "-N1", "-n1", "--array=1-3", user="irc"),
            slurm.submit(steps, "-N1", "-n2", user="games"),
            slurm.submit("srun " + load["nodes"], "-N2", "-n2", user="games")]


@pytest.mark.parametrize("name, user, jobs, tasks, processes, last", [
    ("steps", "games", 1, 4, 4 * TASK + SCRIPT + 2 * SRUN + NODE, "1"),
    ("array", "irc", 3, 1, TASK + SCRIPT + SRUN + NODE, "0"),
    ("nodes", "games", 1, 2, 2 * TASK + SCRIPT + SRUN + 2 * NODE, "0"),
])
def test_the_row_of_a_job_is_what_its_tasks_say(stand, name, user, jobs, tasks, processes, last):
    ids = stand.loads.jobs(name)
    assert len(ids) == jobs
    for job in ids:
        assert len(stand.loads.told(name, job)) == tasks
        stand.check_facts(job, user, ("batch", "extern", last))
        assert stand.row(job)["processes"] == processes
        stand.check(name, job)


def test_cpu_time_is_read_before_the_cgroup_is_gone(stand):
    stand.check_cpu(("steps", "array", "nodes"))


def test_no_job_is_found_that_is_none(stand):
    assert stand.stored() == stand.loads.jobs("*")


def test_nothing_of_slurm_stays_behind(slurm, stand):
    before = set(stand.watch.here())
    slurm.submit("srun -N2 sleep 1000", "-N2", "-n2", user="games")
    wait_for(lambda: len(set(stand.watch.here()) - before) == 2, 60, "job on two nodes")
    slurm.close()
    assert slurm.left() == []
