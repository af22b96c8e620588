"""A job on one node, one row when it ended: what it used in all, and what was stored of it."""
from colmet.common.metrics import account, cgroup, energy, jobproc, taskstats
from colmet.common.schema import JOB, Table, gauge

CPU_SOURCES = ("", "cgroup v1", "cgroup v2", "wait4", "last sample", "records")   # cells hold the place in this list
END_SOURCES = ("", "exact", "records", "last sample")
STORED = (taskstats.TABLE, jobproc.TABLE, account.TABLE, cgroup.TABLE, energy.TABLE)


def _which(names):
    return ", ".join("%d=%s" % (place, name) for place, name in enumerate(names) if name)


TABLE = Table("job", JOB, __doc__, (
    gauge("start", "ns", "Unix time at which its directory or first process was made", fold="min"),
    gauge("end", "ns", "Unix time at which its last process ended", fold="max"),
    gauge("end_source", _which(END_SOURCES), "how exactly the end was read: after the last process had left; when the "
          "kernel told that it left, but the cgroup was gone before it could be read; by the last sample", fold="max"),
    gauge("wall", "ns", "from start to end", fold="max"),
    gauge("steps", "count", "parts that its scheduler gave it here, of which the first 64 are named with its rows",
          fold="max"),
    gauge("processes", "count", "processes that there were, by the table account"),
    gauge("cpu", "ns", "CPU time of all its processes; a lower bound unless end_source is 1"),
    gauge("cpu_source", _which(CPU_SOURCES), "where `cpu` was read", fold="max"),
    gauge("peak_memory", "bytes", "most memory held at one time", fold="max"),
    gauge("peak_memory_source", _which(CPU_SOURCES), "where `peak_memory` was read; wait4 gives the "
          "largest single process", fold="max"),
    gauge("read_bytes", "bytes", "fetched from storage"),
    gauge("write_bytes", "bytes", "sent to storage"),
    gauge("io_source", _which(CPU_SOURCES), "where the two were read", fold="max"),
    gauge("energy", "uJ", "its energy by the table energy, of all sets of meters that counted, without what was used "
          "between two of them"),
    gauge("first_sequence", "count", "first batch of its node's session with a row of it", fold="min"),
    gauge("last_sequence", "count", "last batch with a row of it, this row's own", fold="max"),
    gauge("samples", "count", "ticks at which it was read"),
) + tuple(gauge("rows_" + table.name, "count", "rows made for " + table.name) for table in STORED), default=True)
