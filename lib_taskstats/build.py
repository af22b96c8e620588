"""Builds `colmet.node._taskstats`: taskstats.h and listener.h are given to cffi as they are. setup.py calls this
through cffi."""
from pathlib import Path

from cffi import FFI

HERE = Path(__file__).parent
SOURCES = ("ends", "forks", "groups", "jobs", "listener", "netlink", "reading", "rows", "socket", "sum", "tasks",
           "taskstats")
HEADERS = ("ends", "forks", "groups", "listener", "listening", "netlink", "socket", "sums", "tasks", "taskstats")

ffi = FFI()
for public in ("taskstats.h", "listener.h"):
    ffi.cdef((HERE / public).read_text(encoding="utf-8"))
ffi.set_source(
    "colmet.node._taskstats",
    '#include <stdint.h>\n#include <stddef.h>\n#include "taskstats.h"\n#include "listener.h"\n',
    sources=["lib_taskstats/%s.c" % name for name in SOURCES],
    depends=["lib_taskstats/%s.h" % name for name in HEADERS], include_dirs=["lib_taskstats"],
    libraries=["pthread"], extra_compile_args=["-std=gnu11", "-Wall", "-Wextra", "-Werror"], optional=True)
