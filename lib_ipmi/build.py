"""Builds `colmet.node._ipmi`: ipmi.h is given to cffi as it is. setup.py calls this through cffi."""
from pathlib import Path

from cffi import FFI

HERE = Path(__file__).parent

ffi = FFI()
ffi.cdef((HERE / "ipmi.h").read_text(encoding="utf-8"))
ffi.set_source(
    "colmet.node._ipmi", '#include <stdint.h>\n#include "ipmi.h"\n',
    sources=["lib_ipmi/ipmi.c"], depends=["lib_ipmi/ipmi.h"], include_dirs=["lib_ipmi"],
    extra_compile_args=["-std=gnu11", "-Wall", "-Wextra", "-Werror"], optional=True)
