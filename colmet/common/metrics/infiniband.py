"""Traffic of the node's InfiniBand or Omni-Path port, counted by the port since it started."""
from colmet.common.schema import NODE, Table, counter

TABLE = Table("infinibandstats_default", NODE, __doc__, (
    counter("portXmitData", "bytes", "sent", "q"),
    counter("portRcvData", "bytes", "received", "q"),
    counter("portXmitPkts", "count", "packets sent", "q"),
    counter("portRcvPkts", "count", "packets received", "q"),
), involved_jobs="wire", switch="infiniband")
