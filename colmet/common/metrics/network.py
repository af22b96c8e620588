"""Traffic of the node's network ports: InfiniBand, Omni-Path, Slingshot and Ethernet, all devices; nothing virtual.

See Documentation/ABI/stable/sysfs-class-infiniband and testing/sysfs-class-net-statistics of the kernel.
"""
from colmet.common.schema import NODE, Table, counter, gauge

TABLE = Table("network", NODE, __doc__, (
    counter("since", "ns", "Unix time from which on the traffic is counted: the first sample with the port, or its "
            "return", fold="min"),
    counter("sent", "bytes", "sent since then; resets and wraps of the port's own counter do not lessen it"),
    counter("received", "bytes", "received since then"),
    counter("sent_packets", "count", "packets sent since then"),
    counter("received_packets", "count", "packets received since then"),
    counter("resets", "count", "times that the port's own counters began anew; what went through just before is not "
            "known"),
    gauge("up", "count", "1 where the link is up, else 0", fold="max"),
    gauge("summed", "count", "1 for the ports whose sum is the traffic of the node, none counted twice; else 0",
          fold="max"),
), instance="port")
