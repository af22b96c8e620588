"""Replies of taskstats made by hand, from the structure as Linux has had it: names and bytes of its fields in order.

The kernel aligns each field to its size; what follows one marked 8 there by attribute is marked by its width here.
"""
import struct
import sys

_COUNTS = ("cpu_count", "cpu_delay_total", "blkio_count", "blkio_delay_total", "swapin_count", "swapin_delay_total")
_IDS = (("ac_comm", 32), ("ac_sched", 8), ("ac_uid", 4), ("ac_gid", 4), ("ac_pid", 4), ("ac_ppid", 4), ("ac_btime", 4))
_REST = ("ac_etime", "ac_utime", "ac_stime", "ac_minflt", "ac_majflt", "coremem", "virtmem", "hiwater_rss",
         "hiwater_vm", "read_char", "write_char", "read_syscalls", "write_syscalls", "read_bytes", "write_bytes",
         "cancelled_write_bytes", "nvcsw", "nivcsw", "ac_utimescaled", "ac_stimescaled", "cpu_scaled_run_real_total",
         "freepages_count", "freepages_delay_total")
_LATER = ("thrashing_count", "thrashing_delay_total", "ac_btime64", "compact_count", "compact_delay_total", "ac_tgid",
          "ac_tgetime", "ac_exe_dev", "ac_exe_inode", "wpcopy_count", "wpcopy_delay_total")
_DELAYS = ("cpu", "blkio", "swapin", "freepages", "thrashing", "compact", "wpcopy", "irq")


def _wide(names):
    return tuple((name, 8) for name in names)


def _with_extremes(fields):
    """Linux 6.14 and 6.15: greatest and least delay behind each total."""
    for name, width in fields:
        yield name, width
        kind = name[:-len("_delay_total")]
        if name.endswith("_delay_total") and kind in _DELAYS:
            yield from ((kind + "_delay_max", 8), (kind + "_delay_min", 8))


_HEAD = (("version", 2), ("ac_exitcode", 4), ("ac_flag", 1), ("ac_nice", 1))
_RUN = ("cpu_run_real_total", "cpu_run_virtual_total")
FIELDS = _HEAD + _wide(_COUNTS) + _wide(_RUN) + _IDS + _wide(_REST) + _wide(_LATER)
INSERTED = tuple(_with_extremes(FIELDS + _wide(("irq_count", "irq_delay_total"))))


def offsets(fields):
    """{field: its place}."""
    places, at = {}, 0
    for name, width in fields:
        step = 4 if name == "ac_comm" else min(width, 8)
        at = -(-at // step) * step
        places[name] = at
        at += width
    return places


def stats(fields, values):
    """The structure with these values, 0 elsewhere."""
    places, widths = offsets(fields), dict(fields)
    last = fields[-1][0]
    data = bytearray(places[last] + widths[last])
    for name, value in values.items():
        width = widths[name]
        data[places[name]:places[name] + width] = value.to_bytes(width, sys.byteorder)
    return bytes(data)


def _attribute(kind, payload):
    return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def reply(structure, sequence=7):
    """The kernel's message: header, generic header, AGGR_PID (4) holding PID (1) and STATS (3)."""
    task = _attribute(4, _attribute(1, struct.pack("=I", 4711)) + _attribute(3, structure))
    body = struct.pack("=BBH", 2, 1, 0) + task
    return struct.pack("=IHHII", 16 + len(body), 30, 0, sequence, 0) + body


def error_reply(error, sequence=7):
    """NLMSG_ERROR (2) with `error`, -errno."""
    return struct.pack("=IHHIIi", 20, 2, 0, sequence, 0, error)
