"""What the sources rapl and power read anyway is what energy divides: nothing is asked twice in a tick, and the one
goes on when the other ends."""
import os
from contextlib import closing
from threading import get_ident
from types import SimpleNamespace

import pytest

from colmet.node.backends import power, rapl
from colmet.node.clock import SECOND
from colmet.node.energy import meters
from colmet.node.power import cray as cray_files
from colmet.node.rapl.powercap import Powercap
from energy_machine import Machine, node
from loads import descriptors
import power_tree

MINUTE = 60         # s


@pytest.fixture(name="reads")
def _reads(monkeypatch):
    """Names of the meters in the order in which they are read here, and not by a thread of their own."""
    found, here = [], get_ident()
    for kind in (Powercap, cray_files.Cray):
        def read(self, real=kind.read):
            if get_ident() == here:
                found.append(self.name)
            return real(self)
        monkeypatch.setattr(kind, "read", read)
    return found


@pytest.fixture(autouse=True)
def _slow(monkeypatch):
    """However long a tick takes here."""
    monkeypatch.setattr(meters, "RECENT", MINUTE * SECOND)


def zones_open():
    """Number of files of zones that this process has open."""
    found = 0
    for fd in os.listdir("/proc/self/fd"):
        try:
            found += os.readlink("/proc/self/fd/" + fd).endswith("/energy_uj")
        except OSError:
            continue            # that of the listing
    return found


def joules(opened):
    """J of the node, and since when."""
    owner = opened.sample()[1]["node"]
    return owner["energy"] / 10 ** 6, owner["since"]


def test_zones_that_the_source_reads_are_read_once_a_tick(tmp_path, monkeypatch, reads):
    machine, others = Machine(tmp_path), {}
    with node(machine, monkeypatch, others=others) as opened:
        own = zones_open()
        source = others["rapl"] = rapl.Backend(machine.root, SimpleNamespace(tables={"rapl"}, mapping_dir=None))
        assert zones_open() == 2 * own
        opened.sample()
        assert zones_open() == own                  # the source's are those of energy too
        for _ in range(3):
            machine.clock.wait(5)
            machine.tree.use(package_0=100)
            del reads[:]
            source.sample([])
            total, since = joules(opened)
            assert reads == ["powercap"]
        assert total == 300
        machine.clock.wait(2 * MINUTE)
        machine.tree.use(package_1=50)
        del reads[:]
        assert joules(opened) == (350, since) and reads == ["powercap"]     # the source is not due, or left out
        others.clear()
        source.close()
        machine.clock.wait(2 * MINUTE)
        machine.tree.use(package_1=50)
        assert joules(opened) == (400, since)       # it is gone: nothing begins anew
    assert not zones_open()


def test_zones_that_energy_had_first_stay_its_own(tmp_path, monkeypatch, reads):
    machine, others = Machine(tmp_path), {}
    with node(machine, monkeypatch, others=others) as opened:
        _, since = joules(opened)
        with closing(rapl.Backend(machine.root, SimpleNamespace(tables={"rapl"}, mapping_dir=None))) as source:
            others["rapl"] = source
            machine.clock.wait(5)
            machine.tree.use(package_0=7)
            del reads[:]
            source.sample([])
            assert joules(opened) == (7, since) and reads == ["powercap"] * 2


def test_meters_of_power_that_the_source_reads_are_asked_once_a_tick(tmp_path, monkeypatch, reads):
    cray, machine, others = power_tree.Cray(tmp_path), Machine(tmp_path), {}
    before = descriptors()
    with node(machine, monkeypatch, others=others) as opened:
        source = others["power"] = power.Backend(machine.root, power_tree.options())
        power_tree.meters(source)
        del reads[:]
        _, since = joules(opened)
        assert reads == ["powercap"]
        cray.put(energy="14217992 J", power="200 W")
        machine.clock.wait(5)
        assert power_tree.watts(source)["cray/node"] == 200 and joules(opened) == (100, since)
        others.clear()
        source.close()
        cray.put(energy="14217993 J")
        machine.clock.wait(5)
        monkeypatch.setattr(meters, "RECENT", -MINUTE * SECOND)     # as after a while
        assert joules(opened) == (101, since)
    assert descriptors() == before
