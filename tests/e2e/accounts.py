"""What tests of the account share: a job as a node finds it, and its row."""
from colmet.common.metrics import account
from colmet.node.job import Cgroup, Job, directory_key

NAMES = [metric.name for metric in account.TABLE.metrics]
COUNTERS = [metric.name for metric in account.TABLE.metrics if metric.kind == "counter"]


def found(made):
    """The `colmet.node.job.Job` of a `jobs.Job`, as a node finds it."""
    job = Job(str(made.number))
    job.parts = (Cgroup(str(made.path), directory_key(str(made.path))),)
    return job


def total(source, *jobs):
    """{metric: value} of the one row of `account`."""
    [(_, instance, values)] = source.sample(jobs)["account"]
    assert instance == "" and len(values) == len(NAMES)
    return dict(zip(NAMES, values))
