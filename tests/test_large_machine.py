"""The made-up server of ``large_machine.py`` as the sources of hardware read it: all of it, and at no tick by opening
or listing anything again."""
import sys
from types import SimpleNamespace

import pytest

import large_machine
from colmet.common.metrics import TABLES
from colmet.node.backends import NAMES, load

OPENING = {"open", "listdir", "scandir", "stat"}
SENSORS = 1 + large_machine.SOCKETS * (1 + large_machine.CORES) + large_machine.DISKS + large_machine.MEMORY \
    + 3 * large_machine.GPUS
ROWS = {"rapl": 6, "temperature": SENSORS}      # of the new tables


@pytest.fixture(name="opened")
def _opened(tmp_path):
    """opened(X of --enable-X) yields each of its sources on the machine."""
    large_machine.make(tmp_path / "machine")
    (tmp_path / "maps").mkdir()
    made = []

    def sources(option):
        options = SimpleNamespace(tables=None, mapping_dir=str(tmp_path / "maps"), perfhw_list=["page_faults"])
        for name in NAMES:
            if any(table.option == option for table in load(name).TABLES):
                made.append(load(name).Backend(tmp_path / "machine", options))
                yield made[-1]
    yield sources
    for source in made:
        source.close()


@pytest.mark.parametrize("option", [name for name, part in large_machine.PARTS.items() if part.files])
def test_a_tick_reads_all_and_opens_nothing(option, opened):
    for source in opened(option):
        source.sample([])
        calls = []
        sys.setprofile(lambda _, event, what: calls.append(what.__name__) if event == "c_call" else None)
        try:
            rows = source.sample([])
        finally:
            sys.setprofile(None)
        assert OPENING.isdisjoint(calls)
        counts = {table: len(found) for table, found in rows.items() if not TABLES[table].legacy}
        assert counts == {table: ROWS[table] for table in counts} and counts


def test_it_has_as_many_cpus_as_it_says(tmp_path):
    large_machine.make(tmp_path / "machine")
    lines = (tmp_path / "machine" / "proc" / "stat").read_text().splitlines()
    assert len([line for line in lines if line.startswith("cpu")]) == 1 + large_machine.CPUS
    assert len(large_machine.files(tmp_path / "machine")) == SENSORS + 6
