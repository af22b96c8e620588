"""GPUs and jobs: whose the processes are, those included that nobody saw, what a job holds without one, and its part of
the energy. By the stand-in for NVIDIA's library."""
import gzip
import json
from pathlib import Path

import pytest

from colmet.common import wire06
from colmet.common.batch import Batch, pack_rows
from colmet.common.metrics import TABLES
from gpu_machine import Job, backend, columns, nvidia, put, sampled

pytest_plugins = ("gpu_stub",)
GOLDEN = Path(__file__).parent / "golden" / "0.6" / "hardware"
NAME, BYTES = "nvidiastats_default", 582
START_US = Job.start // 1000
MIG = dict(mig=1, sm=None, memory=None)


@pytest.fixture(name="source")
def _source(tmp_path, stub):
    stub.card(0)
    stub.card(1)
    stub.write()
    made = backend(nvidia(tmp_path))
    yield made
    made.close()


def environment(root, pid, **values):
    """What the process `pid` was started with."""
    path = root / "proc" / str(pid) / "environ"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(("%s=%s" % each).encode() + b"\0" for each in values.items()))


def test_the_job_behind_0_6s_messages_gives_its_records_byte_for_byte(source, stub):
    jobs = [Job(1001, 71), Job(1000, 70)]
    for job in jobs:
        stub.add("process", gpu=0, pid=job.pids[0], memory=1 << 20)
    stub.write()
    rows = source.sample(jobs)[NAME]
    decoded = json.loads((GOLDEN / "messages.json").read_text())["messages"]
    for message, path in zip(decoded, sorted(GOLDEN.glob("*.bin.gz"))):
        records = [record for record in message if record["metric_backend"] == NAME]
        raw = gzip.decompress(path.read_bytes())
        batch = Batch(records[0]["hostname"], 1, 1, records[0]["timestamp"] * 10 ** 9, 0, [{"job": "0"}] +
                      [{"job": str(record["job_id"])} for record in records])
        placed = [(place, 0, values) for place, (_, _, values) in enumerate(rows, 1)]
        batch.blocks.append(pack_rows(TABLES[NAME], placed))
        ours = wire06.encode(batch)[0]
        assert len(ours) == 2 * BYTES and ours == raw[raw.index(NAME.encode()):][:2 * BYTES]


def test_the_columns_of_0_6_are_sums_over_the_gpus_that_a_job_uses(source, stub):
    stub.lines[1][1].update(temperature=80, power=99999, sm=3)
    stub.card(2)
    stub.add("process", gpu=0, pid=70)
    stub.add("process", gpu=1, pid=71)
    stub.write()
    both, none = Job(5, 70, 71), Job(6, 72)
    for reader in source.gpus._readers:
        reader._due = 0
    found = columns(source, both, none)
    assert found["5"] == {"power": 123 + 99, "temperature": 80, "utilization-gpu": 90, "utilization-memory": 24,
                          "memory-total": 2 * 32510, "memory-free": 2 * 30000, "memory-used": 2 * 2510}
    assert set(found["6"].values()) == {0}          # as with 0.6
    stub.lines[0][1]["power"] = None
    stub.write()
    assert columns(source, both)["5"]["power"] is None and columns(source, both)["5"]["temperature"] == 80


def test_a_process_is_its_jobs_and_what_is_nobodys_is_the_nodes(source, stub):
    stub.add("process", gpu=0, pid=70, memory=1000, sm=30, time=5)
    stub.add("process", gpu=0, pid=71, memory=2000, sm=10, time=6)
    stub.add("process", gpu=0, pid=99, memory=400, sm=1, time=7)
    stub.write()
    found = sampled(source, Job(5, 70, 71, 72), Job(6, 73))
    assert set(found) == {(None, "nvidia0"), (None, "nvidia1"), ("5", "nvidia0")}
    mine, all_of_them = found["5", "nvidia0"], found[None, "nvidia0"]
    assert [mine[name] for name in ("processes", "process_memory", "process_memory_peak", "process_utilization")] == [
        2, 3000, 2000, 40]
    assert (all_of_them["processes"], all_of_them["process_memory"]) == (3, 3400)
    assert all_of_them["process_utilization"] == 41
    assert (mine["used"], mine["allocated"], mine["holders"], mine["utilization"]) == (1, 0, 1, 87)
    assert (found[None, "nvidia1"]["used"], found[None, "nvidia1"]["holders"]) == (0, 0)
    found = sampled(source, Job(5, 70))             # no new sample of utilization: it did not compute
    assert found[None, "nvidia0"]["process_utilization"] == 0


def test_a_row_stays_while_the_job_does_and_goes_with_it(source, stub):
    stub.add("process", gpu=0, pid=70, memory=1000)
    stub.write()
    job, other = Job(5, 70), Job(6, 71)
    since = sampled(source, job, other)["5", "nvidia0"]["since"]
    del stub.lines[2]
    stub.write()
    row = sampled(source, job, other)["5", "nvidia0"]
    assert (row["used"], row["holders"], row["process_memory"], row["process_memory_peak"]) == (0, 0, 0, 1000)
    assert row["since"] == since
    assert {key for key in sampled(source, other)} == {(None, "nvidia0"), (None, "nvidia1")}


def test_a_process_whose_memory_is_not_told_has_none(source, stub):
    stub.add("process", gpu=0, pid=70)
    stub.write()
    row = sampled(source, Job(5, 70))["5", "nvidia0"]
    assert (row["processes"], row["process_memory"], row["process_memory_peak"]) == (1, None, None)


def test_more_processes_than_fit_at_once_are_all_there(source, stub):
    for pid in range(1, 301):
        stub.add("process", gpu=0, pid=pid, memory=1, sm=0, time=pid)
    stub.write()
    row = sampled(source, Job(5, *range(1, 291)))["5", "nvidia0"]
    assert (row["processes"], row["process_memory"]) == (290, 290)


def test_processes_that_ended_between_two_samples_are_the_jobs(source, stub):
    stub.lines[0][1]["mode"] = 1
    stub.add("account", gpu=0, pid=60, sm=99, peak=9, time=9000, start=START_US + 1, running=0)     # before the node
    seen = stub.add("account", gpu=0, pid=70, sm=50, peak=700, time=0, start=START_US + 2, running=1)
    process = stub.add("process", gpu=0, pid=70, memory=500)
    stub.write()
    job, other = Job(5, 70), Job(6, 71)
    first = sampled(source, job, other)["5", "nvidia0"]
    assert (first["ended"], first["process_time"], first["process_memory_peak"]) == (0, 0, 700)
    stub.lines = [line for line in stub.lines if line[1] is not process]
    seen.update(running=0, time=4000, peak=900)             # it ended; nobody lists it any more
    stub.add("account", gpu=0, pid=80, sm=25, peak=5000, time=2000, start=START_US + 5, running=0)  # and this: unseen
    stub.write()
    job.pids = []
    row = sampled(source, job, other)["5", "nvidia0"]
    assert (row["ended"], row["process_memory_peak"], row["used"]) == (1, 900, 1)
    stub.lines[0][1]["mode"] = 0
    stub.write()
    row = sampled(source, job, other)
    assert row["5", "nvidia0"]["used"] == 0 and row[None, "nvidia0"]["ended"] == 2


def test_one_that_nobody_saw_is_that_of_the_only_job_that_holds_the_gpu(source, stub, tmp_path):
    stub.lines[0][1]["mode"] = 1
    stub.write()
    environment(tmp_path, 70, SLURM_JOB_GPUS="0")
    job, other = Job(5, 70), Job(6, 71)
    assert sampled(source, job, other)["5", "nvidia0"]["ended"] == 0
    stub.add("account", gpu=0, pid=80, sm=25, peak=5000, time=2000, start=START_US + 5, running=0)
    stub.add("account", gpu=0, pid=81, sm=100, peak=6000, time=1000, start=START_US - 5, running=0)   # older than it
    stub.write()
    row = sampled(source, job, other)["5", "nvidia0"]
    assert (row["ended"], row["process_time"], row["process_memory_peak"], row["used"]) == (1, 500 * 10 ** 6, 5000, 1)
    again = sampled(source, job, other)["5", "nvidia0"]
    assert (again["ended"], again["process_time"], again["used"]) == (1, 500 * 10 ** 6, 0)      # told once


def test_instances_of_a_gpu_have_rows_and_jobs_of_their_own(stub, tmp_path):
    stub.card(0, **MIG)
    for place in (1, 2):
        stub.add("mig", gpu=0, gi=place, ci=0, uuid="MIG-%d" % place, total=5 << 30, used=place * 1000)
    stub.card(1)
    stub.add("process", gpu=0, pid=70, memory=800, gi=2, ci=0)
    stub.write()
    environment(tmp_path, 71, CUDA_VISIBLE_DEVICES="MIG-1")
    source = backend(nvidia(tmp_path))
    found = sampled(source, Job(5, 70), Job(6, 71))
    assert set(found) == {(None, "nvidia0"), (None, "nvidia0/gi1/ci0"), (None, "nvidia0/gi2/ci0"), (None, "nvidia1"),
                          ("5", "nvidia0/gi2/ci0")}         # a short UUID means nothing
    mine, card = found["5", "nvidia0/gi2/ci0"], found[None, "nvidia0"]
    assert (mine["process_memory"], mine["memory_used"], mine["memory_total"], mine["used"]) == (800, 2000, 5 << 30, 1)
    assert mine["energy"] is mine["power"] is mine["utilization"] is mine["process_utilization"] is None
    assert (card["utilization"], card["power"], card["energy"], card["processes"]) == (None, 123.45, 0, 0)
    assert columns(source, Job(5, 70))["5"]["power"] == 123
    holders = source.gpus.latest[1]
    assert [job.id for job in holders["nvidia0"]] == ["5"] and holders["nvidia1"] == []
    source.close()


def test_an_instance_is_held_by_its_uuid_or_its_device_files(stub, tmp_path):
    stub.card(0, **MIG)
    uuids = ["MIG-aaaa1111-0000-0000-0000-00000000000%d" % place for place in (1, 2)]
    for place, uuid in enumerate(uuids, 1):
        stub.add("mig", gpu=0, gi=place, ci=0, uuid=uuid, total=5 << 30, used=0)
    stub.write()
    put(nvidia(tmp_path) / "proc" / "devices", "Character devices:\n195 nvidia\n237 nvidia-caps\n\nBlock:\n8 sd")
    put(tmp_path / "proc" / "driver" / "nvidia-caps" / "mig-minors", "config 1\nmonitor 2\ngpu0/gi1/access 12\n"
        "gpu0/gi1/ci0/access 13\ngpu0/gi2/access 21\ngpu0/gi2/ci0/access 22\nodd line here")
    environment(tmp_path, 71, CUDA_VISIBLE_DEVICES=uuids[1])
    environment(tmp_path, 72, CUDA_VISIBLE_DEVICES="0", SLURM_JOB_GPUS="0")     # of which instance, nobody knows
    source = backend(tmp_path)
    found = sampled(source, Job(6, 71), Job(7, 72))
    assert {key for key in found if key[0]} == {("6", "nvidia0/gi2/ci0")}
    assert found["6", "nvidia0/gi2/ci0"]["allocated"] == 2
    nodes = {device.name: device.nodes for device in source.gpus.read([])}
    assert nodes["nvidia0/gi1/ci0"] == {(237, 12), (237, 13)} and nodes["nvidia0/gi2/ci0"] == {(237, 21), (237, 22)}
    source.close()


def test_who_only_says_that_he_holds_a_gpu_takes_no_part_of_the_energy(source, stub, tmp_path):
    environment(tmp_path, 71, CUDA_VISIBLE_DEVICES="0,1")
    process = stub.add("process", gpu=0, pid=70, memory=1)
    stub.write()
    mine, other = Job(5, 70), Job(6, 71)
    sampled(source, mine, other)
    for card in (0, 1):
        stub.lines[card][1]["energy"] += 8
    stub.write()
    found = sampled(source, mine, other)
    assert (found["5", "nvidia0"]["energy"], found["6", "nvidia0"]["energy"]) == (8000, 0)
    assert (found["6", "nvidia0"]["allocated"], found["6", "nvidia0"]["holders"]) == (2, 1)
    assert found["6", "nvidia1"]["energy"] == 8000
    assert source.gpus.latest[1] == {"nvidia0": [mine], "nvidia1": [other]}
    process["pid"] = 99                                     # nobody's
    stub.lines[0][1]["energy"] += 8
    stub.write()
    assert sampled(source, mine, other)["6", "nvidia0"]["energy"] == 8000


def test_energy_goes_to_those_who_hold_the_gpu_in_equal_parts(source, stub, tmp_path):
    for pid, numbers in ((70, "0"), (71, "0"), (72, "1")):
        environment(tmp_path, pid, SLURM_JOB_GPUS=numbers)
    jobs = [Job(5, 70), Job(6, 71), Job(7, 72)]
    sampled(source, *jobs)
    for step in (1, 2):
        stub.lines[0][1]["energy"] += 1001                  # mJ
        stub.lines[1][1]["energy"] += 30
        stub.write()
        found = sampled(source, *jobs)
        assert found["5", "nvidia0"]["energy"] == found["6", "nvidia0"]["energy"] == step * 1001000 // 2
        assert (found["7", "nvidia1"]["energy"], found["5", "nvidia0"]["holders"]) == (step * 30000, 2)
        assert found[None, "nvidia0"]["energy"] == step * 1001000
    stub.lines[0][1]["energy"] += 10
    stub.write()
    found = sampled(source, *jobs[:1])                      # the other one ended
    assert found["5", "nvidia0"]["energy"] == 1001000 + 10000
