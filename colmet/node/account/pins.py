"""Where the account outlives a colmet-node: a directory in the bpf file system, for one process at a time.

What is pinned there stays in the kernel, and runs, until its file is removed (bpf(2), BPF_OBJ_PIN).
"""
import fcntl
import os

from colmet.common.mounts import mounts

DEFAULT = "/sys/fs/bpf/colmet"
LAST = "on_exit"            # is pinned when all else is (lib_account/account.c)


class Pins:
    """The directory `name` in `base`, held by a lock. `path` is "" where there is none to be had: no `base` given, no
    bpf file system there, or another process has it. Those of other names but the same ending are of another version,
    and are removed unless they are in use."""

    def __init__(self, base, name):
        self.path, self._lock = "", None
        if not is_bpf(os.path.dirname(base)):
            return
        path = os.path.join(base, name)
        try:
            os.makedirs(path, 0o700, exist_ok=True)
            for other in os.listdir(base):
                if other != name and other.rpartition("-")[2] == name.rpartition("-")[2]:
                    _discard(os.path.join(base, other))
        except OSError:
            return
        self._lock = _locked(path)
        if self._lock is not None:
            self.path = path
            if LAST not in os.listdir(path):        # whoever began it did not come to an end
                _empty(path)

    def close(self, keep):
        """Let go of it, and with all that is in it unless it is to be kept."""
        if self._lock is None:
            return
        if not keep:
            _remove(self.path)
        os.close(self._lock)
        self.path, self._lock = "", None


def is_bpf(path):
    """Whether a bpf file system is mounted at `path`."""
    return any(mount.kind == "bpf" and mount.point == path for mount in mounts())


def _locked(path):
    """A descriptor that holds the lock of the directory `path`; None where another has it."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return None
    return fd


def _discard(path):
    fd = _locked(path)
    if fd is not None:
        _remove(path)
        os.close(fd)


def _empty(path):
    for name in os.listdir(path):
        os.unlink(os.path.join(path, name))


def _remove(path):
    _empty(path)
    os.rmdir(path)
