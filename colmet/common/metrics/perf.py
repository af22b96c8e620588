"""What processors and the kernel counted for each job, by perf_event_open(2): a row for each counter of --perfhw-list.

All processes of the job's cgroups count, those included that ended between two samples. Where there are more counters
than the processor has room for, they take turns, and each is scaled to the whole time. Counters outside the CPU cores,
such as uncore_imc_0/cas_count_read/, tell of the node: job 0.
"""
from colmet.common.schema import JOB, Table, counter

TABLE = Table("perf", JOB, __doc__, (
    counter("since", "ns", "Unix time from which on it counts: when colmet-node saw the job first", fold="min"),
    counter("value", "count", "events counted, of task_clock and cpu_clock ns; missing while it never ran"),
    counter("enabled", "ns", "CPU time of the job in which it was to count"),
    counter("running", "ns", "of these, time in which it did; less where counters take turns"),
), instance="event", switch="perfhw")
