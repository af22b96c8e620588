"""Energy of jobs, so divided that it closes: jobs, unallocated and idle together are the node, to the last uJ.

A row for each job, whose `owner` is job, and four for the node: node, all that its meters counted; jobs, of that all
jobs, those included that ended; unallocated, what was used by no job; idle, what was drawn for no job. Of each part of
the node the static energy is its idle power, whoever works; the dynamic energy is what is above. From powercap or
perf_event_open(2), and whatever else counts energy here; the CPU time of jobs from their cgroups. docs/energy.rst tells
how it is divided.
"""
from colmet.common.schema import JOB, Table, counter, gauge

KINDS = ("package", "dram", "gpu", "other")     # of parts of a node
NODE, JOBS, UNALLOCATED, IDLE = "node", "jobs", "unallocated", "idle"      # owners; and:
OF_JOB = "job"
METHODS = ("", "CPU time", "instructions")      # cells hold the place in this list
IDLE_SOURCES = ("not known", "declared", "learned")
METERS = {"powercap": 1, "perf": 2, "gpu": 4, "bmc": 8, "cray": 16}     # cells hold the sum

_WHAT = {"package": "the processors", "dram": "their memory", "gpu": "the GPUs",
         "other": "the rest of the node, where a meter counts all of it"}


def _places(names):
    return ", ".join("%d=%s" % (place, name) for place, name in enumerate(names) if name)


def _of(kind):
    return (counter(kind + "_dynamic", "uJ", "energy of %s above their idle power" % _WHAT[kind]),
            counter(kind + "_static", "uJ", "energy of %s up to their idle power" % _WHAT[kind]))


TABLE = Table("energy", JOB, __doc__, (
    counter("since", "ns", "Unix time from which on the energy is counted; with another set of meters it begins anew",
            fold="min"),
    counter("energy", "uJ", "energy in all: the sum of the eight that follow; those of a part that no meter counts are "
            "missing"),
) + sum(map(_of, KINDS), ()) + (
    gauge("residual", "uJ", "energy that meters of parts counted and the meter of the whole node not yet: it is in no "
          "row so far", fold="max"),
    gauge("idle_power", "W", "idle power of the node's parts together, as far as it is known", code="d", fold="max"),
    gauge("idle_source", _places(IDLE_SOURCES), "where the idle power is from, for the part that is known least",
          fold="max"),
    gauge("method", _places(METHODS), "by what the dynamic energy was divided among jobs", fold="max"),
    gauge("source", ", ".join("%d=%s" % (bit, name) for name, bit in METERS.items()), "the meters, added up",
          fold="max"),
), instance="owner")
