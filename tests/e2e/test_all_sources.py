"""The command line of every hardware source on the machine as it is, as root and as an ordinary user: each source that
it asks for is measured, or named once with what helps. What the machine has decides which."""
import os
import shutil
import subprocess

import pytest

import stored
from colmet.common.metrics import TABLES
from colmet.node.backends import NAMES, load
from programs import wait_for
from test_rights import ordinary

pytest_plugins = ("harness",)
pytestmark = pytest.mark.slow
COMMAND = ("--enable-RAPL --enable-perfhw --enable-temperature --enable-infiniband --enable-lustre --enable-ipmipower "
           "--enable-nvidia --enable-jobproc").split()
PATIENCE = 60
LABEL = 10                  # columns before the text of a start line
RELEASE = "not in this release; going on without"


def labelled(said, label):
    """The texts of the start lines under `label`."""
    found, within = [], False
    for line in said.splitlines():
        within = line[:LABEL].strip() == label or within and not line[:LABEL].strip()
        if within:
            found.append(line[LABEL:])
    return found


def on(said):
    """Names of the sources that are read: "rapl (perf), procstats every 1 s;  cpu every 5 s"."""
    [text] = labelled(said, "sources")
    return {name.split()[0] for part in text.split(";  ") for name in part.partition(" every ")[0].split(", ")}


def off(said):
    """(names, why) of each line of what is not read."""
    return [(line.partition(": ")[0].split(", "), line.partition(": ")[2]) for line in labelled(said, "off")]


def sources(flag):
    """{name: its tables that the option switches} of the sources of an option."""
    option = flag.partition("--enable-")[2]
    tables = {name: [table.name for table in load(name).TABLES if table.option == option] for name in NAMES}
    return {name: found for name, found in tables.items() if found}


def before(user):
    """The command that runs another as `user`."""
    if user == "root" or os.geteuid() != 0:
        return []
    if not shutil.which("setpriv"):
        pytest.skip("needs setpriv: install util-linux")
    return ordinary()


@pytest.fixture(name="job")
def _job():
    """job(command before) starts a process that does nothing, and is the job; its id."""
    made = []

    def make(command):
        made.append(subprocess.Popen([*command, "sleep", "1000"]))
        return made[-1].pid
    yield make
    for process in made:
        process.kill()
        process.wait()


@pytest.mark.parametrize("user", [pytest.param("root", marks=pytest.mark.root), "ordinary"])
def test_what_is_there_is_measured_and_what_is_not_is_named_once(user, start, uri, job, tmp_path):
    path = tmp_path / "all.hdf5"
    collector = start("collector", "--zeromq-bind-uri", uri, "-s", "0.3", "--hdf5-filepath", path)
    node = start("node", *COMMAND, "-s", "0.5", "--zeromq-uri", uri, "--cpuset_rootpath", tmp_path, "-p",
                 job(before(user)), before=before(user))
    wait_for(lambda: "sends to" in node.errors(), PATIENCE, "start of the node")
    said = node.errors()
    measured = set()
    for flag in COMMAND:
        assert said.count("%s: %s is %s" % (flag, flag.partition("--enable-")[2], RELEASE)) == (not sources(flag)), flag
        for name, tables in sources(flag).items():
            reasons = [why for names, why in off(said) if name in names]
            if name in on(said):
                measured.update({frozenset(tables)})
                assert reasons == []
            else:
                assert len(reasons) == 1 and "; " in reasons[0], (name, reasons)      # why; what helps
    stored.wait_until(collector, lambda: path.exists() and all(tables & made(path) for tables in measured),
                      "row of each source")
    assert node.stop() == 0 and collector.stop() == 0
    assert "Traceback" not in node.errors() and "jobprocstats_default" in made(path) <= set(TABLES)


def made(path):
    """Names of the tables that have a row."""
    return {table for (_, table), rows in stored.tables(path).items() if len(rows)}
