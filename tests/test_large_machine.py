"""The made-up server of ``large_machine.py`` as the sources of hardware read it: all of it, and at no tick by opening
or listing anything again."""
import sys

import pytest

import large_machine
from colmet.common.metrics import TABLES
from colmet.node import sources
from colmet.node.backends import NAMES, load
from colmet.node.cgroup.counters import Counters
from colmet.node.settings import settings
from e2e.programs import wait_for

OPENING = {"open", "listdir", "scandir", "stat"}
SENSORS = 1 + large_machine.SOCKETS * (1 + large_machine.CORES) + large_machine.DISKS + large_machine.MEMORY \
    + 3 * large_machine.GPUS
ENERGIES = 6                                    # of RAPL
LISTED = {"gpu": {"listdir"}}                   # the processes of ROCm
OF_JOBS = ("perfhw",)                           # without a job these have no row
ROWS = {"rapl": ENERGIES, "temperature": SENSORS, "network": len(large_machine.PORTS), "power": 3 + large_machine.GPUS,
        "filesystem": 1, "gpu": large_machine.GPUS, "energy": 4}       # of the new tables


@pytest.fixture(name="opened")
def _opened(tmp_path):
    """opened(X of --enable-X) yields each of its sources on the machine."""
    large_machine.make(tmp_path / "machine")
    (tmp_path / "maps").mkdir()
    options = settings([*large_machine.OPTIONS, "--mapping-dir", str(tmp_path / "maps")], sources.names())
    options.tables, made = None, [Counters(tmp_path / "machine")]

    def backends(option):
        for name in NAMES:
            if any(table.option == option for table in load(name).TABLES):
                made.append(load(name).Backend(tmp_path / "machine", options))
                made[-1].counters = made[0]
                yield made[-1]
    yield backends
    for each in made:
        each.close()


def counted(rows):
    """{table: its rows} of a sample, 0.6's tables left out."""
    return {table: len(found) for table, found in rows.items() if not TABLES[table].legacy}


@pytest.mark.parametrize("option", [name for name in large_machine.PARTS if name not in OF_JOBS])
def test_a_tick_reads_all_and_opens_nothing(option, opened):
    for source in opened(option):
        wait_for(lambda: all(count == ROWS[table] for table, count in counted(source.sample([])).items()), 60, "rows")
        calls = []
        sys.setprofile(lambda _, event, what: calls.append(what.__name__) if event == "c_call" else None)
        try:
            rows = source.sample([])
        finally:
            sys.setprofile(None)
        assert (OPENING - LISTED.get(option, set())).isdisjoint(calls)
        assert all(rows.values()) and all(count == ROWS[table] for table, count in counted(rows).items())
        assert counted(rows) or option == "lustre"


def test_it_has_as_many_cpus_as_it_says(tmp_path):
    large_machine.make(tmp_path / "machine")
    lines = (tmp_path / "machine" / "proc" / "stat").read_text().splitlines()
    assert len([line for line in lines if line.startswith("cpu")]) == 1 + large_machine.CPUS
    assert len(large_machine.files(tmp_path / "machine")) == SENSORS + ENERGIES + 40 + 8 * large_machine.GPUS
