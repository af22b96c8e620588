"""Energy of GPUs for those who split that of the node: from the reading of another, or from a thread of its own."""
from types import SimpleNamespace

from e2e.programs import wait_for
from gpu_machine import Job, backend, intel, nvidia, process, put

from colmet.node.clock import SECOND
from colmet.node.energy import meters
from colmet.node.gpu.device import Reading
from colmet.node.gpu.energy import Energy, Meter, Spent
from colmet.node.gpu.gpus import Gpus

pytest_plugins = ("gpu_stub",)
S = 10 ** 9
PATIENCE = 60


def taken(meter, *readings):
    """[(energy, watts, grown)] of readings a second apart; the wall clock says 1000 s more."""
    found = []
    for second, reading in enumerate(readings):
        spent, grown = meter.take(reading, second * S, (1000 + second) * S)
        found.append((spent.since // S, spent.energy, spent.watts, grown))
    return found


def test_a_counter_is_followed_and_gives_power_where_nothing_else_does():
    assert taken(Meter(), Reading(energy=500), Reading(energy=2000500), Reading(energy=3000500)) == [
        (1000, 0, None, 0), (1000, 2000000, 2.0, 2000000), (1000, 3000000, 1.0, 1000000)]


def test_a_counter_that_is_not_told_for_a_while_loses_nothing():
    assert taken(Meter(), Reading(energy=0, power=5), Reading(power=5), Reading(energy=9000000, power=5)) == [
        (1000, 0, 5, 0), (1000, None, 5, None), (1000, 9000000, 5, 9000000)]


def test_power_is_added_up_between_samples_and_begins_anew_after_a_gap():
    assert taken(Meter(), Reading(power=10), Reading(power=20), Reading(utilization=1), Reading(power=8)) == [
        (1000, 0, 10, 0), (1000, 15000000, 20, 15000000), (1000, None, None, None), (1003, 0, 8, 0)]


def test_a_lost_card_or_a_counter_that_goes_back_begins_anew():
    assert taken(Meter(), Reading(energy=10), Reading(), Reading(energy=20), Reading(energy=5), Reading(energy=6)) == [
        (1000, 0, None, 0), (1000, None, None, None), (1002, 0, None, 0), (1003, 0, 0, 0), (1003, 1, 1e-6, 1)]


def test_a_counter_in_place_of_power_is_another_count():
    assert [each[:2] for each in taken(Meter(), Reading(power=10), Reading(power=10), Reading(power=10, energy=7))] == [
        (1000, 0), (1000, 10000000), (1002, 0)]


def test_with_the_source_on_its_reading_is_shared(stub, tmp_path):
    stub.card(0)
    stub.card(1)
    stub.write()
    process(nvidia(tmp_path), 70, SLURM_JOB_GPUS="1")
    source, job = backend(tmp_path), Job(5, 70)
    energy = Energy(source.gpus, shared=True)
    assert energy.read([job]) == ({}, {})               # nothing was read yet, and it asks nobody
    source.sample([job])
    stub.lines[1][1]["energy"] += 40
    stub.write()
    source.sample([job])
    cards, holders = energy.read([job])
    assert holders == {"nvidia0": [], "nvidia1": [job]}
    assert cards["nvidia1"] == Spent(cards["nvidia1"].since, 40000, 123.45) and cards["nvidia0"].energy == 0
    energy.close()
    source.close()


def test_without_it_a_thread_reads(tmp_path):
    device = intel(tmp_path)
    job = Job(5, 70)
    put(tmp_path / "proc" / "70" / "environ", "ZE_AFFINITY_MASK=0\0")
    energy = Energy(Gpus(tmp_path))
    wait_for(lambda: energy.read([job])[0], PATIENCE, "first reading")
    put(device / "hwmon" / "hwmon2" / "energy1_input", 900000000 + 3000000)
    wait_for(lambda: energy.read([job])[0]["card2"].energy == 3000000, PATIENCE, "the energy")
    assert energy.read([job])[1] == {"card2": [job]}
    energy.close()
    wait_for(lambda: not energy._thread.is_alive(), PATIENCE, "end of the thread")


def test_what_the_source_reads_is_not_asked_twice_as_long_as_it_does(monkeypatch):
    now = [10 ** 12]
    monkeypatch.setattr(meters, "boottime", lambda: now[0])
    own, shared = SimpleNamespace(read=lambda jobs: ({"own": Spent(1, 2, 3)}, {})), SimpleNamespace(read_at=None)
    shared.latest = {"shared": Spent(4, 5, 6)}, {"shared": ["job"]}
    read = meters.Gpus(own)

    def cards(seconds, read_at=None):
        now[0] += seconds * SECOND
        shared.read_at = now[0] if read_at else shared.read_at
        return [part.name for part in read.read([])]
    assert cards(1) == ["own"]
    read.shared = shared
    assert cards(59) == ["shared"] and read.holders == {"shared": ["job"]}      # the first reading takes its time
    assert cards(1, read_at=True) == ["shared"] and cards(60) == ["shared"]
    assert cards(1) == ["own"] and cards(1, read_at=True) == ["own"]            # the source is left out: for good
    read.shared = None
    assert cards(1) == ["own"]
