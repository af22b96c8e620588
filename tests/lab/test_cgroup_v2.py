"""The real colmet-node on cgroup v2 alone, on the kernel of Debian, in a guest; the collector is here.

What the nodes of the guest (``one_guest.py``) stored is held against what its kernel said.
"""
import json

import pytest

import stored
from colmet.common.metrics import account, job, taskstats
from lab.results import FEW, JOBS, NODES, READERS, asleep, counter, rows, said

pytest_plugins = ("lab.one_guest",)
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("guest")]
MIB = 1 << 20
SLACK = 10 ** 9             # ns of CPU time for the way into the cgroup and out of it, on a busy machine
ROUNDED = {"coremem": 32, "virtmem": 32}        # netlink rounds that of each task
AGING = ("ac_etime", "ac_btime")
KIB = 1024


@pytest.mark.parametrize("reader", NODES)
def test_nodes_run_without_fault_to_their_end(lab, reader):
    assert lab.truth["codes"][reader] == 0
    assert "taskstats (%s)" % (reader if reader in READERS else READERS[0]) in said(lab, reader)
    assert not any(word in said(lab, reader) for word in ("missing", "Traceback", "failed", "reached no collector"))


def test_jobs_are_found_where_oar_3_and_slurm_have_them(lab):
    assert stored.jobs([lab.path]) == {*JOBS, *FEW, *lab.truth["lasting"], *lab.truth["removed"]}


@pytest.mark.parametrize("number", JOBS)
@pytest.mark.parametrize("reader", READERS)
def test_the_job_row_is_what_the_cgroup_said_last(lab, number, reader):
    truth = lab.truth["jobs"][number]
    said_last, [row] = truth["counters"], rows(lab, number, "job", reader)
    assert row["cpu"] == counter(said_last["cpu.stat"], "usage_usec") * 1000
    assert truth["cpu"] - 10 ** 6 <= row["cpu"] <= truth["cpu"] + SLACK
    assert row["peak_memory"] == int(said_last["memory.peak"])
    assert row["read_bytes"] == counter(said_last["io.stat"], "rbytes")
    assert row["write_bytes"] == counter(said_last["io.stat"], "wbytes")
    by = [job.CPU_SOURCES[row[name + "_source"]] for name in ("cpu", "peak_memory", "io")]
    assert by[:2] == ["cgroup v2"] * 2 and (by[2] == "cgroup v2" or not said_last["io.stat"])


@pytest.mark.parametrize("reader", READERS)
def test_loads_are_found_back_in_the_job_rows(lab, reader):
    burned, _, moved, filled = (rows(lab, number, "job", reader)[0] for number in sorted(JOBS))
    assert burned["cpu"] >= 2 * 10 ** 9
    assert (moved["read_bytes"], moved["write_bytes"]) == (4 * MIB, 8 * MIB)
    assert 32 * MIB <= filled["peak_memory"] < 40 * MIB         # and only half of it was there at its end


@pytest.mark.parametrize("number", JOBS)
@pytest.mark.parametrize("reader", READERS)
def test_the_end_is_read_when_no_process_is_left(lab, number, reader):
    truth, [row] = lab.truth["jobs"][number], rows(lab, number, "job", reader)
    assert job.END_SOURCES[row["end_source"]] == "exact" and truth["counters"]["populated"] is False
    assert truth["end"][0] <= row["end"] < row["time"] and row["start"] < truth["live"]["ready"]


@pytest.mark.parametrize("number", JOBS)
def test_bpf_and_netlink_say_the_same_of_a_task_that_sleeps(lab, number):
    ours, theirs = (asleep(lab, number, "taskstats_default", reader) for reader in ("bpf", "netlink"))
    for metric in taskstats.TABLE.metrics:
        if metric.name in ours and metric.name not in AGING:
            rounding = ROUNDED.get(metric.name, 0) + (metric.unit == "us")
            step = KIB if metric.unit == "bytes" and "char" in metric.name else 1
            assert abs(ours[metric.name] // step - theirs[metric.name] // step) <= rounding, metric.name


@pytest.mark.parametrize("number", JOBS)
@pytest.mark.parametrize("reader", READERS)
def test_live_tasks_are_read_as_proc_shows_them(lab, number, reader):
    live, row = lab.truth["jobs"][number]["live"], asleep(lab, number, "taskstats_default", reader)
    tasks, process = live["tasks"], live["process"]
    assert (row["read_char"] // KIB, row["write_char"] // KIB) == (tasks["rchar"] // KIB, tasks["wchar"] // KIB)
    assert (row["read_bytes"], row["write_bytes"]) == (tasks["read_bytes"], tasks["write_bytes"])
    assert row["ac_minflt"] == live["minflt"]
    beside = asleep(lab, number, "jobprocstats_default", reader)
    assert {name: beside[name] for name in process} == process


def test_every_process_is_in_the_account(lab):
    last = {number: rows(lab, number, "account", "bpf")[-1] for number in JOBS}
    assert {number: row["processes_ended"] for number, row in last.items()} == {"1": 1, "2": 41, "3": 1, "4": 1}
    assert last["1"]["tasks_started"] == last["1"]["tasks_ended"] == 2
    for row in last.values():
        assert row["tasks"] == row["processes"] == row["exits_lost"] == 0
        assert account.SOURCES[row["source"]] == "bpf"
        assert row["processes_started"] == row["processes_ended"]
    for number, row in last.items():
        assert row["cpu"] == counter(lab.truth["jobs"][number]["counters"]["cpu.stat"], "usage_usec") * 1000


@pytest.mark.parametrize("name, reader, reasons", [
    ("no_net_admin", "bpf", []),
    ("no_bpf", "netlink", ["bpf: needs CAP_BPF;"]),
    ("no_perfmon", "netlink", ["bpf: needs CAP_PERFMON;"]),
    ("no_sys_admin", "bpf", []),
    ("no_rights", "proc", ["bpf: needs CAP_BPF and CAP_PERFMON", "netlink: needs CAP_NET_ADMIN"]),
    ("no_netlink", None, ["taskstats: needs CAP_NET_ADMIN"]),
])
def test_without_a_capability_it_takes_the_next_reader_and_says_why(lab, name, reader, reasons):
    text = said(lab, name)
    assert lab.truth["without"][name] == 0
    assert ("taskstats (%s)" % reader in text) if reader else "taskstats (" not in text
    assert [reason for reason in reasons if reason not in text] == [] and text.count("needs CAP") == len(reasons)


def findings(lab, name):
    """{name: finding} of what colmet-node check said there."""
    return {each["name"]: each for each in json.loads(lab.result.files[name + ".check.err"])["checks"]}


def test_check_tells_that_all_is_there(lab):
    found = findings(lab, "all_rights")
    assert "cgroup v2" in found["cgroup cpu"]["why"] and "cgroup v2" in found["cgroup io"]["why"]
    assert [found[reader + " (tasks)"]["state"] for reader in READERS] == ["on"] * 3
    assert not any(name.startswith("CAP_") for name in found)


@pytest.mark.parametrize("name, capability, reader", [
    ("no_net_admin", "CAP_NET_ADMIN", "netlink"),
    ("no_bpf", "CAP_BPF", "bpf"),
    ("no_perfmon", "CAP_PERFMON", "bpf"),
])
def test_check_names_the_capability_that_lacks(lab, name, capability, reader):
    found = findings(lab, name)
    assert found[capability]["state"] == "off" and capability in found[capability]["do"]
    assert found[reader + " (tasks)"]["state"] == "off"
    assert [other for other in found if other.startswith("CAP_") and other != capability] == []


def test_colmet_run_measures_a_command_by_its_cgroup(lab, tmp_path):
    if "run" not in lab.truth:
        pytest.skip("needs LAB=1: make lab, which takes a minute more")
    assert lab.truth["run"] == 0, said(lab, "run")
    (tmp_path / "run.hdf5").write_bytes(lab.result.files["run.hdf5"])
    [number] = stored.jobs([tmp_path / "run.hdf5"])
    [row] = stored.rows(tmp_path / "run.hdf5", number, "job")
    assert {job.CPU_SOURCES[row[name + "_source"]] for name in ("cpu", "peak_memory", "io")} == {"cgroup v2"}
    assert row["write_bytes"] == 16 * MIB and row["peak_memory"] >= 32 * MIB        # its own memory, and the cache
