"""Builds `colmet.node._account`: the headers are given to cffi as they are. setup.py calls this through cffi.

Needs libbpf and its headers. The BPF programs are not compiled here: colmet/node/*.bpf.o are made by
``make -C lib_account bpf`` and kept with the sources.
"""
from pathlib import Path

from cffi import FFI

HERE = Path(__file__).parent

ffi = FFI()
for header in ("account.h", "processes.h", "emptied.h"):
    ffi.cdef((HERE / header).read_text(encoding="utf-8"))
ffi.set_source(
    "colmet.node._account", """
#include <stdint.h>
#include <stddef.h>
#include "account.h"
#include "processes.h"
#include "emptied.h"
""",
    sources=["lib_account/account.c", "lib_account/walk.c", "lib_account/groups.c", "lib_account/read.c",
             "lib_account/rows.c", "lib_account/processes.c", "lib_account/emptied.c"],
    depends=["lib_account/account.h", "lib_account/internal.h", "lib_account/cells.h", "lib_account/held.h",
             "lib_account/processes.h", "lib_account/emptied.h"],
    include_dirs=["lib_account"],
    libraries=["bpf"], extra_compile_args=["-std=gnu11", "-Wall", "-Wextra", "-Werror"], optional=True)
