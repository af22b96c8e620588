"""Power of the node as its management controller (BMC) reads it, over IPMI."""
from colmet.common.schema import NODE, Table, gauge

TABLE = Table("ipmipowerstats_default", NODE, __doc__, (
    gauge("average_power_consumption", "W", "what the BMC, or --ipmipower-cmd, told last", "q"),
), involved_jobs="wire", switch="ipmipower")
