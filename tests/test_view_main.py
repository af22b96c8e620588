"""The front door: what `colmet` lists, and what it says to a wrong word."""
import subprocess
import sys
from importlib import import_module

import pytest

from colmet.view import main


def colmet(*words):
    """(exit code, stdout, stderr) of the real program."""
    done = subprocess.run([sys.executable, "-m", "colmet.view.main"] + list(words), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    return done.returncode, done.stdout, done.stderr


def test_help_lists_every_command_by_task_and_no_other():
    code, out, _ = colmet("--help")
    listed = [line.split()[0] for line in out.splitlines() if line.startswith("  ") and "colmet" not in line]
    assert code == 0 and listed == [command.name for command in main.COMMANDS]
    assert "measure" in out and "operate" in out and "look" not in out        # nothing there to look at yet


def test_every_command_that_is_listed_is_there():
    for command in main.COMMANDS:
        assert command.task in main.TASKS
        assert callable(import_module("colmet.view." + command.name).main)
        code, out, _ = colmet(command.name, "--help")
        assert code == 0 and out.startswith("usage: colmet " + command.name)
        assert colmet("help", command.name)[1] == out
    assert colmet("help", "run", "ls")[1] == colmet("run", "--help")[1]


@pytest.mark.parametrize("words, code, said", [
    ([], 2, "usage: colmet COMMAND"),
    (["rnu"], 2, "colmet: rnu: no such command; did you mean `colmet run`?"),
    (["atach", "1"], 2, "did you mean `colmet attach`?"),
    (["xyzzy"], 2, "colmet: xyzzy: no such command; `colmet --help` lists them"),
    (["run"], 2, "colmet run: no command given; for example: colmet run -- make -j4"),
    (["run", "-o", "x.h5", "true"], 2, "colmet run: --output x.h5: must end in .hdf5"),
    (["run", "-s", "0", "true"], 2, "colmet run: --sample-period 0.0: must be above 0 (s)"),
    (["run", "-s", "often", "true"], 2, "invalid float value: 'often'"),
    (["run", "--lvie", "true"], 2, "colmet run: --lvie: no such option; did you mean --live?"),
    (["run", "--", "no-such-command-here"], 127, "colmet run: no-such-command-here: no such command"),
    (["run", "./no/such/file"], 127, "colmet run: ./no/such/file: no such command"),
    (["run", "/etc/passwd"], 126, "colmet run: /etc/passwd: not executable"),
    (["run", "/etc"], 126, "colmet run: /etc: not executable"),
    (["attach"], 2, "colmet attach: the following arguments are required: PID|CGROUP"),
    (["attach", "4194305"], 1, "colmet attach: no process 4194305"),
    (["attach", "/etc"], 1, "colmet attach: /etc: not a cgroup"),
    (["attach", "no_such_9"], 1, "colmet attach: no_such_9: neither a process id nor a cgroup here"),
    (["attach", "--for", "-1", "1"], 2, "colmet attach: --for -1.0: must be above 0 (s)"),
])
def test_what_is_wrong_is_said_in_one_line(words, code, said, capfd):
    got = main.main(words)
    out, err = capfd.readouterr()
    assert (got, out) == (code, "") and said in err
    assert not words or len(err.splitlines()) <= 2


@pytest.mark.parametrize("words, code, said", [
    ([], 2, "usage: colmet COMMAND"), (["rnu"], 2, "did you mean `colmet run`?"),
    (["run", "-o", "/no/such/x.hdf5", "true"], 125, "-o /no/such/x.hdf5: no directory /no/such; make it"),
    (["attach", "/etc"], 1, "colmet attach: /etc: not a cgroup")])
def test_the_program_ends_with_that_code(words, code, said):
    got, out, err = colmet(*words)
    assert (got, out) == (code, "") and said in err and "Traceback" not in err
    assert not words or len(err.splitlines()) <= 2
