"""The C helpers from source to installed package: warnings, sanitizers, and machines where they do not compile."""
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

from colmet.node import compiled
from colmet.node.backends import Unavailable
from conftest import CHECKOUT

pytestmark = pytest.mark.slow       # each Python that runs the tests builds the helpers anyway

HELPERS = ("lib_taskstats", "lib_files", "lib_account", "lib_perf_hw", "lib_rapl", "lib_ipmi")
PACKAGED = ("setup.py", "pyproject.toml", "MANIFEST.in", "README.rst", "CHANGELOG.rst", "AUTHORS", "LICENSE",
            "lib.mk")
ASK = """
from pathlib import Path
from types import SimpleNamespace
from colmet.node.backends import Unavailable, load
options = SimpleNamespace(tables=None, task_reader="auto", cpuset_rootpath=[], scheduler="none", rule=(),
                          account_pins="")
for name in ("taskstats", "procstats", "jobproc"):
    try:
        for reader, reason in load(name).Backend(Path("/"), options).refused.items():
            print(reader, reason)
    except Unavailable as reason:
        print(name, reason)
"""


def run(*command, **options):
    """What a command that succeeds writes."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          universal_newlines=True, timeout=300, **options)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(name="source", scope="module")
def _source(tmp_path_factory):
    """A copy of what the package is built from, for builds leave files behind."""
    pytest.importorskip("setuptools", reason="needs setuptools")
    pytest.importorskip("cffi", reason="needs cffi")
    folder = tmp_path_factory.mktemp("source") / "colmet"
    leave = shutil.ignore_patterns("*.so", "__pycache__", "build")
    for name in ("colmet",) + HELPERS:
        shutil.copytree(CHECKOUT / name, folder / name, ignore=leave)
    for name in PACKAGED:
        if (CHECKOUT / name).exists():
            shutil.copy(CHECKOUT / name, folder / name)
    return folder


def needs_compiler():
    """Skips where nothing can compile."""
    if not shutil.which("cc"):
        pytest.skip("needs cc: install gcc")


def install(source, target, **environment):
    """pip install of the sources into `target`, without a network; returns what pip wrote."""
    pytest.importorskip("pip", reason="needs pip")
    return run(sys.executable, "-m", "pip", "install", "-v", "--no-index", "--no-deps", "--no-build-isolation",
               "--no-cache-dir", "--target", target, source, env=dict(os.environ, **environment), cwd=target.parent)


def ask(target):
    """What the sources say that do not open with the package in `target`."""
    return run(sys.executable, "-c", ASK, cwd=target, env=dict(os.environ, PYTHONPATH=str(target)))


def test_without_a_compiler_it_installs_and_each_source_says_why_it_is_off(source, tmp_path):
    said = install(source, tmp_path / "target", CC="false")
    assert "_taskstats" in said and "_files" in said and "failed" in said
    assert list((tmp_path / "target").rglob("*.so")) == []
    lines = ask(tmp_path / "target").splitlines()
    assert [line.split()[0] for line in lines] == ["bpf", "netlink", "procstats", "jobproc"]
    assert all("C helper was not built" in line and "install gcc" in line for line in lines)


def test_with_a_compiler_it_installs_the_helpers(source, tmp_path):
    needs_compiler()
    install(source, tmp_path / "target")
    names = {path.name.split(".")[0] for path in (tmp_path / "target" / "colmet" / "node").glob("*.so")}
    assert names == {"_taskstats", "_files", "_account", "_perf_hw", "_rapl", "_ipmi"}


@pytest.mark.slow
def test_the_source_package_holds_what_the_helpers_are_built_from(source, tmp_path):
    needs_compiler()
    build = "import sys; from setuptools import build_meta as b; b.build_sdist(sys.argv[1])"
    run(sys.executable, "-c", build, tmp_path, cwd=source)
    [archive] = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        inside = {name.partition("/")[2] for name in packed.getnames()}
    run("tar", "-xzf", archive, "-C", tmp_path)
    unpacked = archive.with_name(archive.name[:-len(".tar.gz")])
    needed = {str(path.relative_to(source)) for helper in HELPERS for path in (source / helper).iterdir()}
    assert needed - inside == set()
    for helper in HELPERS if shutil.which("make") else ():
        run("make", "-n", "-C", unpacked / helper, "all", "test")
    wheel = "import sys; from setuptools import build_meta as b; b.build_wheel(sys.argv[1])"
    run(sys.executable, "-c", wheel, tmp_path, cwd=unpacked)
    [built] = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(built).namelist()
    helpers = {name.split("/")[-1].split(".")[0] for name in names if name.endswith(".so")}
    assert {"_taskstats", "_files", "_account", "_perf_hw", "_rapl", "_ipmi"} <= helpers


@pytest.mark.slow
@pytest.mark.parametrize("helper", HELPERS)
def test_it_compiles_without_a_warning_and_bears_damaged_input_under_sanitizers(helper, tmp_path):
    needs_compiler()
    if not shutil.which("make"):
        pytest.skip("needs make")
    empty = tmp_path / "empty.c"
    empty.write_text("int main(void) { return 0; }\n")
    if subprocess.run(["cc", "-fsanitize=address,undefined", "-o", str(tmp_path / "empty"), str(empty)],
                      stderr=subprocess.DEVNULL).returncode:
        pytest.skip("needs the sanitizers of cc: install libasan and libubsan")
    said = run("make", "-C", CHECKOUT / helper, "OUT=%s" % tmp_path, "SEED=23", "ROUNDS=100000", "all", "test")
    assert "fuzz: 100000 damaged" in said


def test_a_missing_module_is_a_source_that_is_off():
    with pytest.raises(Unavailable, match="was not built .*; install gcc and .*, then pip install"):
        compiled.load("_absent")


@pytest.mark.parametrize("library, packages", [
    ("libbpf.so.991", "libbpf991 (Debian) or libbpf (RHEL)"), ("libz.so.991", "zlib991g (Debian) or zlib (RHEL)"),
    ("libelf.so.991", "libelf991 (Debian) or elfutils-libelf (RHEL)"),
    ("libother.so.991", "libother991 (Debian) or libother (RHEL)")])
def test_a_helper_whose_library_is_not_here_says_which_package_has_it(library, packages, tmp_path, monkeypatch):
    needs_compiler()
    monkeypatch.setattr("colmet.node.__path__", [str(tmp_path)])
    (tmp_path / "code.c").write_text("int gone(void) { return 0; }\n")
    compile_it = ["cc", "-shared", "-fPIC", "-Wl,--no-as-needed", tmp_path / "code.c", "-o"]
    run(*compile_it, tmp_path / library, "-Wl,-soname," + library)
    run(*compile_it, tmp_path / "_lacking.abi3.so", tmp_path / library)
    (tmp_path / library).unlink()
    with pytest.raises(Unavailable) as error:
        compiled.load("_lacking")
    assert str(error.value) == "its C helper wants %s, which is not here; install %s" % (library, packages)


def test_a_helper_that_is_there_but_does_not_load_is_not_called_unbuilt(tmp_path, monkeypatch):
    monkeypatch.setattr("colmet.node.__path__", [str(tmp_path)])
    (tmp_path / "_short.abi3.so").write_bytes(b"no ELF")
    with pytest.raises(Unavailable, match="does not load .*_short.abi3.so.*; install gcc and .*, then pip install"):
        compiled.load("_short")
    (tmp_path / "_wants.py").write_text("import _cffi_backend_gone\n")
    with pytest.raises(Unavailable, match="does not load .No module named '_cffi_backend_gone'"):
        compiled.load("_wants")
