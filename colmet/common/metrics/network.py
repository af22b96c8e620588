"""Traffic of the node's network ports: InfiniBand, Omni-Path, Slingshot, and the interfaces of hardware.

See ABI/stable/sysfs-class-infiniband and ABI/testing/sysfs-class-net-statistics of the kernel's documentation.
"""
from colmet.common.schema import NODE, Table, counter, gauge

TABLE = Table("network", NODE, __doc__, (
    counter("since", "ns", "Unix time from which on all is counted: the first sample with the port, or with its return",
            fold="min"),
    counter("sent", "bytes", "sent since then; where the port's own counter begins anew this one goes on"),
    counter("received", "bytes", "received since then"),
    counter("sent_packets", "count", "packets sent since then"),
    counter("received_packets", "count", "packets received since then"),
    counter("send_errors", "count", "packets that could not be sent: port_xmit_discards, or tx_errors and tx_dropped"),
    counter("receive_errors", "count", "packets that came and were lost: port_rcv_errors, or rx_errors and "
            "rx_missed_errors"),
    counter("send_wait", "count", "ticks of the port's own clock at which it had something to send and could not "
            "(port_xmit_wait): congestion"),
    counter("link_downs", "count", "times that the link went down"),
    counter("resets", "count", "times that the port's own counters were reset; what went through just before is not "
            "known"),
    gauge("up", "count", "1 where the link is up, else 0", fold="max"),
    gauge("speed", "bytes/s", "most that the link carries in each direction"),
    gauge("summed", "count", "1 for the ports whose sum is the traffic of the node, none counted twice; else 0",
          fold="max"),
), instance="port")
