"""Which GPUs a job was given, by the rules of its cgroup and by its environment: both are read from text."""
import os
from pathlib import Path

import pytest

from cgroups import Cgroups
from colmet.node.gpu import rights as rights_module
from colmet.node.gpu.device import AMD, INTEL, NVIDIA, Device
from colmet.node.gpu.rights import BY_ENVIRONMENT, BY_RULES, Rights, allowed, meant
from colmet.node.jobs.job import Cgroup, directory_key
from gpu_machine import Job

UUIDS = ["GPU-%d1111111-aaaa-bbbb-cccc-000000000000" % place for place in range(4)]
CARDS = [Device("nvidia%d" % place, "nvidia%d" % place, NVIDIA, frozenset([(195, place)]), UUIDS[place], place, place)
         for place in range(4)]
AMDS = [Device("card%d" % place, "card%d" % place, AMD, frozenset([(226, 128 + place)]), "0x18f68e602b8a790%d" % place,
               place - 1, place - 1) for place in (1, 2)]


def held(devices=CARDS, **environment):
    """Names that the environment means, in their order."""
    text = b"".join(name.encode() + b"=" + os.fsencode(value) + b"\0" for name, value in environment.items())
    return sorted(meant(text, devices))


def test_a_rule_counts_where_it_names_one_device_that_may_be_read():
    assert allowed("c 195:0 rwm\nc 195:255 rw\nc 226:128 r\n") == {(195, 0), (195, 255), (226, 128)}
    for text in ("a *:* rwm", "c 195:* rwm", "b 195:0 rwm", "c 195:0 m", "c 195 rw", "", "c a:b rw", "c 1:2", "\n\n"):
        assert allowed(text) == set()


def test_slurms_numbers_are_those_of_the_device_files():
    assert held(SLURM_JOB_GPUS="1,3", CUDA_VISIBLE_DEVICES="0,1") == ["nvidia1", "nvidia3"]
    assert held(SLURM_STEP_GPUS="2") == ["nvidia2"]
    assert held(AMDS, SLURM_JOB_GPUS="1", ROCR_VISIBLE_DEVICES="0") == ["card2"]
    assert held(CARDS + AMDS, SLURM_JOB_GPUS="1") == []        # of which of both, nobody knows
    swapped = [CARDS[0]._replace(minor=3), CARDS[3]._replace(minor=0)]
    assert held(swapped, SLURM_JOB_GPUS="3") == ["nvidia0"]


def test_numbers_within_a_job_are_not_those_of_the_node():
    assert held(CUDA_VISIBLE_DEVICES="0,2") == ["nvidia0", "nvidia2"]
    assert held(CUDA_VISIBLE_DEVICES="0", SLURM_JOB_ID="7") == []
    assert held(CUDA_VISIBLE_DEVICES=UUIDS[2], SLURM_JOB_ID="7") == ["nvidia2"]


def test_each_vendor_has_its_variables():
    assert held(CARDS + AMDS, CUDA_VISIBLE_DEVICES="1", ROCR_VISIBLE_DEVICES="0") == ["card1", "nvidia1"]
    assert held(AMDS, ROCR_VISIBLE_DEVICES="GPU-18f68e602b8a7902") == ["card2"]
    assert held([AMDS[0]._replace(vendor=INTEL)], ZE_AFFINITY_MASK="0") == ["card1"]
    assert held(CUDA_VISIBLE_DEVICES="%s, %s" % (UUIDS[0], UUIDS[3][:20])) == ["nvidia0", "nvidia3"]


@pytest.mark.parametrize("value", ["", "-1", "NoDevFiles", "all", "99", "GPU-", "GPU", "\u0661", "0" * 5000, "0x1",
                                   "\n", "\udcff", ",,,"])
def test_what_names_no_device_means_none(value):
    assert held(CUDA_VISIBLE_DEVICES=value) == held(SLURM_JOB_GPUS=value or "x") == []


def test_the_first_of_two_values_is_the_one_that_programs_see():
    assert meant(b"CUDA_VISIBLE_DEVICES=1\0CUDA_VISIBLE_DEVICES=2\0odd\0=\0", CARDS) == {"nvidia1"}


def test_rules_go_before_the_environment(tmp_path):
    folder = tmp_path / "devices" / "job_5"
    folder.mkdir(parents=True)
    (folder / "devices.list").write_text("c 195:1 rw\nc 195:255 rw\n")
    environ = tmp_path / "proc" / "70" / "environ"
    environ.parent.mkdir(parents=True)
    environ.write_bytes(b"CUDA_VISIBLE_DEVICES=0,3\0")
    ruled, free = Job(5, 70), Job(6, 70)
    ruled.parts = (Cgroup(str(folder), directory_key(folder)),)
    rights = Rights(tmp_path)
    assert rights.of({ruled: [70], free: [70]}, tuple(CARDS)) == {
        ruled: {"nvidia1": BY_RULES}, free: {"nvidia0": BY_ENVIRONMENT, "nvidia3": BY_ENVIRONMENT}}
    (folder / "devices.list").write_text("a *:* rwm\n")
    again = Rights(tmp_path).of({ruled: [70]}, tuple(CARDS))
    assert again == {ruled: {"nvidia0": BY_ENVIRONMENT, "nvidia3": BY_ENVIRONMENT}}
    assert rights.of({free: [70]}, ()) == {free: {}}


def test_a_processs_environment_that_is_gone_means_none(tmp_path):
    assert Rights(tmp_path).of({(job := Job(5)): [70]}, tuple(CARDS)) == {job: {}}


@pytest.fixture(name="held_at")
def _held_at(tmp_path, monkeypatch):
    """held_at(second, environment, pids) gives, in their order, the names of the GPUs that a job of these processes
    holds then; the environment is that which process 70 has from then on."""
    rights, job, path = Rights(tmp_path), Job(5), tmp_path / "proc" / "70" / "environ"
    path.parent.mkdir(parents=True)

    def look(second, value, pids=(70,)):
        monkeypatch.setattr(rights_module, "boottime", lambda: 10 ** 12 + second * 10 ** 9)
        path.write_bytes(b"CUDA_VISIBLE_DEVICES=%d\0" % value)
        return sorted(rights.of({job: list(pids)}, tuple(CARDS))[job])
    return look


def test_an_environment_is_read_again_as_the_age_of_its_process_doubles(held_at):
    """As one that executes another program gets another one; after that, with the next look at its job."""
    given, read = 0, []
    for second in range(300):
        other = 1 - given
        if held_at(second, other) == ["nvidia%d" % other]:
            read.append(second)
            given = other
    assert read == [0, 1, 2, 4, 8, 16, 32, 64, 184]


def test_a_process_that_gets_the_number_of_one_that_left_is_new(held_at):
    for second in (0, 1, 2, 4, 8):
        assert held_at(second, 1) == ["nvidia1"]
    assert held_at(9, 2) == ["nvidia1"] and held_at(10, 2, ()) == ["nvidia1"]      # the job's own look is due at 16
    assert held_at(16, 2) == ["nvidia2"]


@pytest.mark.root
def test_the_rules_of_a_real_cgroup():
    top = "/sys/fs/cgroup/devices"
    if os.geteuid() or not os.path.exists(top + "/devices.list"):
        pytest.skip("needs root and cgroup v1's devices")
    groups = Cgroups([Path(top)])
    try:
        path = groups.make("job_5")
        (path / "devices.deny").write_text("a *:* rwm")
        (path / "devices.allow").write_text("c 195:2 rw")
        (path / "devices.allow").write_text("c 1:3 rwm")
        job = Job(5)
        job.parts = (Cgroup(str(path), directory_key(path)),)
        assert Rights(Path("/")).of({job: []}, tuple(CARDS)) == {job: {"nvidia2": BY_RULES}}
    finally:
        groups.close()
