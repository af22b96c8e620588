"""The C helpers (lib_*/). They are optional: without a compiler the package installs, and their sources are off."""
import os
from array import array
from importlib import import_module

from colmet.common.schema import MISSING
from colmet.node.backends import Unavailable


def load(name, needs="gcc and the headers of Python"):
    """The module of a helper, with `ffi` and `lib`; raises Unavailable where it was not built, for which it `needs`
    these."""
    try:
        return import_module("colmet.node." + name)
    except ImportError as error:
        raise Unavailable("its C helper was not built (%s); install %s, then pip install --force-reinstall --no-deps "
                          "--no-cache-dir colmet" % (error, needs)) from error


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
