"""The meters that a machine has are all found: zones, cards and a counter of the whole node, by their real readers."""
from contextlib import ExitStack, closing

import pytest

import power_tree
from colmet.node.backends import Unavailable
from colmet.node.energy.meters import DRAM, GPU, PACKAGE, WHOLE, Part, opened
from e2e.programs import wait_for
from energy_tree import Powercap
from gpu_machine import Job, intel, opens, process, put

PATIENCE = 60
CARD = "sys/class/drm/card2/device/hwmon/hwmon2/energy1_input"


@pytest.fixture(name="machine")
def _machine(tmp_path):
    """Zones, a card that process 7 has open, and a Cray's counters: their tree."""
    tree = Powercap(tmp_path)
    process(intel(tmp_path) and tmp_path, 7)
    opens(tmp_path, 7, 4, 2, drm_driver="xe", drm_client_id="3", drm_pdev="0000:4d:00.0")
    return tree


def test_zones_cards_and_the_counter_of_a_node_are_found_in_this_order(machine):
    cray, job = power_tree.Cray(machine.root), Job(1, 7)
    with ExitStack() as stack:
        rapl, gpus, whole = found = [stack.enter_context(closing(meter)) for meter
                                     in opened(machine.root, power_tree.options())]
        assert [meter.name for meter in found] == ["powercap", "gpu", "cray"]
        assert {(part.name, part.kind) for part in rapl.read([])} == {
            ("package-0", PACKAGE), ("package-1", PACKAGE), ("package-0/dram", DRAM), ("package-1/dram", DRAM)}

        wait_for(lambda: gpus.read([job]), PATIENCE, "first reading of the card")
        [card] = gpus.read([job])
        before = gpus.read([job])[card].energy
        put(machine.root / CARD, 903000000)
        wait_for(lambda: gpus.read([job])[card].energy == before + 3000000, PATIENCE, "energy of the card")
        assert card.kind == GPU and gpus.holders == {card.name: [job]}

        node = Part("cray/node", WHOLE)
        begun = whole.read([])[node]
        cray.put(energy="14217902 J", power="188 W")
        after = whole.read([])[node]
        assert (after.energy - begun.energy, after.since) == (10 * 10 ** 6, begun.since)


def test_a_machine_with_a_meter_of_power_alone_has_energy(tmp_path):
    power_tree.meter(tmp_path)
    with closing(*opened(tmp_path, power_tree.options())) as meter:
        [part] = meter.read([])
        assert (meter.name, part.kind) == ("bmc", WHOLE)
        wait_for(lambda: meter.read([])[part].energy, PATIENCE, "energy of the node")


def test_a_machine_without_any_says_what_would_help(tmp_path):
    with pytest.raises(Unavailable, match="no zone of RAPL, no GPU, .*; see rapl, gpu and"):
        opened(tmp_path, power_tree.options())
