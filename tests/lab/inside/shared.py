"""NFS on the kernel of a guest: its own server exports a folder, its client mounts it twice, a known load is moved, and
the source of the node is asked before and after. Goes to /out/shared.json, mountstats of the end to /out/mountstats.

No program of NFS is there: what the server would ask its mount daemon is told to it beforehand (the channels of
filesystems/nfs/rpc-cache.rst), and the client mounts by mount(2).
"""
import ctypes
import json
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

from colmet.common.metrics import TABLES
from colmet.node.backends import filesystem

NFSD, CHANNELS = Path("/proc/fs/nfsd"), Path("/proc/net/rpc")
EXPORT, MOUNT, AGAIN = "/export", "/mnt/a folder", "/mnt/again"
CLIENTS = "/var/lib/nfs/v4recovery"     # where the server notes its clients; without it none may end its grace
NEVER = 2 ** 31 - 1             # when what it is told is forgotten, Unix time
FLAGS = 0x2412                  # NFSEXP_INSECURE_PORT, _ASYNC, _NOSUBTREECHECK, _FSID of linux/nfsd/export.h
SIZE, FILES = 3 << 20, 5        # bytes of each of so many
LIBC = ctypes.CDLL(None, use_errno=True)
BIND = 4096                     # MS_BIND of <sys/mount.h>
METRICS = [metric.name for metric in TABLES["filesystem"].metrics]


def mount(source, target, kind, data="", flags=0):
    """mount(2)."""
    os.makedirs(target, exist_ok=True)
    words = [word.encode() for word in (source, target, kind)]
    if LIBC.mount(*words, ctypes.c_ulong(flags), data.encode()):
        raise OSError(ctypes.get_errno(), "mount %s: %s" % (target, os.strerror(ctypes.get_errno())))


def serve():
    """Export /export to this machine by NFS 4, as its root, and wait for no clients of before."""
    os.makedirs(CLIENTS)
    mount("tmpfs", EXPORT, "tmpfs")
    mount("nfsd", str(NFSD), "nfsd")
    told = {"auth.unix.ip": "nfsd 127.0.0.1 %d here" % NEVER,
            "nfsd.export": "here %s %d %d 65534 65534 0" % (EXPORT, NEVER, FLAGS),
            "nfsd.fh": "here 1 \\x00000000 %d %s" % (NEVER, EXPORT)}
    for cache, line in told.items():
        (CHANNELS / cache / "channel").write_text(line + "\n")
    (NFSD / "versions").write_text("-2 -3 +4 +4.1 +4.2\n")
    (NFSD / "threads").write_text("2\n")
    (NFSD / "v4_end_grace").write_text("Y\n")


def rows(source):
    """{mount: {metric: value}} of a sample."""
    return {name: dict(zip(METRICS, values)) for _, name, values in source.sample([])["filesystem"]}


def load(folder):
    """Write and read files; the server has them when it returns."""
    for number in range(FILES):
        path = os.path.join(folder, "f%d" % number)
        with open(path, "wb", buffering=0) as file:
            file.write(b"x" * SIZE)
            os.fsync(file.fileno())
    Path("/proc/sys/vm/drop_caches").write_text("3")
    for number in range(FILES):
        with open(os.path.join(folder, "f%d" % number), "rb", buffering=0) as file:
            assert len(file.read(SIZE)) == SIZE
    try:
        os.stat(os.path.join(folder, "is not there"))
    except FileNotFoundError:
        pass


def main():
    """All steps."""
    source = filesystem.Backend(Path("/"), SimpleNamespace(beegfs_ctl=""))
    found = {"nothing": [rows(source), source.lacks]}
    serve()
    began = time.time_ns()
    mount("127.0.0.1:/", MOUNT, "nfs4", "vers=4.2,addr=127.0.0.1,clientaddr=127.0.0.1")
    found["mounted"] = [began, rows(source), time.time_ns()]
    load(MOUNT)
    found["moved"] = rows(source)
    mount(MOUNT, AGAIN, "none", flags=BIND)
    found["bound"] = rows(source)
    Path("/out/mountstats").write_bytes(Path("/proc/1/mountstats").read_bytes())
    for point in (AGAIN, MOUNT):
        if LIBC.umount2(point.encode(), 0):
            raise OSError(ctypes.get_errno(), "umount %s" % point)
    found["unmounted"] = rows(source)
    source.close()
    Path("/out/shared.json").write_text(json.dumps(found))


if __name__ == "__main__":
    sys.exit(main())
