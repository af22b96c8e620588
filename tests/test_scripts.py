"""The set-up, with stand-ins for what a test must not do: other package managers, a machine without a compiler.

A stand-in is a script in a folder that is all of PATH; the scripts that are tested are the real ones.
"""
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from checkout import CHECKOUT

# What the scripts call besides what they look for.
TOOLS = ("sh", "id", "cat", "cksum", "tr", "touch", "chmod", "ln", "rm", "mkdir", "find", "chown", "dirname", "tee",
         "sleep", "mktemp", "tail")
NOBODY = 65534


@pytest.fixture
def machine():
    """A folder that every user may read, with `bin` as the whole PATH and a copy of the scripts beside it."""
    folder = Path(tempfile.mkdtemp(prefix="colmet-machine-"))
    folder.chmod(0o755)
    (folder / "bin").mkdir(mode=0o755)
    for name in TOOLS:
        (folder / "bin" / name).symlink_to(shutil.which(name))
    shutil.copytree(CHECKOUT / "scripts", folder / "scripts")
    yield folder
    shutil.rmtree(folder)


def stand_in(machine, name, text):
    """A program `name` on the PATH of `machine`."""
    path = machine / "bin" / name
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)


def python(machine, headers=True, venv=True):
    """A python3 on `machine` that answers the questions of the scripts as if it had headers and venv, or not."""
    header = machine / "Python.h"
    if headers:
        header.touch()
    stand_in(machine, "python3", 'case "$*" in\n'
             '*version_info*) exit 0 ;;\n*Python.h*) echo %s ;;\n*ensurepip*) exit %d ;;\n*CC*) echo gcc ;;\nesac\n'
             % (header, 0 if venv else 1))


def tools(machine, user=None, **environ):
    """Run the real scripts/tools.sh on `machine`."""
    switch = {} if user is None else {"user": user, "group": user, "extra_groups": []}
    environ = dict(environ, PATH=str(machine / "bin"))
    return subprocess.run([str(machine / "scripts" / "tools.sh")], env=environ, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True, timeout=60, **switch)


def ordinary():
    """The uid of an ordinary user: this one, or for root `nobody`."""
    return NOBODY if os.geteuid() == 0 else None


def test_a_machine_that_has_everything_gives_its_python(machine):
    python(machine)
    stand_in(machine, "gcc", "exit 0\n")
    done = tools(machine)
    assert (done.returncode, done.stdout, done.stderr) == (0, "%s\n" % (machine / "bin" / "python3"), "")


@pytest.mark.parametrize("manager, command", [
    ("apt-get", "sudo apt-get install -y gcc libc6-dev"),
    ("dnf", "sudo dnf install -y gcc glibc-devel kernel-headers"),
])
def test_without_root_and_gcc_the_one_command_is_printed(machine, manager, command):
    python(machine)
    stand_in(machine, manager, "touch %s/called\n" % machine)
    done = tools(machine, user=ordinary())
    assert done.returncode == 1
    assert done.stdout == ""
    assert command in [line.strip() for line in done.stderr.splitlines()]
    assert not (machine / "called").exists()


def test_without_root_each_thing_that_lacks_is_named(machine):
    python(machine, headers=False, venv=False)
    stand_in(machine, "apt-get", "exit 9\n")
    done = tools(machine, user=ordinary())
    assert done.returncode == 1
    assert "sudo apt-get install -y python3-dev python3-venv gcc libc6-dev" in done.stderr


def test_without_any_python_of_3_9_one_is_asked_for(machine):
    stand_in(machine, "python3", "exit 1\n")
    stand_in(machine, "apt-get", "exit 9\n")
    done = tools(machine, user=ordinary())
    assert done.returncode == 1
    assert "sudo apt-get install -y python3 python3-dev python3-venv gcc libc6-dev" in done.stderr


@pytest.mark.root
@pytest.mark.parametrize("manager", ["apt-get", "dnf"])
def test_root_installs_with_a_stand_in_for(machine, manager):
    python(machine)
    gcc = "printf '#!/bin/sh\\nexit 0\\n' > %s/bin/gcc; chmod 755 %s/bin/gcc" % (machine, machine)
    stand_in(machine, manager, 'echo "$*" >> %s/called\n[ "$1" != install ] || { %s; }\n' % (machine, gcc))
    done = tools(machine)
    assert (done.returncode, done.stdout) == (0, "%s\n" % (machine / "bin" / "python3"))
    last = (machine / "called").read_text().splitlines()[-1]
    assert last == {"dnf": "install -y gcc glibc-devel kernel-headers",
                    "apt-get": "install -y --no-install-recommends gcc libc6-dev"}[manager]


@pytest.mark.root
def test_an_installation_by_a_stand_in_dnf_that_does_not_help_is_said(machine):
    python(machine)
    stand_in(machine, "dnf", "exit 0\n")
    done = tools(machine)
    assert done.returncode == 1
    assert "still lacking after the installation: compiler" in done.stderr


@pytest.mark.root
def test_a_failing_stand_in_dnf_ends_the_set_up(machine):
    python(machine)
    stand_in(machine, "dnf", "echo 'no network' >&2; exit 3\n")
    done = tools(machine)
    assert done.returncode != 0 and "no network" in done.stderr


@pytest.mark.root
def test_root_without_a_package_manager_is_told_what_to_install(machine):
    python(machine)
    done = tools(machine)
    assert done.returncode == 1
    assert "neither apt-get nor dnf" in done.stderr and "gcc" in done.stderr


@pytest.mark.root
def test_under_sudo_what_is_made_belongs_to_the_caller(machine):
    (machine / "old").touch()
    script = machine / "scripts" / "make.sh"
    script.write_text('. "$(dirname "$0")/lib.sh"\nbegin\nsleep 0.05\nmkdir made\n: > made/file\nexit 7\n')
    environ = {"PATH": str(machine / "bin"), "SUDO_UID": str(NOBODY), "SUDO_GID": str(NOBODY)}
    done = subprocess.run(["sh", str(script)], env=environ)
    assert done.returncode == 7
    owners = {name: (machine / name).stat().st_uid for name in ("old", "made", "made/file", ".cache", ".cache/started")}
    assert owners == {"old": 0, "made": NOBODY, "made/file": NOBODY, ".cache": NOBODY, ".cache/started": NOBODY}


@pytest.mark.slow
def test_an_environment_is_made_again_only_when_its_reason_changed(machine):
    def make():
        environ = dict(os.environ, PIP_NO_INDEX="1")
        subprocess.run([str(machine / "scripts" / "venv.sh"), sys.executable, "env", "pip"], check=True, env=environ,
                       stderr=subprocess.PIPE, timeout=300)
        return (machine / "env" / "made-of").stat().st_mtime_ns

    (machine / "setup.py").write_text("")
    first = make()
    assert make() == first
    (machine / "setup.py").write_text("# another\n")
    assert make() != first


def test_help_lists_the_commands():
    done = subprocess.run(["make", "help"], cwd=CHECKOUT, stdout=subprocess.PIPE, universal_newlines=True, check=True)
    for command in ("make run", "make test", "make test SYSTEM=1", "make bench"):
        assert command + " " in done.stdout


@pytest.mark.parametrize("script", sorted(str(path.relative_to(CHECKOUT)) for path in CHECKOUT.glob("scripts/*.sh")))
def test_every_script_is_valid_shell(script):
    subprocess.run(["sh", "-n", str(CHECKOUT / script)], check=True)
    assert os.access(CHECKOUT / script, os.X_OK) == (CHECKOUT / script).read_text().startswith("#!")
