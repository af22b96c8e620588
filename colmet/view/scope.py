"""A scope unit of systemd for one process: what ``systemd-run --scope`` makes, for a process that is there already.

Asked of the manager over D-Bus with busctl(1), org.freedesktop.systemd1(5): StartTransientUnit. Only within
user.slice, that is in a login session: the cgroup of a service or of a batch job is not to be left.
"""
import os
import shutil
import subprocess
import time
from pathlib import Path

SECONDS = 3.0       # for the manager to answer, and again to move the process
LOOK = 0.02


def sensible(path):
    """Whether a process whose cgroup directory is `path` may ask for a scope."""
    return "/user.slice/" in path + "/" and shutil.which("busctl") is not None


def request(pid, manager):
    """The busctl command that makes ``colmet_<pid>.scope`` of process `pid`; `manager` is --user or --system."""
    properties = [("PIDs", "au", "1", str(pid)), ("Description", "s", "measured by colmet"),
                  ("CollectMode", "s", "inactive-or-failed")]
    properties += [(name, "b", "true")
                   for name in ("CPUAccounting", "MemoryAccounting", "IOAccounting", "TasksAccounting")]
    return (["busctl", manager, "--quiet", "--timeout=%d" % SECONDS, "call", "org.freedesktop.systemd1",
             "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "StartTransientUnit", "ssa(sv)a(sa(sv))",
             "colmet_%d.scope" % pid, "fail", str(len(properties))]
            + [word for words in properties for word in words] + ["0"])


def move(pid, where):
    """Move process `pid` into a scope: its directory as a Path, None where the
    manager did not do it. `where()` gives the directory that the process is in now."""
    manager = "--system" if os.geteuid() == 0 else "--user"
    try:
        subprocess.run(request(pid, manager), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=2 * SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        now = where()
        if now and now.name == "colmet_%d.scope" % pid:
            return Path(now)
        time.sleep(LOOK)
    return None
