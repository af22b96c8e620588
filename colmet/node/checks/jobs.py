"""The jobs: where they are looked for, whether their tasks may be read, and the watches that tell when one comes."""
from pathlib import Path

from colmet.common.metrics import jobproc
from colmet.common.mounts import mounted
from colmet.common.schedulers import rules
from colmet.node.capabilities import give
from colmet.node.checks import OFF, ON, PART, Finding, refused
from colmet.node.checks.cgroups import version
from colmet.node.checks.rights import by_bpf
from colmet.node.jobs.emptied import Emptied, Inotify
from colmet.node.jobs.job import Cgroup
from colmet.node.jobs.jobs import DEFAULT_ROOTS, Jobs

AREA = "jobs"
LIMITS = ("max_user_instances", "max_user_watches", "max_queued_events")


def jobs(values):
    """A Finding for each root and each job given, for those that may not be read, and for inotify."""
    opened = Jobs(Path(values.root), values.cpuset_rootpath, values.regex_job_id, values.cgroup, values.pid, values.tid,
                  values.process_tree, facts=values.exit_facts, rules=rules(values.scheduler, values.rule))
    try:
        asked = values.cpuset_rootpath != list(DEFAULT_ROOTS) or bool(values.cgroup)
        for there, text in opened.looked_at():
            yield Finding(AREA, "jobs", ON if there else OFF, text, "" if there else _where(values), asked=asked)
        yield from _closed(values, opened.present())
        yield _inotify(opened.blind)
        yield _ends(Path(values.root))
    finally:
        opened.close()


def _closed(values, present):
    """A Finding for each cgroup of which this user may not list what is in it; BPF reads them without."""
    closed = [(job, part) for job in present for part in job.parts if isinstance(part, Cgroup) and part.closed()]
    without = bool(closed) and by_bpf(values)
    for job, part in closed:
        state, but, costs = (PART, ", but by bpf; which GPUs it has is not known", "gpu") if without else \
            (OFF, "", jobproc.TABLE.name)
        yield Finding(AREA, "job %s" % job.id, state, "%s may not be read by this user%s" % (part.path, but),
                      give("CAP_DAC_READ_SEARCH"), (costs,), not without)


def _where(values):
    return "wait for its first job, or give --cpuset_rootpath, --cgroup or --pid"


def _ends(root):
    """Whether the kernel tells when a job lost its last task, so that it is read before its directory goes."""
    opened = Emptied(None)
    opened.close()
    name, old = "job ends", version(mounted(root)) in ("v1", "hybrid")
    if opened.name and not (opened.name == Inotify.name and old):
        return Finding(AREA, name, ON, "told at once, by " + opened.name, asked=False)
    why, _, remedy = opened.refused["bpf"].partition("; ")
    seen = "seen at a tick, except in cgroup v2" if opened.name else "seen at a tick"
    return Finding(AREA, name, PART, "%s, and CPU time after the tick before is missing where the directory is gone by "
                   "then; by bpf: %s" % (seen, why), remedy, ("job.end", "job.cpu"), False)


def _inotify(fault):
    if fault:
        return refused(AREA, "inotify", fault.replace(": jobs", "; jobs", 1), ("jobs shorter than 1 s",))
    limits = []
    for name in LIMITS:
        try:
            limits.append("%s %s" % (name, Path("/proc/sys/fs/inotify", name).read_text().strip()))
        except OSError:
            continue
    return Finding(AREA, "inotify", ON, ", ".join(limits) or "works", asked=False)
