"""Sums over the live processes of a job, as /proc/PID/io and /proc/PID/status have them (proc(5))."""
from colmet.common.schema import JOB, Table, counter, gauge

TABLE = Table("jobprocstats_default", JOB, __doc__, (
    counter("rchar", "bytes", "read by read(2) and its like, cache included", "q"),
    counter("wchar", "bytes", "written by write(2) and its like, cache included", "q"),
    counter("syscr", "count", "read calls", "q"),
    counter("syscw", "count", "write calls", "q"),
    counter("read_bytes", "bytes", "fetched from storage", "q"),
    counter("write_bytes", "bytes", "sent to storage, or to be sent", "q"),
    counter("cancelled_write_bytes", "bytes", "of write_bytes, never written: truncated while in the cache", "q"),
    gauge("VmRSS", "kB", "resident memory; what processes share counts for each of them", "q"),
    gauge("RssShmem", "kB", "of it, shared memory", "q"),
    gauge("VmSize", "kB", "virtual memory", "q"),
), involved_jobs="file", switch="jobproc")
