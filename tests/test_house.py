"""The house stays as it was built: short files and functions, one place for each thing, derived pages fresh."""
import ast
import os
import re
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest

import colmet
from checkout import CHECKOUT, unexpected

pytestmark = pytest.mark.slow
SKIPPED = {".git", ".venv", ".cache", ".pytest_cache", "__pycache__", "build", "dist", "colmet.egg-info"}
HEAVY = {"numpy", "tables", "h5py", "requests"}     # what the node process must not import
SHARED = {"TABLE", "TABLES", "OPTIONS", "NAMES", "RETIRED", "HERE", "SLOW"}    # names that every module of a kind has


@lru_cache(maxsize=None)
def files(*folders):
    """All files of the checkout, or of its `folders`, that people wrote."""
    found = []
    for root in [CHECKOUT / folder for folder in folders] or [CHECKOUT]:
        for folder, inside, names in os.walk(str(root)):
            inside[:] = set(inside) - SKIPPED
            found += [Path(folder, name) for name in names]
    return sorted(path for path in found if path.is_file())


def sources():
    """Those of them in Python, C and shell."""
    for path in files():
        if path.suffix in (".py", ".c", ".h", ".sh") or path == CHECKOUT / ".ci" / "run":
            yield path


@lru_cache(maxsize=None)
def trees(*folders):
    """(path in the checkout, syntax tree) of the Python files below `folders`."""
    return [(str(path.relative_to(CHECKOUT)), ast.parse(path.read_text(encoding="utf-8")))
            for path in files(*folders) if path.suffix == ".py"]


def imports(tree):
    """Full names of the modules that `tree` imports, anywhere in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_no_source_file_is_longer_than_300_lines():
    lengths = {str(path): len(path.read_text(encoding="utf-8").splitlines()) for path in sources()}
    assert {path: length for path, length in lengths.items() if length >= 300} == {}


def test_no_line_is_longer_than_120_columns():
    long = ["%s:%d" % (path, number) for path in sources()
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if len(line) > 120]
    assert long == []


def test_no_function_is_longer_than_40_lines():
    long = ["%s: %s" % (path, node.name) for path, tree in trees() for node in ast.walk(tree)
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno - node.lineno >= 40]
    assert long == []


def test_no_two_modules_that_tests_import_share_a_name():
    names = [path.name for path in files("tests") if path.suffix == ".py" and not path.name.startswith("test_")]
    assert len(set(names) - {"conftest.py"}) == len([name for name in names if name != "conftest.py"])


def test_every_module_says_what_it_is():
    silent = [path for path, tree in trees() if tree.body and not ast.get_docstring(tree)]
    assert silent == []


def test_the_syntax_is_that_of_python_3_9():
    for path, _ in trees():
        ast.parse((CHECKOUT / path).read_text(encoding="utf-8"), path, feature_version=(3, 9))


def test_no_file_names_a_folder_of_one_machine():
    places = re.compile(r"(?<![\w.$~{}])/(?:work|root|home|tmp/w)/")
    found = ["%s:%d" % (path.relative_to(CHECKOUT), number) for path in files() if path.suffix not in (".gz", ".so")
             for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
             if places.search(line) and path != Path(__file__).resolve()]
    assert found == []


def test_metrics_are_declared_in_their_folder_only():
    declare = {"Metric", "counter", "gauge", "Table"}
    allowed = ("colmet/common/metrics/", "colmet/common/schema.py", "colmet/common/description.py")
    elsewhere = [path for path, tree in trees("colmet") if not path.startswith(allowed) for node in ast.walk(tree)
                 if isinstance(node, ast.Call) and getattr(node.func, "id", "") in declare]
    assert elsewhere == []


def test_every_option_is_declared_once():
    seen = {}
    for path, tree in trees("colmet"):
        program = path.split("/")[1]
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Option" and node.args:
                for flag in getattr(node.args[0], "elts", ()):
                    if isinstance(flag, ast.Constant):      # others are computed from TABLES
                        seen.setdefault((program, flag.value), []).append(path)
    assert {key: paths for key, paths in seen.items() if len(paths) > 1} == {}


def test_no_constant_is_declared_in_two_files():
    seen = {}
    for path, tree in trees("colmet"):
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper():
                key = (node.targets[0].id, ast.dump(node.value))
                if key[0] not in SHARED and not key[0].startswith("_"):
                    seen.setdefault(key, set()).add(path)
    assert {key[0]: sorted(paths) for key, paths in seen.items() if len(paths) > 1} == {}


@pytest.mark.parametrize("part, foreign", [
    ("common", ("colmet.node", "colmet.collector", "colmet.view")),
    ("node", ("colmet.collector", "colmet.view")),
    ("collector", ("colmet.node", "colmet.view")),
    ("view", ("colmet.node",)),
])
def test_parts_import_in_one_direction_only(part, foreign):
    wrong = ["%s: %s" % (path, name) for path, tree in trees("colmet/" + part) for name in imports(tree)
             if name.startswith(foreign)]
    assert wrong == []


def test_the_only_broad_except_is_the_samplers():
    broad = [path for path, tree in trees("colmet") for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler)
             and (node.type is None or getattr(node.type, "id", "") in ("Exception", "BaseException"))]
    assert set(broad) <= {"colmet/node/sampler.py"}


def test_one_module_imports_pyinotify():
    users = {path for path, tree in trees("colmet") if "pyinotify" in imports(tree)}
    assert users == {"colmet/node/jobs/watch.py"}


def test_the_node_imports_none_of_the_heavy_packages():
    program = "import sys, colmet.node.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, universal_newlines=True, check=True)
    assert not HEAVY & set(done.stdout.split())


def test_derived_pages_are_fresh():
    done = subprocess.run([sys.executable, str(CHECKOUT / "docs" / "build.py"), "--check"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_every_page_is_without_faults_of_markup():
    core = pytest.importorskip("docutils.core", reason="needs docutils: pip install docutils")
    for page in sorted(CHECKOUT.glob("*.rst")) + sorted((CHECKOUT / "docs").glob("*.rst")):
        core.publish_doctree(page.read_text(encoding="utf-8"), str(page),
                             settings_overrides={"halt_level": 2, "report_level": 5})


def test_the_changelog_tells_of_this_version_first():
    versions = re.findall(r"^(\d+\.\d+\.\d+)", (CHECKOUT / "CHANGELOG.rst").read_text(encoding="utf-8"), re.M)
    assert versions[0] == colmet.__version__
    assert versions[-1] == "0.0.1" and "0.6.10" in versions


def test_every_folder_is_on_the_map_of_the_readme():
    readme = (CHECKOUT / "README.rst").read_text(encoding="utf-8")
    parents = {path.relative_to(CHECKOUT).parts[0] for path in files() if path.parent != CHECKOUT}
    packages = {path.parent.name for path in files("colmet") if path.suffix == ".py"}
    on_it = readme[readme.index("The map\n"):]
    assert [name for name in sorted(parents | packages) if not re.search(r"[ /]%s/" % re.escape(name), on_it)] == []


def test_every_path_that_the_texts_name_exists():
    missing = []
    for path in sorted(CHECKOUT.glob("docs/*.rst")) + sorted(CHECKOUT.glob("*.rst")):
        for name in re.findall(r"``((?:colmet|docs|tests|lib_\w+|scripts|bench)/[\w./-]+)``",
                               path.read_text(encoding="utf-8")):
            if not (CHECKOUT / name).exists():
                missing.append("%s: %s" % (path.name, name))
    assert missing == []


def test_ci_does_what_the_readme_says_and_nothing_else():
    readme = (CHECKOUT / "README.rst").read_text(encoding="utf-8")
    lines = (CHECKOUT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    commands = [line for line in lines if line.startswith("make ")]
    assert commands == ["make test SYSTEM=1", "make run"]
    assert all(command in readme for command in commands)


def test_an_unexpected_skip_is_told_from_an_expected_one():
    found = [("tests/test_x.py::test_a[1]", "needs root"), ("tests/test_x.py::test_b", "no gcc: apt install gcc")]
    assert unexpected(found, ["# why", "", "*::test_b: no gcc*"]) == ["tests/test_x.py::test_a[1]: needs root"]
    assert unexpected(found, ["tests/test_x.py::*: *"]) == []
