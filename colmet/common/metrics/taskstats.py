"""Sums over the live tasks of a job, from the kernel's taskstats (Documentation/accounting/taskstats-struct.rst).

Read by BPF, they are the same quantities by the same rules; times and integrals are rounded once for all tasks.
"""
from colmet.common.schema import JOB, Table, counter, gauge

TABLE = Table("taskstats_default", JOB, __doc__, (
    counter("cpu_count", "count", "times the tasks were given a CPU after waiting for one", "Q"),
    counter("cpu_delay_total", "ns", "waited for a CPU while able to run", "Q"),
    counter("blkio_count", "count", "waits for block I/O", "Q"),
    counter("blkio_delay_total", "ns", "waited for block I/O; needs kernel.task_delayacct=1", "Q"),
    counter("swapin_count", "count", "waits for a page to come from swap", "Q"),
    counter("swapin_delay_total", "ns", "waited for pages from swap; needs kernel.task_delayacct=1", "Q"),
    counter("cpu_run_real_total", "ns", "CPU time in steps of a scheduler tick", "Q"),
    counter("cpu_run_virtual_total", "ns", "CPU time as the scheduler counts it, exact", "Q"),
    gauge("ac_btime", "s", "Unix time at which the first task began", "I", "min"),
    counter("ac_etime", "us", "age of the oldest task", "Q", "max"),
    counter("ac_utime", "us", "CPU time in user mode, in steps of a scheduler tick", "Q"),
    counter("ac_stime", "us", "CPU time in the kernel, in steps of a scheduler tick", "Q"),
    counter("ac_minflt", "count", "page faults served without I/O", "Q"),
    counter("ac_majflt", "count", "page faults that needed I/O", "Q"),
    counter("coremem", "MB-us", "resident memory integrated over CPU time", "Q"),
    counter("virtmem", "MB-us", "virtual memory integrated over CPU time", "Q"),
    counter("read_char", "bytes", "read by read(2) and its like, whole KiB of each task", "Q"),
    counter("write_char", "bytes", "written by write(2) and its like, whole KiB of each task", "Q"),
    counter("read_syscalls", "count", "read calls, in multiples of 1024 of each task", "Q"),
    counter("write_syscalls", "count", "write calls, in multiples of 1024 of each task", "Q"),
    counter("read_bytes", "bytes", "fetched from storage", "Q"),
    counter("write_bytes", "bytes", "sent to storage, or to be sent", "Q"),
    counter("cancelled_write_bytes", "bytes", "of write_bytes, never written: truncated while in the cache", "Q"),
    counter("nvcsw", "count", "context switches that the tasks asked for", "Q"),
    counter("nivcsw", "count", "context switches forced upon the tasks", "Q"),
    counter("ac_utimescaled", "us", "ac_utime scaled by the frequency of the CPU, where the machine can", "Q"),
    counter("ac_stimescaled", "us", "ac_stime scaled by the frequency of the CPU, where the machine can", "Q"),
    counter("cpu_scaled_run_real_total", "ns", "cpu_run_real_total scaled likewise", "Q"),
    counter("freepages_count", "count", "waits for memory to be reclaimed", "Q"),
    counter("freepages_delay_total", "ns", "waited for memory to be reclaimed; needs kernel.task_delayacct=1", "Q"),
), default=True, switch="taskstats")
