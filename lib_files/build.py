"""Builds `colmet.node._files`: files.h is given to cffi as it is. setup.py calls this through cffi."""
from pathlib import Path

from cffi import FFI

HERE = Path(__file__).parent

ffi = FFI()
ffi.cdef((HERE / "files.h").read_text(encoding="utf-8"))
ffi.cdef('extern "Python" ssize_t files_taped(void *, const char *, int, char *, size_t);')
ffi.set_source(
    "colmet.node._files", '#include <stdint.h>\n#include <stddef.h>\n#include <sys/types.h>\n#include "files.h"\n',
    sources=["lib_files/files.c", "lib_files/parse.c", "lib_files/firsts.c", "lib_files/sets.c"],
    depends=["lib_files/files.h", "lib_files/cells.h"],
    include_dirs=["lib_files"],
    extra_compile_args=["-std=gnu11", "-Wall", "-Wextra", "-Werror"], optional=True)
