"""Builds `colmet.node._perf_hw`: perf_hw.h is given to cffi as it is. setup.py calls this through cffi."""
from pathlib import Path

from cffi import FFI

HERE = Path(__file__).parent

ffi = FFI()
ffi.cdef((HERE / "perf_hw.h").read_text(encoding="utf-8"))
ffi.set_source(
    "colmet.node._perf_hw", '#include <stdint.h>\n#include <stddef.h>\n#include "perf_hw.h"\n',
    sources=["lib_perf_hw/perf_hw.c", "lib_perf_hw/totals.c"],
    depends=["lib_perf_hw/perf_hw.h", "lib_perf_hw/totals.h"],
    include_dirs=["lib_perf_hw"],
    extra_compile_args=["-std=gnu11", "-Wall", "-Wextra", "-Werror"], optional=True)
