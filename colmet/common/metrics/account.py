"""The account of a job: what all its tasks did since `since`, those that ended between two samples included.

Sums over live and ended tasks, from BPF programs in the kernel or from its records of tasks by netlink; a counter never
goes back. What the kind of reader in `source` cannot know is missing; rchar, wchar and peak_rss are exact by bpf, lower
bounds by netlink.
"""
from colmet.common.schema import JOB, Table, counter, gauge

SOURCES = ("", "bpf", "netlink", "proc")       # cells hold the place in this list

TABLE = Table("account", JOB, __doc__, (
    counter("since", "ns", "Unix time from which on all but `cpu` is counted: the job's start, if colmet-node ran then",
            fold="min"),
    gauge("tasks", "count", "live tasks"),
    gauge("processes", "count", "live processes"),
    counter("tasks_started", "count", "tasks, those that lived at `since` included"),
    counter("processes_started", "count", "processes, those that lived at `since` included"),
    counter("tasks_ended", "count", "tasks that ended"),
    counter("processes_ended", "count", "processes that ended"),
    counter("cpu_count", "count", "times the tasks were given a CPU after waiting for one"),
    counter("cpu_delay_total", "ns", "waited for a CPU while able to run"),
    counter("blkio_count", "count", "waits for block I/O; needs kernel.task_delayacct=1"),
    counter("blkio_delay_total", "ns", "waited for block I/O; needs kernel.task_delayacct=1"),
    counter("swapin_count", "count", "waits for a page to come from swap; needs kernel.task_delayacct=1"),
    counter("swapin_delay_total", "ns", "waited for pages from swap; needs kernel.task_delayacct=1"),
    counter("freepages_count", "count", "waits for memory to be reclaimed; needs kernel.task_delayacct=1"),
    counter("freepages_delay_total", "ns", "waited for memory to be reclaimed; needs kernel.task_delayacct=1"),
    counter("runtime", "ns", "CPU time by the records of tasks: up to a scheduler tick of each that ended is missing; "
            "by netlink, what they used before they came into the job is in it"),
    counter("utime", "ns", "CPU time in user mode, in steps of a scheduler tick"),
    counter("stime", "ns", "CPU time in the kernel, in steps of a scheduler tick"),
    counter("minflt", "count", "page faults served without I/O"),
    counter("majflt", "count", "page faults that needed I/O"),
    counter("nvcsw", "count", "context switches that the tasks asked for"),
    counter("nivcsw", "count", "context switches forced upon the tasks"),
    counter("rchar", "bytes", "read by read(2) and its like, cache included; by netlink whole KiB a task"),
    counter("wchar", "bytes", "written by write(2) and its like, cache included; by netlink whole KiB a task"),
    counter("syscr", "count", "read calls; not by netlink"),
    counter("syscw", "count", "write calls; not by netlink"),
    counter("read_bytes", "bytes", "fetched from storage"),
    counter("write_bytes", "bytes", "sent to storage, or to be sent"),
    counter("cancelled_write_bytes", "bytes", "of write_bytes, never written: truncated while in the cache"),
    counter("peak_rss", "bytes", "most resident memory of any one process; by netlink of the last program of each",
            fold="max"),
    counter("cpu", "ns", "CPU time of the job's cgroup since it was made, exact: also of what no record tells"),
    gauge("explained", "ratio", "runtime / cpu: the share of the CPU time of which the tasks are known", code="d",
          fold="min"),
    counter("exits_lost", "count", "ends of tasks that this node could not count, or could not tell of which job",
            fold="max"),
    gauge("source", ", ".join("%d=%s" % (place, name) for place, name in enumerate(SOURCES) if name),
          "how the tasks were read", fold="max"),
), default=True)
