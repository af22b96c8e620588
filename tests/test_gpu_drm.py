"""GPUs of AMD and Intel on made-up machines: cards from sysfs, processes from fdinfo and ROCm's driver."""
import pytest

from colmet.node.backends import Unavailable
from colmet.node.gpu.clients import Client, parse
from gpu_machine import GIB, Job, amd, backend, card, columns, intel, opens, put, sampled
from loads import descriptors

AMD_FIELDS = dict(drm_driver="amdgpu", drm_client_id="7", drm_pdev="0000:03:00.0", drm_engine_gfx="5000 ns",
                  drm_memory_vram="2048 KiB", drm_memory_gtt="9 KiB")
XE_FIELDS = dict(drm_driver="xe", drm_client_id="3", drm_pdev="0000:4d:00.0", drm_cycles_ccs="100",
                 drm_total_cycles_ccs="1000", drm_resident_vram0="3 MiB", drm_total_vram0="99 MiB")


@pytest.fixture(name="source")
def _source(tmp_path):
    """The source on a machine with a card of each vendor, and one that only shows text."""
    amd(tmp_path)
    intel(tmp_path)
    card(tmp_path, 0, "ast", "02")
    made = backend(tmp_path)
    yield made
    made.close()


@pytest.fixture(name="clock")
def _clock(monkeypatch):
    """What the source takes for the time: a list of one."""
    now = [10 ** 12]
    for name in ("gpus", "drm", "clients", "rights"):
        monkeypatch.setattr("colmet.node.gpu.%s.boottime" % name, lambda: now[0])
    return now


def device(root, number):
    return root / "sys" / "class" / "drm" / ("card%d" % number) / "device"


def test_cards_say_what_their_drivers_tell(source):
    found = sampled(source)
    assert set(found) == {(None, "card1"), (None, "card2")}
    first, second = found[None, "card1"], found[None, "card2"]
    assert [first[name] for name in ("utilization", "memory_utilization", "memory_used", "memory_total", "power",
                                     "temperature", "memory_temperature")] == [37, 9, 3 * GIB, 64 * GIB, 211, 54, 66]
    assert {name: second[name] for name in second if second[name] is not None}.keys() == {
        "since", "energy", "temperature", "memory_temperature", "processes", "process_memory", "process_utilization",
        "allocated", "used", "holders"}
    assert (second["temperature"], second["memory_temperature"], second["energy"]) == (44, 52, 0)
    assert (source.reader, source.unfilled) == ("sysfs", ("nvidiastats_default",))


def test_values_move_and_power_comes_of_energy(source, tmp_path, clock):
    sampled(source)
    put(device(tmp_path, 1) / "gpu_busy_percent", 99)
    put(device(tmp_path, 1) / "hwmon" / "hwmon1" / "power1_average", 311000000)
    put(device(tmp_path, 2) / "hwmon" / "hwmon2" / "energy1_input", 900000000 + 500000000)
    clock[0] += 2 * 10 ** 9
    found = sampled(source)
    assert found[None, "card1"]["utilization"] == 99
    assert found[None, "card1"]["energy"] == 2 * 261 * 10 ** 6          # (211 W + 311 W) / 2
    assert (found[None, "card2"]["energy"], found[None, "card2"]["power"]) == (500000000, 250)
    put(device(tmp_path, 2) / "hwmon" / "hwmon2" / "energy1_input", 7)  # reset
    assert sampled(source)[None, "card2"]["energy"] == 0


@pytest.mark.parametrize("value", ["N/A", "", "-", "12 %", "1" * 40])
def test_what_is_no_number_is_missing(source, tmp_path, value):
    put(device(tmp_path, 1) / "gpu_busy_percent", value)
    put(device(tmp_path, 1) / "hwmon" / "hwmon1" / "power1_average", value)
    row = sampled(source)[None, "card1"]
    assert row["utilization"] is row["power"] is None and row["memory_used"] == 3 * GIB


def test_a_card_that_sleeps_is_not_woken(tmp_path):
    folder = amd(tmp_path)
    put(folder / "power" / "runtime_status", "suspended")
    source = backend(tmp_path)
    assert sampled(source)[None, "card1"]["utilization"] is None
    put(folder / "power" / "runtime_status", "active")
    assert sampled(source)[None, "card1"]["utilization"] == 37
    source.close()


def test_a_card_that_goes_is_told_once_and_comes_back(source, tmp_path, caplog):
    sampled(source)
    path = device(tmp_path, 1) / "gpu_busy_percent"
    path.unlink()                                   # its descriptor is kept
    assert sampled(source)[None, "card1"]["memory_used"] is None
    [line] = [record.getMessage() for record in caplog.records]
    assert line.startswith("gpu: card1: no such device")
    put(path, 4)
    assert sampled(source)[None, "card1"]["utilization"] == 4
    assert len(caplog.records) == 1


def test_processes_are_read_from_the_files_that_they_have_open(source, tmp_path, clock):
    opens(tmp_path, 70, 4, 1, **AMD_FIELDS)
    opens(tmp_path, 70, 5, 1, **AMD_FIELDS)         # the same client by another descriptor
    (tmp_path / "proc" / "70" / "fd" / "0").symlink_to("/dev/null")
    opens(tmp_path, 71, 4, 1, **dict(AMD_FIELDS, drm_client_id="8", drm_memory_vram="1 MiB"))
    job, other = Job(5, 70), Job(6, 71)
    found = sampled(source, job, other)
    assert set(found) == {(None, "card1"), (None, "card2"), ("5", "card1"), ("6", "card1")}
    row = found["5", "card1"]
    assert (row["processes"], row["process_memory"], row["used"], row["holders"]) == (1, 2 << 20, 1, 2)
    assert row["process_time"] == 0                 # what it used before is not known to be of this time
    opens(tmp_path, 70, 4, 1, **dict(AMD_FIELDS, drm_engine_gfx="9000 ns", drm_engine_compute="500 ns"))
    opens(tmp_path, 70, 5, 1, **dict(AMD_FIELDS, drm_engine_gfx="9000 ns", drm_engine_compute="500 ns"))
    found = sampled(source, job, other)
    assert found["5", "card1"]["process_time"] == found[None, "card1"]["process_time"] == 4500
    opens(tmp_path, 70, 4, 1, **dict(AMD_FIELDS, drm_engine_gfx="8000 ns"))     # a driver may step back for a while
    opens(tmp_path, 70, 5, 1, **dict(AMD_FIELDS, drm_engine_gfx="8000 ns"))
    assert sampled(source, job, other)["5", "card1"]["process_time"] == 4500


def test_a_client_that_came_later_counts_from_its_beginning(source, tmp_path, clock):
    job = Job(5, 70)
    sampled(source, job)
    opens(tmp_path, 70, 4, 1, **AMD_FIELDS)
    clock[0] += 5 * 10 ** 9
    assert sampled(source, job)["5", "card1"]["process_time"] == 5000


def test_cycles_are_a_share_of_the_time(source, tmp_path, clock):
    opens(tmp_path, 70, 4, 2, **XE_FIELDS)
    job = Job(5, 70)
    sampled(source, job)
    clock[0] += 4 * 10 ** 9
    opens(tmp_path, 70, 4, 2, **dict(XE_FIELDS, drm_cycles_ccs="350", drm_total_cycles_ccs="2000"))
    row = sampled(source, job)["5", "card2"]
    assert (row["process_time"], row["process_memory"]) == (10 ** 9, 3 << 20)


def test_a_process_is_looked_at_when_it_is_new_as_its_age_doubles_and_every_ten_minutes(source, tmp_path, clock):
    job = Job(5, 70)
    (tmp_path / "proc" / "70" / "fd").mkdir(parents=True)
    seen = []
    for second in range(0, 64):
        clock[0] = 10 ** 12 + second * 10 ** 9
        sampled(source, job)
        [client] = [reader._clients for reader in source.gpus._readers]
        seen.append(client._looks._due[70] - 10 ** 12)
    assert [each // 10 ** 9 for each in dict.fromkeys(seen)] == [0, 2, 4, 8, 16, 32, 64]
    for hour in (10, 11):
        clock[0] = 10 ** 12 + hour * 3600 * 10 ** 9
        sampled(source, job)
        assert client._looks._due[70] - clock[0] == 600 * 10 ** 9
    job.pids = []
    sampled(source, job)
    assert client._looks._first == client._looks._due == {}


def test_rocms_processes_are_told_by_the_kernel(source, tmp_path):
    kfd = tmp_path / "sys" / "class" / "kfd" / "kfd"
    put(kfd / "topology" / "nodes" / "0" / "gpu_id", "0")
    put(kfd / "topology" / "nodes" / "0" / "properties", "cpu_cores_count 64\ndrm_render_minor 0")
    put(kfd / "topology" / "nodes" / "1" / "gpu_id", "54321")
    put(kfd / "topology" / "nodes" / "1" / "properties", "cpu_cores_count 0\ndrm_render_minor 129\nname")
    put(kfd / "proc" / "70" / "vram_54321", 5 * GIB)
    put(kfd / "proc" / "71" / "vram_54321", 0)      # each process has the file
    opens(tmp_path, 70, 4, 1, **AMD_FIELDS)
    row = sampled(source, Job(5, 70), Job(6, 71))
    assert ("6", "card1") not in row
    row = row["5", "card1"]
    assert (row["processes"], row["process_memory"], row["process_time"]) == (1, 5 * GIB, None)


def test_nothing_of_0_6_is_made_without_nvidia_and_it_says_why(source, tmp_path):
    assert not columns(source, Job(5, 70))
    assert source.lacks["NVIDIA's"].endswith("modprobe nvidia")
    other = backend(tmp_path, {"gpu"})
    assert "NVIDIA's" not in other.lacks
    other.close()


@pytest.mark.parametrize("text", ["", "drm-driver: amdgpu", "drm-pdev: \ndrm-client-id: 4", "pos: 0\nflags: 02",
                                  ":::\n:", "drm-client-id: 4"])
def test_what_names_no_client_is_none(text):
    assert parse(text) is None


def test_odd_fields_of_a_client_cost_only_themselves():
    found = parse("drm-pdev:\t0000:03:00.0\ndrm-client-id: 9\ndrm-engine-gfx: many ns\ndrm-engine-dec: 70 ns\n"
                  "drm-engine-capacity-dec: 4\ndrm-cycles-ccs: 7\ndrm-memory-vram: 5 KiB\ndrm-resident-vram: -5 KiB\n"
                  "drm-engine-enc: %s ns" % ("9" * 30))
    assert found == Client("0000:03:00.0", "9", 70, 5120, {})


def test_what_only_root_may_read_is_told(tmp_path, monkeypatch):
    amd(tmp_path)
    monkeypatch.setattr("colmet.node.gpu.gpus.os.geteuid", lambda: 1000)
    monkeypatch.setattr("colmet.node.gpu.gpus.lacking", lambda *names: list(names))
    source = backend(tmp_path, {"gpu"})
    [line] = source.lacks.values()
    assert line.startswith("the environment and the open files") and "CAP_DAC_READ_SEARCH CAP_SYS_PTRACE" in line
    source.close()


def test_a_machine_without_a_card_says_what_helps(tmp_path):
    card(tmp_path, 0, "mgag200", "02")
    with pytest.raises(Unavailable, match="no GPU of amdgpu, i915 or xe in .*; .*modprobe its driver"):
        backend(tmp_path)


def test_all_files_are_closed_in_the_end(tmp_path):
    amd(tmp_path)
    before = descriptors()
    source = backend(tmp_path)
    sampled(source)
    assert descriptors() > before
    source.close()
    assert descriptors() == before


def test_which_card_a_job_was_given(tmp_path):
    for number in (1, 2):
        amd(tmp_path, number, "0%d" % number)
    put(tmp_path / "proc" / "70" / "environ", "ROCR_VISIBLE_DEVICES=1\0")
    source = backend(tmp_path)
    found = sampled(source, Job(5, 70))
    assert {key for key in found if key[0]} == {("5", "card2")} and found["5", "card2"]["allocated"] == 2
    source.close()
