"""Sources are opened and kept as the options say, and told which tables are on."""
from pathlib import Path
from types import SimpleNamespace

import pytest

from colmet.common.metrics import cpu, procstats
from colmet.node.sources import Sources


class Health:
    """That of a node, of which nothing is asked here."""
    budget = None

    def close(self):
        pass


def options(*tables):
    """Those with which only `tables` are on."""
    return SimpleNamespace(root="/", tables={table.name for table in tables}, periods={}, sample_period=1, cpu_budget=0)


@pytest.fixture(name="sources")
def _sources():
    made = Sources(Health())
    yield made
    made.close()


def test_a_table_that_is_switched_on_later_comes_from_the_source_that_is_open(sources):
    sources.follow(options(procstats.TABLE))
    [kept] = sources.on
    assert set(kept.backend.sample(())) == {procstats.TABLE.name}
    sources.follow(options(procstats.TABLE, cpu.TABLE))
    assert sources.on == [kept]
    assert set(kept.backend.sample(())) == {procstats.TABLE.name, cpu.TABLE.name}


def test_a_source_without_a_table_that_is_on_is_closed(sources):
    sources.follow(options(procstats.TABLE))
    sources.follow(options())
    assert not sources.on and sources.off["procstats"] == "not enabled"


def test_where_a_file_system_lacks_the_source_it_is_off_and_says_why(sources, tmp_path):
    sources.follow(SimpleNamespace(**{**vars(options(procstats.TABLE)), "root": str(tmp_path)}))
    assert not sources.on and "proc" in sources.off["procstats"]
    assert not Path(tmp_path, "proc").exists()
