"""NVIDIA GPUs of each job; 0.6 stored none of it in HDF5."""
from colmet.common.schema import JOB, Table, gauge

TABLE = Table("nvidiastats_default", JOB, __doc__, (
    gauge("power", "W", "drawn by the job's GPUs", "q"),
    gauge("temperature", "Celsius", "of the hottest of them", "q", "max"),
    gauge("utilization-gpu", "%", "time with a kernel running", "q"),
    gauge("utilization-memory", "%", "time with memory being read or written", "q"),
    gauge("memory-total", "MiB", "memory of the GPUs", "q"),
    gauge("memory-free", "MiB", "of it, free", "q"),
    gauge("memory-used", "MiB", "of it, used", "q"),
), switch="nvidia")
