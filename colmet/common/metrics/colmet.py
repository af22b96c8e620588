"""Colmet's own cost and health on a node: row `node` for the process, and one for each source by name."""
from colmet.common.schema import NODE, Table, counter, gauge

TABLE = Table("colmet", NODE, __doc__, (
    counter("since", "ns", "Unix time at which the counters began: the start of colmet-node", fold="min"),
    counter("samples", "count", "times the source was read; of `node`, ticks"),
    counter("failures", "count", "of them, failed"),
    counter("late", "count", "ticks left out because the one before took too long"),
    counter("duration", "ns", "wall time spent reading"),
    counter("cpu", "ns", "CPU time spent reading; of `node`, the whole process"),
    gauge("age", "ns", "age of the value taken from a slow source"),
    gauge("rss", "bytes", "resident memory of the process"),
    counter("sent", "count", "batches handed to ZeroMQ, resent ones included"),
    counter("acknowledged", "count", "batches that the collector has on disk"),
    gauge("kept", "count", "batches kept until they are acknowledged"),
    counter("dropped_full", "count", "batches dropped, the oldest first, because the outbox was full"),
    counter("dropped_refused", "count", "batches that the collector refused"),
    counter("resent", "count", "batches sent again"),
    counter("clock_steps", "count", "times the wall clock was set by more than 1 s"),
    counter("lost_events", "count", "times the watch on the job directories overflowed; a new listing follows each"),
    counter("jobs_cut", "count", "jobs that did not fit into involved_jobs"),
    gauge("shed", "count", "1 while the source is left out to keep --cpu-budget; of `node`, how many are"),
    counter("programs_cpu", "ns", "CPU time of its BPF programs in the tasks of others, an estimate unless "
            "kernel.bpf_stats_enabled is on; known with --cpu-budget"),
), instance="part", default=True)
