"""Builds `colmet.node._taskstats`: taskstats.h is given to cffi as it is. setup.py calls this through cffi."""
from pathlib import Path

from cffi import FFI

HERE = Path(__file__).parent

ffi = FFI()
ffi.cdef((HERE / "taskstats.h").read_text(encoding="utf-8"))
ffi.set_source(
    "colmet.node._taskstats", '#include <stdint.h>\n#include <stddef.h>\n#include "taskstats.h"\n',
    sources=["lib_taskstats/netlink.c", "lib_taskstats/sum.c", "lib_taskstats/taskstats.c"],
    depends=["lib_taskstats/netlink.h", "lib_taskstats/taskstats.h"], include_dirs=["lib_taskstats"],
    extra_compile_args=["-std=gnu11", "-Wall", "-Wextra", "-Werror"], optional=True)
