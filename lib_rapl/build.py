"""Builds `colmet.node._rapl`: rapl.h is given to cffi as it is. setup.py calls this through cffi."""
from pathlib import Path

from cffi import FFI

HERE = Path(__file__).parent

ffi = FFI()
ffi.cdef((HERE / "rapl.h").read_text(encoding="utf-8"))
ffi.set_source(
    "colmet.node._rapl", '#include <stdint.h>\n#include "rapl.h"\n',
    sources=["lib_rapl/rapl.c"], depends=["lib_rapl/rapl.h"], include_dirs=["lib_rapl"],
    extra_compile_args=["-std=gnu11", "-Wall", "-Wextra", "-Werror"], optional=True)
