"""Five counters of perf_event_open(2) for each job; perfhw_mapping.<time>.csv says which."""
from colmet.common.schema import JOB, Table, gauge

TABLE = Table("perfhwstats_default", JOB, __doc__, tuple(
    gauge("counter_%d" % n, "count", "growth of counter %d since the sample before" % n, "q")
    for n in range(1, 6)), switch="perfhw")
