"""The BPF programs that are kept compiled are those of the sources beside them."""
import hashlib
import shutil
import subprocess

import pytest

from checkout import CHECKOUT
from colmet.node.account import bpf
from colmet.node.jobproc import bpf as jobproc
from colmet.node.jobs import emptied

SHARED = ("kernel.h", "cells.h", "held.h", "hierarchy.h", "maps.h", "task.h")      # as lib_account/Makefile takes them
OBJECTS = (bpf.OBJECT, bpf.WALK, jobproc.PROGRAM, emptied.OBJECT)
PROGRAMS = {bpf.OBJECT: (b"on_exit", b"on_live", b"on_mkdir", b"on_rmdir"), bpf.WALK: (b"on_walk",),
            jobproc.PROGRAM: (b"on_open", b"on_read"), emptied.OBJECT: (b"on_populated",)}


@pytest.mark.parametrize("kept", OBJECTS, ids=lambda path: path.name)
def test_the_object_was_made_of_these_sources(kept):
    names = (kept.name.replace(".o", ".c"),) + SHARED
    texts = b"".join((CHECKOUT / "lib_account" / name).read_bytes() for name in names)
    noted = kept.with_suffix(".sum").read_text().split()
    assert noted[:1] == [hashlib.sha256(texts).hexdigest()], "stale: run make -C lib_account bpf"
    assert noted[1:] == [hashlib.sha256(kept.read_bytes()).hexdigest()]


def test_the_sources_compile_to_programs_of_these_names(tmp_path):
    if not shutil.which("clang") or not shutil.which("llvm-strip"):
        pytest.skip("needs clang: install clang, llvm and libbpf-dev")
    done = subprocess.run(["make", "-C", str(CHECKOUT / "lib_account"), "bpf", "BPF=%s" % tmp_path],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    assert done.returncode == 0, done.stdout
    version = subprocess.run(["clang", "-dumpversion"], stdout=subprocess.PIPE, check=True).stdout.split()[0]
    for kept in OBJECTS:
        made = (tmp_path / kept.name).read_bytes()
        if version.startswith(b"14."):      # another one may write them otherwise
            assert made == kept.read_bytes()
        assert all(name in made for name in PROGRAMS[kept])
