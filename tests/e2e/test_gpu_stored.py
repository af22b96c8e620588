"""GPUs of a made-up machine, from NVIDIA's library and from sysfs by real programs to HDF5, and on the wire of 0.6."""
import json

import h5py
import pytest

from colmet.common import wire06
from colmet.common.metrics import TABLES
from collectors import Old
from gpu_machine import amd, nvidia, opens, process, put
from programs import Program, wait_for
from stored import rows, wait_until

pytest_plugins = ("harness", "gpu_stub")
PATIENCE = 60
NAME = "nvidiastats_default"
RECORD = wire06.layout(TABLES[NAME])
OTHERS = ("--disable-taskstats", "--disable-procstats", "--disable-job", "--disable-account", "--disable-cgroup")
HOUR = 3600 * 1000


@pytest.fixture(name="machine")
def _machine(tmp_path, stub):
    """Two cards of NVIDIA, one of AMD; process 70 has the first open, 71 was given the second and leaves it idle, 72
    has AMD's."""
    root = nvidia(tmp_path / "machine")
    stub.card(0)
    stub.card(1, sm=0, power=60000, temperature=33)
    stub.add("process", gpu=0, pid=70, memory=1 << 30, sm=87, time=1)
    stub.write()
    amd(root, 4)
    process(root, 70)
    process(root, 71, CUDA_VISIBLE_DEVICES="1")
    process(root, 72)
    opens(root, 72, 5, 4, drm_driver="amdgpu", drm_client_id="7", drm_pdev="0000:03:00.0", drm_memory_vram="64 MiB")
    return root


def stored(path, job, gpu):
    """Rows of one device of a job, in the order of time."""
    found = rows(path, job, "gpu") if path.exists() else []
    return [row for row in found if row["gpu"] == gpu.encode()]


def test_what_the_driver_says_is_in_the_file(machine, stub, uri, start, tmp_path):
    path = tmp_path / "jobs.hdf5"
    collector = start("collector", "--zeromq-bind-uri", uri, "--hdf5-filepath", path, "-s", "0.2")
    node = start("node", "--zeromq-uri", uri, "--wire", "native", "-s", "0.2", "--root", machine, "--enable-gpu",
                 "--enable-nvidia", "-p", "70", "-p", "71", "-p", "72", *OTHERS)
    wait_until(collector, lambda: stored(path, "70", "nvidia0") and stored(path, "72", "card4"), "first rows")
    stub.lines[0][1].update(sm=41, energy=15000, power=200500)
    stub.lines[1][1].update(error=15)
    stub.write()
    put(machine / "sys/class/drm/card4/device/gpu_busy_percent", 99)
    wait_until(collector, lambda: stored(path, "70", "nvidia0")[-1]["utilization"] == 41
             and stored(path, "0", "card4")[-1]["utilization"] == 99, "the new values")
    assert node.stop() == 0 and collector.stop() == 0
    first, last = (stored(path, "70", "nvidia0")[place] for place in (0, -1))
    assert (first["utilization"], last["power"], last["processes"], last["used"]) == (87, 200.5, 1, 1)
    assert last["energy"] == 10 ** 7 == stored(path, "0", "nvidia0")[-1]["energy"] and last["since"] == first["since"]
    idle = stored(path, "71", "nvidia1")
    assert (idle[0]["allocated"], idle[0]["used"], idle[0]["processes"], idle[0]["power"]) == (2, 0, 0, 60)
    assert idle[-1]["utilization"] == -2 ** 63 and idle[-1]["power"] != idle[-1]["power"]       # lost: missing, NaN
    assert stored(path, "72", "card4")[0]["process_memory"] == 64 << 20
    assert {gpu for gpu in ("nvidia0", "nvidia1", "card4") if stored(path, "0", gpu)} == {"nvidia0", "nvidia1", "card4"}
    assert not stored(path, "70", "nvidia1") and not stored(path, "71", "nvidia0")
    old = rows(path, "70", NAME)
    assert {(row["utilization-gpu"], row["power"]) for row in old} == {(87, 123), (41, 200)}
    assert {row["memory-used"] for row in old} == {2510} and {row["power"] for row in rows(path, "71", NAME)} == {0}
    with h5py.File(path, "r") as file:
        assert json.loads(file["job_70/gpu"].attrs["units"])["process_memory"] == "bytes"
    assert "gpu (NVML and sysfs)" in node.errors() and node.errors().count("nvidia1: it is lost") == 1


def test_the_0_6_wire_has_the_records_of_0_6(machine, stub, uri, start):
    with Old(uri) as sink:
        node = start("node", "--zeromq-uri", uri, "--wire", "0.6", "-s", "0.2", "--root", machine, "--enable-nvidia",
                     "--enable-gpu", "--profile", "0.6", "-p", "70", *OTHERS)
        sink.serve(lambda: sink.messages, PATIENCE)
        stub.lines[0][1].update(temperature=77)
        stub.write()
        sink.serve(lambda: values(sink.messages[-1])[1] == 77, PATIENCE)
        assert node.stop() == 0
    assert {values(message)[:1] + values(message)[2:] for message in sink.messages} == {
        (123, 87, 12, 32510, 30000, 2510)}


def values(message):
    """The columns of the one record of a message."""
    assert len(message) == RECORD.size == 582 and message.startswith(NAME.encode() + b"\0")
    return RECORD.body.unpack_from(message, wire06.HEADER.size)


def test_a_driver_that_hangs_keeps_no_start_no_other_source_and_no_end_waiting(machine, stub, uri, start, tmp_path):
    stub.delay = HOUR
    stub.write()
    path = tmp_path / "jobs.hdf5"
    collector = start("collector", "--zeromq-bind-uri", uri, "--hdf5-filepath", path, "-s", "0.2")
    node = start("node", "--zeromq-uri", uri, "--wire", "native", "-s", "0.2", "--root", machine, "--enable-gpu",
                 *OTHERS)
    wait_for(lambda: path.exists() and len(rows(path, "0", "colmet")) > 20, PATIENCE, "rows of the node itself")
    assert node.stop() == 0 and collector.stop() == 0
    assert not rows(path, "0", "gpu") and "sources   " in node.errors()


def test_check_tells_of_the_gpus_and_asks_no_driver(machine, stub, running, tmp_path):
    stub.delay = HOUR
    stub.write()
    check = Program("colmet.node.main", ("check", "--json", "--root", machine, "--enable-gpu"), tmp_path)
    running.append(check)
    check.process.wait(PATIENCE)
    [found] = [each for each in json.loads(check.out.read_text())["checks"] if each["name"] == "gpu"]
    assert (found["state"], found["asked"], found["why"]) == ("on", True, "gpu")


def test_what_is_not_there_is_said_once_with_what_helps(uri, start, tmp_path):
    (tmp_path / "machine" / "proc").mkdir(parents=True)
    node = start("node", "--zeromq-uri", uri, "-s", "0.2", "--root", tmp_path / "machine", "--enable-nvidia",
                 "--enable-gpu", *OTHERS, "--zeromq-linger", "0")
    wait_for(lambda: "sends to" in node.errors(), PATIENCE, "start lines")
    assert node.stop() == 0
    assert node.errors().count("modprobe nvidia, or modprobe its driver") == 1
