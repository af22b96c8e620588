"""Standard output that nobody reads to its end, or that is full: no traceback from any program."""
import os
import subprocess
import sys

import pytest

NOWHERE = ["--disable-account", "--wire", "native", "--native-uri", "ipc://nobody"]
PROGRAMS = {
    "check": ["colmet.node.main", "check"] + NOWHERE,
    "check as JSON": ["colmet.node.main", "check", "--json"] + NOWHERE,
    "node --help": ["colmet.node.main", "--help"],
    "collector --help": ["colmet.collector.main", "--help"],
    "status --help": ["colmet.collector.main", "status", "--help"],
    "colmet": ["colmet.view.main", "--help"],
    "run --help": ["colmet.view.main", "run", "--help"],
    "version": ["colmet.view.main", "--version"],
}


def run(words, folder, out):
    """(exit code, stderr) of a program whose stdout is `out`."""
    done = subprocess.run([sys.executable, "-m"] + words, stdout=out, stderr=subprocess.PIPE, cwd=folder, timeout=120,
                          universal_newlines=True)
    return done.returncode, done.stderr


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_reader_that_has_gone_ends_it_without_a_word(name, tmp_path):
    reads, writes = os.pipe()
    os.close(reads)
    try:
        code, said = run(PROGRAMS[name], tmp_path, writes)
        assert said == "" and (code == 141 or code == 0 and "--help" in name)       # of which argparse makes nothing
    finally:
        os.close(writes)


@pytest.mark.parametrize("name", [name for name in PROGRAMS if "--help" not in name])
def test_a_full_disk_below_it_is_one_line(name, tmp_path):
    with open("/dev/full", "w") as full:
        code, said = run(PROGRAMS[name], tmp_path, full)
    assert code == 1 and said.count("\n") == 1
    assert said.endswith(": standard output: No space left on device; make room\n")
