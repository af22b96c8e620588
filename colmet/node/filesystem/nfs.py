"""NFS: what /proc/PID/mountstats says of each mount (linux/nfs_iostat.h, linux/sunrpc/metrics.h).

    device server:/export mounted on /home with fstype nfs4 statvers=1.1
            age:    7968                        seconds since it was mounted
            events: 1 2 3 4 OPENS ...           27 numbers, of the calls of programs
            bytes:  1 2 3 4 5 6 7 8             read, written: by programs; with O_DIRECT; from and to the server
            ...
            per-op statistics
                    READ: requests transmissions timeouts sent received queue rtt execute errors

The numbers are those of a file system: mounts that show the same one tell the same. Blanks, line ends and backslashes
in names are written as three octal digits after a backslash, so that no name looks like a line.
"""
import os
import re
import time

from colmet.common.mounts import unescaped
from colmet.node.clock import MS, SECOND
from colmet.node.filesystem.reading import Reading

KIND = "nfs"
FSTYPES = ("nfs", "nfs4")
# Requests for contents, and those that NFS 4 makes for itself.
NO_METADATA = frozenset(b"NULL READ WRITE COMMIT READ_PLUS COPY ALLOCATE DEALLOCATE CLONE SEEK EXCHANGE_ID "
                        b"CREATE_SESSION DESTROY_SESSION DESTROY_CLIENTID SEQUENCE RENEW SETCLIENTID "
                        b"SETCLIENTID_CONFIRM BIND_CONN_TO_SESSION RECLAIM_COMPLETE GET_LEASE_TIME".split())
_OPENS, _CLOSES, _EVENTS = 4, 17, 18    # places in `events`, and how many numbers it has at least
_BYTES = 6
_BLOCK = re.compile(rb"^device (\S+) mounted on (\S+) with fstype (nfs4?)(?: statvers=(\S+))?\n((?:[ \t][^\n]*\n|\n)*)",
                    re.MULTILINE)
_AGE = re.compile(rb"^[ \t]*age:\s*(\d{1,12})[ \t]*$", re.MULTILINE)
_NUMBERS = rb"^[ \t]*%s:((?:[ \t]+\d{1,20})+)[ \t]*$"
_EVENT_LINE = re.compile(_NUMBERS % b"events", re.MULTILINE)
_BYTES_LINE = re.compile(_NUMBERS % b"bytes", re.MULTILINE)
_REQUESTS = re.compile(rb"^[ \t]*([A-Z][A-Z0-9_]*): ([1-9]\d{0,19}) (\d{1,20}) (\d{1,20}) \d+ \d+ \d+ \d+"
                       rb" (\d{1,20})(?: (\d{1,20}))?[ \t]*$", re.MULTILINE)
_HAS_REQUESTS = b"per-op statistics"
_WITHOUT_ERRORS = (b"", b"1.0")
_METRICS = ("bytes_read", "bytes_written", "opens", "closes", "metadata", "requests", "request_time", "retransmissions",
            "timeouts", "errors", "server_bytes_read", "server_bytes_written")


def readings(text, mounts, now=None):
    """[Reading] of the text (bytes) of mountstats, one for each file system: `mounts` (`colmet.common.mounts.Mount`)
    say which are of the same. `now` is Unix time in ns."""
    now = time.time_ns() if now is None else now
    devices = {}
    for mount in mounts:
        if mount.kind in FSTYPES:
            devices.setdefault(mount.point, []).append(mount.device)
    found = {}
    for source, point, fstype, version, lines in _BLOCK.findall(text):
        source, point = (unescaped(os.fsdecode(each)) for each in (source, point))
        device = devices[point].pop(0) if devices.get(point) else source
        age = _AGE.search(lines)
        since = now - int(age.group(1)) * SECOND if age else None
        values = parse(lines, version)
        if fstype == b"nfs4":
            values["opens"] = None          # the kernel counts none of version 4, 0 stands there
        found.setdefault(device, Reading((KIND, device), KIND, point, since, values))
    return list(found.values())


def parse(lines, version):
    """{metric: value} from the `lines` (bytes) of one mount, whose statistics are of that `version`; None where they do
    not tell."""
    values = dict.fromkeys(_METRICS)
    events, sizes = _numbers(_EVENT_LINE, lines), _numbers(_BYTES_LINE, lines)
    if len(events) >= _EVENTS:
        values.update(opens=events[_OPENS], closes=events[_CLOSES])
    if len(sizes) >= _BYTES:
        values.update(bytes_read=sizes[0] + sizes[2], bytes_written=sizes[1] + sizes[3], server_bytes_read=sizes[4],
                      server_bytes_written=sizes[5])
    if _HAS_REQUESTS in lines:
        values.update(_requests(_REQUESTS.findall(lines)))
        if version in _WITHOUT_ERRORS:
            values["errors"] = None
    return values


def _requests(kinds):
    """What the requests of all `kinds` were: [(name, requests, transmissions, timeouts, ms, errors)] in bytes."""
    requests = metadata = retransmissions = timeouts = spent = errors = 0
    for name, *numbers, failed in kinds:
        count, sent, late, time_ms = map(int, numbers)
        requests += count
        metadata += count if name not in NO_METADATA else 0
        retransmissions += max(0, sent - count)
        timeouts += late
        spent += time_ms
        errors += int(failed or 0)
    return {"requests": requests, "metadata": metadata, "retransmissions": retransmissions, "timeouts": timeouts,
            "request_time": spent * MS, "errors": errors}


def _numbers(line, text):
    match = line.search(text)
    return list(map(int, match.group(1).split())) if match else []
