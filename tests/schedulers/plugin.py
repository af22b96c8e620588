"""Schedulers as a plugin of pytest, each started once for a file of tests."""
import pytest
from cgroups import schedulers_names

from schedulers import machine, oar, slurm


@pytest.fixture(scope="module", name="slurm")
def _slurm():
    """A `schedulers.slurm.Slurm`."""
    yield from running(slurm, slurm.Slurm)


@pytest.fixture(scope="module", name="oar")
def _oar():
    """A `schedulers.oar.Oar`."""
    yield from running(oar, oar.Oar)


def running(module, kind):
    """A new `kind`, closed at the end; nothing of it may be left then."""
    reason = machine.lacking(*module.PROGRAMS, install=module.INSTALL)
    if reason:
        pytest.skip(reason)
    with schedulers_names():
        scheduler = kind()
        try:
            yield scheduler.begin()
        finally:
            scheduler.close()
        assert scheduler.left() == []
