"""What the kernel counts for a job's cgroups, of all processes that there were: CPU time, memory, I/O, pids, pressure.

From cgroup v1 or v2 or both (Documentation/admin-guide/cgroup-v1/ and cgroup-v2.rst of the kernel). What no
controller of this machine gives is missing, and so is a limit where there is none. Several cgroups of a job are added.
Limits, and what a job at rest does not change, as pressure and throttling, memory.stat and its events, are read at each
sample while they or its CPU time, memory or pids change, and else every 30 s. At a job's end all is read.
"""
from colmet.common.schema import JOB, Table, counter, gauge


def _pressure(resource, some, full):
    return (counter(resource + "_some", "us", "time in which at least one task waited for " + some, fold="max"),
            counter(resource + "_full", "us", "time in which all tasks waited for " + full, fold="max"))


TABLE = Table("cgroup", JOB, __doc__, (
    counter("since", "ns", "Unix time at which the job's first cgroup was made, and its counters began", fold="min"),
    counter("cpu", "ns", "CPU time, exact"),
    counter("user", "ns", "CPU time in user mode; with v1 in steps of 10 ms"),
    counter("system", "ns", "CPU time in the kernel; with v1 in steps of 10 ms"),
    counter("nr_periods", "count", "periods of a CPU quota in which the job was runnable"),
    counter("nr_throttled", "count", "of these, periods in which it had to stop"),
    counter("throttled_time", "ns", "time for which it had to stop"),
    gauge("memory_current", "bytes", "all memory that it holds: anonymous, file cache and of the kernel"),
    gauge("memory_peak", "bytes", "most of it at one time, by the kernel's own watermark", fold="max"),
    gauge("memory_peak_interval", "bytes", "most of it since the sample before; needs --reset-peak", fold="max"),
    gauge("memory_limit", "bytes", "most that it may hold"),
    counter("memory_limit_hits", "count", "times that it was at the limit"),
    gauge("memory_anon", "bytes", "anonymous memory: heaps, stacks"),
    gauge("memory_file", "bytes", "page cache, shared memory included"),
    gauge("memory_shmem", "bytes", "shared memory and tmpfs"),
    gauge("memory_kernel", "bytes", "memory of the kernel for it: page tables, stacks, slabs"),
    gauge("swap", "bytes", "in swap"),
    counter("oom", "count", "times that the limit was hit and nothing could be freed; v2 only"),
    counter("oom_kill", "count", "processes killed for want of memory"),
    counter("io_read_bytes", "bytes", "read from block devices; v1 counts only on devices of which some cgroup once "
            "had a limit: see --blkio-rule"),
    counter("io_write_bytes", "bytes", "written to block devices; with v1 as io_read_bytes"),
    counter("io_reads", "count", "read operations on block devices; with v1 as io_read_bytes"),
    counter("io_writes", "count", "write operations on block devices; with v1 as io_read_bytes"),
    gauge("pids", "count", "tasks"),
    gauge("pids_peak", "count", "most tasks at one time", fold="max"),
    gauge("pids_limit", "count", "most tasks that it may have"),
) + _pressure("cpu", "a CPU", "one") + _pressure("memory", "memory", "it")
    + _pressure("io", "block I/O", "it"), default=True)
