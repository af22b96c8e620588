"""The page "a new backend" of CONTRIBUTING.rst, done to the letter in a copy: its metric reaches the HDF5 file."""
import os
import re
import shutil
import textwrap

import tables

from checkout import CHECKOUT
from programs import Program, wait_for


def blocks():
    """The two modules that the page shows."""
    text = (CHECKOUT / "CONTRIBUTING.rst").read_text(encoding="utf-8")
    return [textwrap.dedent(block).strip() + "\n" for block in re.findall(r"::\n\n((?:    .*\n|\n)+)", text)]


def replace(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def follow_the_page(package):
    """Do what the page says in the copy `package` of colmet/."""
    declaration, reader = blocks()
    (package / "common" / "metrics" / "foo.py").write_text(declaration, encoding="utf-8")
    (package / "node" / "backends" / "foo.py").write_text(reader, encoding="utf-8")
    contents = package / "common" / "metrics" / "__init__.py"
    contents.write_text(contents.read_text(encoding="utf-8").replace("colmet)", "colmet, foo)"), encoding="utf-8")
    replace(package / "node" / "backends" / "__init__.py", "NAMES = (", 'NAMES = ("foo", ')


def test_a_backend_made_by_the_page_reaches_the_file(tmp_path):
    follow_the_page(shutil.copytree(CHECKOUT / "colmet", tmp_path / "code" / "colmet"))
    (tmp_path / "fake" / "proc").mkdir(parents=True)
    (tmp_path / "fake" / "proc" / "foo").write_text("requests 12\nsince 5\n")
    environ = dict(os.environ, PYTHONPATH=str(tmp_path / "code"))
    uri = "ipc://socket"
    with Program("colmet.collector.main", ["--zeromq-bind-uri", uri, "--hdf5-filepath", tmp_path / "jobs.hdf5"],
                 tmp_path, env=environ) as collector:
        node = ["-s", "0.5", "--root", tmp_path / "fake", "--enable-foo", "--zeromq-uri", uri]
        with Program("colmet.node.main", node, tmp_path, env=environ) as program:
            wait_for(lambda: "acknowledged" in program.errors(), 60, "acknowledgement")
            assert program.stop() == 0
        assert collector.stop() == 0
    with tables.open_file(str(tmp_path / "jobs.hdf5")) as file:
        rows = file.root.job_0.foo[:]
    assert len(rows) > 0
    assert set(rows["requests"].tolist()) == {12} and set(rows["since"].tolist()) == {5}
