"""Which files of a port are its counters, by the kind of its driver.

InfiniBand counts data in words of 4 bytes; Omni-Path (hfi1) puts its flits of 8 bytes into the same files
(ABI/stable/sysfs-class-infiniband of the kernel's documentation). Counters of 32 bits and less stop when they are full.
Kernels before 4.5 had those of 64 bits in counters_ext. efa, irdma and rxe have files of their own, in bytes. The
telemetry of Slingshot (cxi) is in bytes, packets by traffic class.
"""
from typing import Mapping, NamedTuple, Tuple

COUNTERS = ("sent", "received", "sent_packets", "received_packets", "send_errors", "receive_errors", "send_wait",
            "link_downs")
DATA = ("sent", "received")                     # those in units of a layout's `unit`
WORD, FLIT = 4, 8                               # bytes
FULL = {"port_xmit_data": 2 ** 32 - 1, "port_rcv_data": 2 ** 32 - 1, "port_xmit_packets": 2 ** 32 - 1,
        "port_rcv_packets": 2 ** 32 - 1, "port_xmit_wait": 2 ** 32 - 1, "port_xmit_discards": 2 ** 16 - 1,
        "port_rcv_errors": 2 ** 16 - 1, "link_downed": 2 ** 8 - 1}      # what a file says whose counter stopped


class Layout(NamedTuple):
    """{counter: files below the folder of the port, whose sum it is}, and how many bytes `DATA` counts by; `kind` is
    what people call such ports. `words`: of InfiniBand's own kind, which 0.6 knew; `again`: an interface counts the
    same traffic."""
    files: Mapping[str, Tuple[str, ...]]
    kind: str = "RDMA"
    unit: int = 1
    words: bool = False
    again: bool = False


def _layout(folder, *names, **more):
    """A Layout of files in `folder`, names in the order of `COUNTERS`, "" for one that is not there, "+" between those
    that are summed."""
    return Layout({counter: tuple("%s/%s" % (folder, part) for part in name.split("+"))
                   for counter, name in zip(COUNTERS, names) if name}, **more)


_FAULTS = ("port_xmit_discards", "port_rcv_errors", "port_xmit_wait", "link_downed")
INFINIBAND = _layout("counters", "port_xmit_data", "port_rcv_data", "port_xmit_packets", "port_rcv_packets", *_FAULTS,
                     kind="InfiniBand", unit=WORD, words=True)
_EXTENDED = _layout("counters_ext", *(name + "_64" for name in ("port_xmit_data", "port_rcv_data",
                                                                "port_xmit_packets", "port_rcv_packets")))
OLD = INFINIBAND._replace(files=dict(INFINIBAND.files, **_EXTENDED.files))
OMNI_PATH = INFINIBAND._replace(kind="Omni-Path", unit=FLIT)
EFA = _layout("hw_counters", "tx_bytes", "rx_bytes", "tx_pkts", "rx_pkts", "", "rx_drops")
IRDMA = _layout("hw_counters", "ip4OutOctets+ip6OutOctets", "ip4InOctets+ip6InOctets", "ip4OutPkts+ip6OutPkts",
                "ip4InPkts+ip6InPkts")
RXE = _layout("hw_counters", "", "", "sent_pkts", "rcvd_pkts", again=True)
OF_INFINIBAND = (OLD, INFINIBAND, EFA, IRDMA, RXE)      # the first whose files are there is that of a port

INTERFACE = _layout("statistics", "tx_bytes", "rx_bytes", "tx_packets", "rx_packets", "tx_errors+tx_dropped",
                    "rx_errors+rx_missed_errors", kind="Ethernet")
INTERFACE.files["link_downs"] = ("carrier_down_count",)
_CLASSES = range(8)
SLINGSHOT = _layout("telemetry", "hni_sts_tx_ok_octets", "hni_sts_rx_ok_octets",
                    "+".join("hni_pkts_sent_by_tc_%d" % each for each in _CLASSES),
                    "+".join("hni_pkts_recv_by_tc_%d" % each for each in _CLASSES), kind="Slingshot")
