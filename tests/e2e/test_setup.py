"""``make run`` on a fresh copy of the checkout, as a newcomer starts it: set up, measure, end by itself."""
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from checkout import CHECKOUT

NOBODY = 65534
MADE = shutil.ignore_patterns(".git", ".venv", ".cache", ".pytest_cache", "__pycache__", "build", "dist", "*.egg-info",
                              "*.so")
MINUTES = 60


@pytest.fixture
def copy():
    """A fresh copy that belongs to `nobody` where this is root, in a folder that every user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="colmet-copy-"))
    folder.chmod(0o755)
    shutil.copytree(CHECKOUT, folder / "colmet", ignore=MADE)
    (folder / "home").mkdir()
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", "%d:%d" % (NOBODY, NOBODY), str(folder)], check=True)
    yield folder / "colmet"
    shutil.rmtree(folder)


def make_run(copy, environ, **switch):
    """``make run`` without a terminal; (exit code, all that it printed)."""
    done = subprocess.run(["make", "run"], cwd=copy, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True, start_new_session=True,
                          timeout=10 * MINUTES, **switch)
    return done.returncode, done.stdout


def account(text):
    """The lines of the account that `text` ends with, by their first word."""
    last = text[text.rindex("── colmet ──"):]
    return {line.split(None, 1)[0]: line.split(None, 1)[1] for line in last.splitlines()[1:] if line[:1].strip()}


def check(copy, text):
    lines = account(text)
    assert "exit 0" in lines["wall"]
    assert "MiB peak" in lines["memory"]
    assert "samples" in lines["complete"]
    assert (copy / ".cache" / "demo.hdf5").stat().st_size > 0


@pytest.mark.slow
@pytest.mark.root
def test_make_run_under_sudo_leaves_nothing_of_root(copy):
    environ = dict(os.environ, SUDO_UID=str(NOBODY), SUDO_GID=str(NOBODY))
    code, text = make_run(copy, environ)
    assert code == 0, text
    check(copy, text)
    owned = [str(path) for path in copy.rglob("*") if path.lstat().st_uid == 0]
    assert owned == []


@pytest.mark.slow
def test_make_run_as_an_ordinary_user(copy):
    switch = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    environ = {"HOME": str(copy.parent / "home"), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    tools = subprocess.run(["scripts/tools.sh"], cwd=copy, env=environ, stdout=subprocess.DEVNULL, **switch)
    if tools.returncode:
        pytest.skip("needs a compiler, Python's headers and venv within reach of an ordinary user")
    code, text = make_run(copy, environ, **switch)
    assert code == 0, text
    check(copy, text)
