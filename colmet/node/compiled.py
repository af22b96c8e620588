"""The C helpers (lib_*/). They are optional: without a compiler the package installs, and their sources are off."""
import os
import re
from array import array
from importlib import import_module

from colmet.common.schema import MISSING
from colmet.node.backends import Unavailable

REBUILD = "pip install --force-reinstall --no-deps --no-cache-dir colmet"
# The packages of shared libraries that a helper wants when it is loaded, by name: Debian's, RHEL's. What Debian's
# ends with is the number in the file's name: libbpf.so.1 is in libbpf1.
PACKAGES = {"libbpf": ("libbpf%s", "libbpf"), "libelf": ("libelf%s", "elfutils-libelf"),
            "libz": ("zlib%sg", "zlib")}
_NO_LIBRARY = re.compile(r"(?P<file>(?P<name>[\w+-]+)\.so\.(?P<number>\d+)\S*): cannot open shared object file")


def load(name, needs="gcc and the headers of Python"):
    """The module of a helper, with `ffi` and `lib`; raises Unavailable where it was not built, for which it `needs`
    these, or does not load."""
    module = "colmet.node." + name
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise Unavailable("its C helper does not load (%s); pip install %s" % (error, _package(error.name))) \
                from error
        raise Unavailable("its C helper was not built (%s); install %s, then %s" % (error, needs, REBUILD)) from error
    except ImportError as error:
        raise Unavailable(_does_not_load(str(error), needs)) from error


def _package(module):
    return "cffi" if module == "_cffi_backend" else module


def _does_not_load(fault, needs):
    """"why; what to do" for `fault`, what dlopen(3) says of a helper that is there."""
    lacks = _NO_LIBRARY.search(fault)
    if not lacks:
        return "its C helper does not load (%s); install %s, then %s" % (fault, needs, REBUILD)
    debian, rhel = PACKAGES.get(lacks["name"], (lacks["name"] + "%s", lacks["name"]))
    return "its C helper wants %s, which is not here; install %s (Debian) or %s (RHEL)" % (
        lacks["file"], debian % lacks["number"], rhel)


def check(code):
    """Returns what a helper returned; where it is -errno, raises OSError."""
    if code < 0:
        raise OSError(-code, os.strerror(-code))
    return code


def ids(ffi, numbers):
    """Process or thread ids as int32_t[]; an array("i") is not copied."""
    return ffi.from_buffer("int32_t[]", numbers if isinstance(numbers, array) else array("i", numbers))


def values(ffi, cells):
    """The cells of a sum as a row's values: None is "not known"."""
    numbers = ffi.unpack(cells, len(cells))
    return [None if number == MISSING else number for number in numbers] if MISSING in numbers else numbers
