"""What all programs for the kernel want that are kept compiled in this folder, *.bpf.o."""
import errno
import os
from pathlib import Path

from colmet.node import compiled
from colmet.node.backends import Unavailable
from colmet.node.capabilities import give, lacking

BTF = Path("/sys/kernel/btf/vmlinux")
RIGHTS = ("CAP_BPF", "CAP_PERFMON")


def helper():
    """lib_account, which loads them; raises Unavailable where it was not built."""
    return compiled.load("_account", "gcc, libbpf and the headers of both it and Python")


def program(name):
    """The path of the one of lib_account/`name`.bpf.c."""
    return Path(__file__).with_name(name + ".bpf.o")


def need_btf():
    """Raises Unavailable where programs have nothing to find the kernel's structures by."""
    if not BTF.exists():
        raise Unavailable("this kernel has no BTF (CONFIG_DEBUG_INFO_BTF)")


def refusal(code, remedy=""):
    """The Unavailable for programs that the kernel refused with `code`, -errno; `remedy` is what to do where no right
    lacks."""
    lacks = lacking(*RIGHTS) if -code in (errno.EPERM, errno.EACCES) else ()
    if lacks:
        return Unavailable("needs %s; %s" % (" and ".join(lacks), give(*lacks)))
    why = "the kernel refuses its programs (%s)" % os.strerror(-code).lower()
    return Unavailable("; ".join(filter(None, (why, remedy))))
