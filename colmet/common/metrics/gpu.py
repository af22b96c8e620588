"""GPUs: a row for each of the node's GPUs and MIG instances, and one for each that a job holds or used.

Of a job's row, what is said of the device is that of all who share it: utilization, memory, power, temperature. What
is said of processes is that of the job's alone, and energy is its part, in equal parts with other jobs that hold the
device; in rows of the node (job 0) these are those of all. NVIDIA's by NVML (nvml.h); AMD's and Intel's from sysfs and
/proc/PID/fdinfo (gpu/drm-usage-stats.rst of the kernel's documentation), where processes are those of jobs.
"""
from colmet.common.schema import JOB, Table, counter, gauge

TABLE = Table("gpu", JOB, __doc__, (
    counter("since", "ns", "Unix time from which on energy, process_time and ended count: of a job's row, when it was "
            "seen first to hold the device", fold="min"),
    counter("energy", "uJ", "energy that the device used; by its own counter, or where it has none by its power at the "
            "samples; missing for a MIG instance, whose GPU has it"),
    gauge("power", "W", "drawn by the device now", code="d"),
    gauge("utilization", "%", "time in which it computed, as its driver says; missing where MIG is on", fold="max"),
    gauge("memory_utilization", "%", "time in which its memory was read or written", fold="max"),
    gauge("memory_used", "bytes", "of its memory, used"),
    gauge("memory_total", "bytes", "memory that it has"),
    gauge("temperature", "Celsius", "of the chip", code="d", fold="max"),
    gauge("memory_temperature", "Celsius", "of its memory", code="d", fold="max"),
    gauge("processes", "count", "processes that have it open"),
    gauge("process_memory", "bytes", "of its memory, used by them"),
    gauge("process_memory_peak", "bytes", "most that one of them had, those included that the driver keeps account of",
          fold="max"),
    gauge("process_utilization", "%", "time in which it computed for them", code="d"),
    counter("process_time", "ns", "GPU time of them: by the driver's accounting of processes (NVIDIA), or its engines "
            "(AMD, Intel; not of ROCm)"),
    counter("ended", "count", "of them, those that ended, by the driver's accounting of processes: those too that "
            "began and ended between two samples"),
    gauge("allocated", "count", "whether the job was given it: 1 by the device rules of its cgroup, 2 by the "
          "environment of its processes, which is theirs to write, 0 where neither says so", fold="max"),
    gauge("used", "count", "1 if one of them is there, or was since the sample before; else 0", fold="max"),
    gauge("holders", "count", "jobs that use it or were given it by the rules; where there is none, by their "
          "environment", fold="max"),
), instance="gpu")
