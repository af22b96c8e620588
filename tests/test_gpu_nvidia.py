"""NVIDIA's GPUs, by a stand-in for the driver's library: what it says, what it does not, cards and drivers that go."""
import gc

import pytest

from colmet.node.backends import Unavailable
from colmet.node.gpu import nvml as library
from gpu_machine import GIB, Job, backend, columns, nvidia, sampled

pytest_plugins = ("gpu_stub",)
GONE = {"power", "utilization", "memory_utilization", "memory_used", "memory_total", "temperature",
        "memory_temperature", "energy"}


@pytest.fixture(name="opened")
def _opened(tmp_path, stub):
    """opened() is the source on the machine that `stub` describes; closed at the end."""
    made = []

    def make(tables=None):
        stub.write()
        made.append(backend(nvidia(tmp_path), tables))
        return made[-1]
    yield make
    for each in made:
        each.close()


def missing(row):
    """Names of what is not known."""
    return {name for name, value in row.items() if value is None}


def again(source):
    """Let it look for devices at the next sample."""
    for reader in source.gpus._readers:
        reader._due = 0


def test_what_the_driver_says_is_in_the_row_of_the_node(stub, opened):
    stub.card(0, reserved=GIB)
    stub.card(3, minor=3, sm=0, memory=0, power=60120, used=0)
    found = sampled(opened())
    assert set(found) == {(None, "nvidia0"), (None, "nvidia3")}
    row = found[None, "nvidia0"]
    assert [row[name] for name in ("utilization", "memory_utilization", "temperature", "memory_temperature")] == [
        87, 12, 61, 70]
    assert (row["memory_used"], row["memory_total"]) == (2510 << 20, 32510 << 20)       # what is reserved is not used
    assert row["power"] == 123.45 and found[None, "nvidia3"]["power"] == 60.12
    assert (row["processes"], row["process_memory"], row["allocated"], row["used"], row["holders"]) == (0, 0, 0, 0, 0)
    assert row["energy"] == 0 and row["since"] > 10 ** 18
    assert missing(row) == {"process_memory_peak", "process_time", "ended"}


def test_energy_is_that_of_the_drivers_counter_and_begins_anew_with_it(stub, opened):
    card = stub.card(0, energy=7000)
    source = opened()
    began = sampled(source)[None, "nvidia0"]["since"]
    card["energy"] += 2500
    stub.write()
    row = sampled(source)[None, "nvidia0"]
    assert (row["energy"], row["since"]) == (2500000, began)
    card["energy"] = 3                              # the driver was loaded anew
    stub.write()
    row = sampled(source)[None, "nvidia0"]
    assert row["energy"] == 0 and row["since"] != began
    card["energy"] = 10
    stub.write()
    assert sampled(source)[None, "nvidia0"]["energy"] == 7000


def test_without_a_counter_power_is_added_up(stub, opened, monkeypatch):
    clock = [10 ** 12]
    monkeypatch.setattr("colmet.node.gpu.gpus.boottime", lambda: clock[0])
    card = stub.card(0, energy=None, power=100000)
    source = opened()
    assert sampled(source)[None, "nvidia0"]["energy"] == 0
    card["power"] = 200000
    stub.write()
    clock[0] += 5 * 10 ** 9
    assert sampled(source)[None, "nvidia0"]["energy"] == 750 * 10 ** 6
    card["power"] = None                            # "N/A"
    stub.write()
    assert {"energy", "power"} <= missing(sampled(source)[None, "nvidia0"])
    card["power"] = 1000
    stub.write()
    assert sampled(source)[None, "nvidia0"]["energy"] == 0


def test_what_a_gpu_does_not_support_is_missing_and_nothing_else(stub, opened):
    stub.card(0, sm=None, power=None, energy=None, hot=None, temperature=None)
    stub.card(1, hot=0)                             # what GPUs say that have no such sensor
    found = sampled(opened())
    told_by_nobody = {"process_memory_peak", "process_time", "ended"}
    assert missing(found[None, "nvidia0"]) == told_by_nobody | {"utilization", "memory_utilization", "power", "energy",
                                                                "temperature", "memory_temperature"}
    assert found[None, "nvidia0"]["memory_used"] == 2510 << 20
    assert missing(found[None, "nvidia1"]) == told_by_nobody | {"memory_temperature"}


@pytest.mark.parametrize("code", [4, 10, 999])
def test_a_gpu_that_the_driver_does_not_give_is_told_once_and_the_others_go_on(code, stub, opened, caplog):
    stub.card(0)
    stub.card(1, error=code)
    source = opened()
    for _ in range(2):
        found = sampled(source)
        assert missing(found[None, "nvidia1"]) >= GONE and found[None, "nvidia0"]["utilization"] == 87
        again(source)
    [line] = [record.getMessage() for record in caplog.records]
    assert line.startswith("gpu: nvidia1: ")


def test_a_gpu_of_which_the_driver_says_nothing_any_more_is_told_once(stub, opened, caplog):
    card = stub.card(0)
    source = opened()
    sampled(source)
    card["error"] = 999
    stub.write()
    for _ in range(2):
        assert missing(sampled(source)[None, "nvidia0"]) >= GONE
    [line] = [record.getMessage() for record in caplog.records]
    assert "nvidia0: its driver says nothing of it" in line


def test_functions_that_an_old_driver_lacks_cost_only_what_they_tell(stub, opened, compiled, monkeypatch):
    monkeypatch.setattr(library, "LIBRARY", str(compiled("-DOLD")))
    stub.card(0, reserved=GIB, mode=1, mig=1)
    stub.add("process", gpu=0, pid=11, memory=4096)
    job = Job(5, 11)
    found = sampled(opened(), job)
    row = found["5", "nvidia0"]
    assert (row["utilization"], row["power"], row["process_memory"], row["processes"]) == (87, 123.45, 4096, 1)
    assert row["memory_used"] == (2510 << 20) + GIB
    assert missing(found[None, "nvidia0"]) == {"memory_temperature", "process_utilization", "process_time", "ended"}


def test_a_lost_gpu_is_missing_told_once_and_the_others_go_on(stub, opened, caplog):
    first, second = stub.card(0), stub.card(1)
    source = opened()
    since = sampled(source)[None, "nvidia0"]["since"]
    first["error"] = 15
    second["sm"] = 5
    stub.write()
    for _ in range(2):
        found = sampled(source)
        assert missing(found[None, "nvidia0"]) >= GONE and found[None, "nvidia1"]["utilization"] == 5
        again(source)
    [line] = [record.getMessage() for record in caplog.records]
    assert line.startswith("gpu: nvidia0: it is lost") and "missing until it answers" in line
    del first["error"]
    stub.write()
    again(source)
    row = sampled(source)[None, "nvidia0"]
    assert row["utilization"] == 87 and row["since"] != since


def test_a_gpu_that_is_lost_from_the_start_has_a_row_of_its_own(stub, opened):
    stub.card(0)
    card = stub.card(1, error=15)
    source = opened()
    assert missing(sampled(source)[None, "nvidia1"]) >= GONE
    del card["error"]
    stub.write()
    again(source)
    assert sampled(source)[None, "nvidia1"]["utilization"] == 87


def test_a_driver_that_goes_and_comes_back_is_told_once(stub, opened, caplog):
    stub.card(0)
    source = opened()
    assert sampled(source)
    stub.driver = ""
    stub.write()
    for _ in range(3):
        assert not sampled(source, Job(1)) and not columns(source, Job(1))
        again(source)
    [line] = [record.getMessage() for record in caplog.records]
    assert "its driver is not loaded" in line
    stub.driver = "570.1"
    stub.write()
    again(source)
    assert sampled(source)[None, "nvidia0"]["utilization"] == 87


def test_without_library_or_driver_it_says_what_helps(stub, tmp_path, monkeypatch):
    with pytest.raises(Unavailable, match="driver is not loaded: no .*version, no GPU of amdgpu.*; modprobe nvidia"):
        backend(tmp_path)
    monkeypatch.setattr(library, "LIBRARY", "libcolmet-none.so.1")
    with pytest.raises(Unavailable, match="no libcolmet-none.so.1, no GPU .*; install NVIDIA's driver, or modprobe"):
        backend(nvidia(tmp_path))
    gc.collect()


def test_to_open_it_asks_the_driver_nothing(stub, opened):
    stub.card(0)
    stub.delay = 10 ** 6                            # opening a session would take an hour
    source = opened()
    assert source.reader == "NVML"
    stub.delay = 0
    stub.write()
    assert sampled(source)


def test_only_the_tables_that_are_on_are_made(stub, opened):
    stub.card(0)
    for tables in ({"gpu"}, {"nvidiastats_default"}, {"gpu", "nvidiastats_default"}):
        assert set(opened(tables).sample([Job(1)])) == tables
