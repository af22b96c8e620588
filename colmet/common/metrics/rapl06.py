"""Energy of the node's RAPL zones, as 0.6 had it; RAPL_mapping.<time>.csv says which counter is which zone."""
from colmet.common.schema import NODE, Table, gauge

_DOCS = ("range of the zone in the counter before", "energy used in a zone since the sample before")

TABLE = Table("RAPLstats_default", NODE, __doc__, tuple(
    gauge("counter_%d" % n, "uJ", _DOCS[n % 2], "q") for n in range(1, 25)),
    involved_jobs="wire", switch="RAPL")
