"""What is known of a job beside its values, as it goes with its rows and the stores keep it: whose it is, on which
cluster, by which scheduler, and the names of its parts (steps) that a node saw."""
from colmet.common.names import safe

MOST_STEPS = 64             # that are named, of a job; how many there were is in the table `job`
TEXTS = ("cluster", "user", "scheduler")
FIELDS = {"cluster": "cluster", "user": "job_user", "scheduler": "job_scheduler", "steps": "job_steps"}   # by metrics


def named_steps(steps):
    """At most MOST_STEPS of `steps`, texts, in order: words, then numbers; list."""
    return sorted(steps, key=_order)[:MOST_STEPS]


def job_facts(job, cluster=""):
    """{name: text} of what is known of `job`, an entry of `Batch.jobs`; `cluster` is the batch's. "steps", if there
    are any, is their list."""
    known = dict(job, cluster=job.get("cluster") or cluster)
    found = {name: known[name] for name in TEXTS if known.get(name)}
    return dict(found, steps=job["steps"][:MOST_STEPS]) if job.get("steps") else found


def steps_text(steps):
    """`steps` as one text, by commas, which no name has then."""
    return ",".join(map(safe, steps))


def joined_steps(one, other):
    """Two such texts as one."""
    if one == other or not other:
        return one
    return ",".join(named_steps(set(one.split(",") + other.split(",")) - {""}))


def _order(name):
    number = name.isascii() and name.isdecimal() and len(name) < 20
    return number, int(name) if number else 0, name
