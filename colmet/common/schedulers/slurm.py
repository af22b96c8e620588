"""Slurm: where its jobs have their cgroups.

The task of an array has a job id of its own, and its directory that name. Where several slurmd run on one machine,
the name of each node is in the path. Version 1 of cgroups: a process is in its step in one controller and in its task
in another. Version 2: below the scope of slurmstepd, each step has the branches ``user`` and ``slurm``; since 26.05 a
job's directory may bear its SLUID ("s" and 13 digits of base 32, Crockford's) instead of ``job_<id>``.
"""
import re

NAME = "slurm"
_STEP_1 = r"step_(?P<step>.+)/task_(?P<task>.+)"
_STEP_2 = r"step_(?P<step>.+)/(?:user|slurm)/task_(?P<task>.+)"
_JOB_2 = r"(?:.+_)?slurmstepd\.scope/(?:job_(?P<job>[0-9]+)|(?P<sluid>s[0-9A-HJKMNP-TV-Z]{13}))/" + _STEP_2
RULES = (
    r"slurm(?:_.+)?/uid_(?P<uid>[0-9]+)/job_(?P<job>[0-9]+)/" + _STEP_1,
    r"system\.slice/" + _JOB_2,
    _JOB_2,
)
_TITLE = re.compile(rb"slurmstepd: \[([0-9]+)\.")       # what slurmstepd calls itself: [4217.batch]


def job_of_title(cmdline):
    """The job id in the command line (bytes, proc(5)) of a slurmstepd; None for any other process."""
    match = _TITLE.match(cmdline)
    return match.group(1).decode("ascii") if match else None
