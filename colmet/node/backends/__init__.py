"""The sources of a node. Each module here reads one of them; `NAMES` lists those that exist.

A module has `TABLES`, what it gives, and a class `Backend`:

    Backend(root, options)  `root` is the Path of the file system, "/" in production; raises
                            `Unavailable(reason)` on a machine that lacks the source
    sample(jobs)            {table: [(job, instance, values)]}: `jobs` are `colmet.node.jobs.jobs.Job`s, `job`
                            is one of them or None for the node, `instance` is text ("" where the table
                            has none), `values` follow the table's metrics; None, `schema.MISSING` and NaN
                            are "not known"
    close()                 frees what it holds
    attend(jobs)            optional: these were just found; for what counts from when it is asked to
    counters                set from outside: `colmet.node.cgroup.counters.Counters` of the whole node, for what reads
                            cgroups
    others                  set from outside: {name: backend} of the sources that are open, for what reads another one
    tables                  set from outside: names of the tables that are switched on; what makes several may leave
                            out the others
    reader, refused         where a source has several ways to read: which one it took, {better one: why not}, and
    unfilled                names of tables that it cannot fill that way; said at the start
    lacks                   {part of it that cannot be read: "why; what to do"}; said at the start
    described               {table: Table with a `mapping`}: what the columns of a table of 0.6 are on this machine

`SLOW = True` in a module gives the source a thread of its own; ticks take its latest rows.
"""
from importlib import import_module

NAMES = ("taskstats", "procstats", "perfhw", "jobproc", "cgroup", "rapl", "temperature", "power", "network", "lustre",
         "filesystem", "gpu", "energy")      # one that reads others comes after them


class Unavailable(Exception):
    """This machine does not have the source, or not for this user; the text says why, and what to do."""


def load(name):
    """The module of the source `name`."""
    return import_module("colmet.node.backends." + name)
