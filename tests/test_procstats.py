"""procstats against files copied from machines, against 0.6.10 on the same machine, and against the kernel."""
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from colmet.common.metrics import cpu, procstats as declared
from colmet.common.schema import MISSING
from colmet.node.backends import Unavailable, procstats
from loads import descriptors

FIXTURES = Path(__file__).parent / "fixtures"
VM = FIXTURES / "vm-x86_64-6.18"
ARM = FIXTURES / "hand-written" / "arm64"
OLD = FIXTURES / "hand-written" / "x86_64-2.6.18"
NAMES = [metric.name for metric in declared.TABLE.metrics]
MENDED = {"stat_cpu_guest", "stat_cpu_guest_nice"}      # 0.6 put other fields of /proc/stat there
UNSTEADY = {"uptime_idle", "stat_cpu_idle", "stat_cpu_iowait"}      # the kernel lets them step back
CONSTANT = ["meminfo_" + name for name in ("memtotal", "swaptotal", "vmalloctotal", "commitlimit", "hugepages_total",
                                           "hugepagesize")]
OLD_PROGRAM = """
import json, sys
from colmet.node.backends import procstats
procstats.ProcstatsCounters = lambda procstats_buffer: procstats_buffer
reader = procstats.ProcStats(None)
sys.stdin.readline()
print(json.dumps(reader.get_stats()))
"""


def sample(root, tables=None):
    """{table: {metric: value}} of one sample."""
    source = procstats.Backend(Path(root), SimpleNamespace(tables=tables))
    try:
        rows = source.sample([])
    finally:
        source.close()
    found = {}
    for table in procstats.TABLES:
        for job, instance, values in rows.get(table.name, ()):
            assert (job, instance) == (None, "")
            found[table.name] = dict(zip([metric.name for metric in table.metrics], values))
    return found


def node(root):
    """{metric: value} of procstats_default."""
    return sample(root)[declared.TABLE.name]


def unknown(found):
    """Names of the metrics without a value."""
    return {name for name, value in found.items() if value in (None, MISSING) or value != value}


def test_the_files_of_a_virtual_machine():
    found = node(VM)
    assert list(found) == NAMES and unknown(found) == {"meminfo_hardwarecorrupted"}
    expected = {
        "uptime_total": 2900, "uptime_idle": 5495, "meminfo_memtotal": 24682416, "meminfo_memfree": 23889956,
        "meminfo_active": 204844, "meminfo_dirty": 46940, "meminfo_committed_as": 234720,
        "meminfo_vmalloctotal": 34359738367, "meminfo_hugepagesize": 2048, "meminfo_directmap2m": 2066432,
        "stat_cpu_user": 20871, "stat_cpu_nice": 0, "stat_cpu_system": 6571, "stat_cpu_idle": 549591,
        "stat_cpu_iowait": 1515, "stat_cpu_irq": 0, "stat_cpu_softirq": 119, "stat_cpu_guest": 0,
        "stat_cpu_guest_nice": 0, "stat_intr": 331670, "stat_ctxt": 493631, "stat_processes": 13422,
        "stat_procs_blocked": 0, "loadavg_1min": 0.76, "loadavg_5min": 0.36, "loadavg_15min": 0.14,
        "loadavg_runnable": 4.0, "loadavg_total_threads": 118.0,
    }
    assert {name: found[name] for name in expected} == expected


def test_an_arm_server_lacks_some_fields_and_keeps_the_others():
    found = node(ARM)
    meminfo = {name for name in NAMES if name.startswith("meminfo_")}
    assert unknown(found) & meminfo == {"meminfo_directmap4k", "meminfo_directmap2m", "meminfo_nfs_unstable",
                                        "meminfo_bounce"}
    assert found["meminfo_memtotal"] == 267892928 and found["meminfo_hugepagesize"] == 524288
    assert found["meminfo_hugepages_rsvd"] == 1 and found["meminfo_hardwarecorrupted"] == 64
    assert found["meminfo_active"] == 2103296


def test_a_kernel_of_2006_lacks_more():
    found = sample(OLD)
    assert unknown(found[declared.TABLE.name]) == {
        "meminfo_unevictable", "meminfo_mlocked", "meminfo_shmem", "meminfo_sreclaimable", "meminfo_sunreclaim",
        "meminfo_kernelstack", "meminfo_writebacktmp", "meminfo_anonhugepages", "meminfo_hugepages_surp",
        "meminfo_hardwarecorrupted", "meminfo_directmap4k", "meminfo_directmap2m",
        "stat_cpu_guest", "stat_cpu_guest_nice"}
    assert found[cpu.TABLE.name]["steal"] == 18 and unknown(found[cpu.TABLE.name]) == {"guest", "guest_nice"}
    assert found[cpu.TABLE.name]["since"] == 1160000000 * 10 ** 9
    assert [found[declared.TABLE.name]["vmstat_" + name] for name in (
        "pgpgin", "pgpgout", "pswpin", "pswpout", "pgfault", "pgmajfault")] == list(range(101, 107))


def put(tmp_path, **files):
    """A root whose /proc has these files."""
    (tmp_path / "proc").mkdir()
    for name, text in files.items():
        (tmp_path / "proc" / name).write_text(text)
    return tmp_path


def test_each_field_of_the_cpu_line_is_its_own(tmp_path):
    found = sample(put(tmp_path, stat="cpu  1 2 3 4 5 6 7 8 9 10 11\ncpu0 9 9 9 9 9 9 9 9 9 9\n"))
    assert list(found[cpu.TABLE.name].values()) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, MISSING]
    names = {name for name in NAMES if name.startswith("stat_cpu_")}
    assert {name: found[declared.TABLE.name][name] for name in names} == {
        name: found[cpu.TABLE.name][name[len("stat_cpu_"):]] for name in names}


def test_the_small_files(tmp_path):
    found = node(put(tmp_path, uptime="3675.92 7017.50\n", loadavg="0.35 0.29 0.21 3/347 12345\n"))
    expected = {"uptime_total": 3675, "uptime_idle": 7017, "loadavg_1min": 0.35, "loadavg_5min": 0.29,
                "loadavg_15min": 0.21, "loadavg_runnable": 3.0, "loadavg_total_threads": 347.0}
    assert {name: found[name] for name in set(NAMES) - unknown(found)} == expected


def test_files_that_say_nothing_give_nothing(tmp_path):
    found = node(put(tmp_path, uptime="", meminfo="MemTotal:\nMemFree: kB\n", stat="cpu\nintr\n", loadavg="x/y"))
    assert unknown(found) == set(NAMES)


def test_a_stat_file_longer_than_one_read(tmp_path):
    lines = ["cpu  1 2 3 4 5 6 7 8 9 10", "intr 77" + " 0" * 100_000, "ctxt 5", "processes 6"]
    found = node(put(tmp_path, stat="\n".join(lines) + "\n"))
    assert (found["stat_intr"], found["stat_ctxt"], found["stat_processes"]) == (77, 5, 6)


def test_every_sample_reads_anew(tmp_path):
    source = procstats.Backend(put(tmp_path, loadavg="0.35 0.29 0.21 3/347 12345\n"), SimpleNamespace(tables=None))
    place = NAMES.index("loadavg_total_threads")
    first = source.sample([])[declared.TABLE.name][0][2][place]
    (tmp_path / "proc" / "loadavg").write_text("0.35 0.29 0.21 3/348 12345\n")
    assert (first, source.sample([])[declared.TABLE.name][0][2][place]) == (347.0, 348.0)
    source.close()


def test_cpu_comes_only_where_it_is_enabled():
    assert set(sample(VM, {"procstats_default"})) == {"procstats_default"}
    assert set(sample(VM, {"procstats_default", "cpu"})) == set(sample(VM)) == {"procstats_default", "cpu"}


def test_a_machine_without_proc_is_told(tmp_path):
    with pytest.raises(Unavailable, match="is proc mounted there"):
        sample(tmp_path)


def test_closing_gives_the_files_back():
    before = descriptors()
    sample(VM)
    assert descriptors() == before


def test_the_kernel_counts_the_time_that_a_process_burns():
    ticks = os.sysconf("SC_CLK_TCK")
    before = sample("/")[cpu.TABLE.name]
    done = subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.5: pass"], check=True)
    after = sample("/")[cpu.TABLE.name]
    busy = sum(after[name] - before[name] for name in ("user", "nice", "system"))
    assert done.returncode == 0 and busy >= 0.25 * ticks
    assert after["since"] == before["since"]


def test_the_values_are_those_of_colmet_0_6(old_colmet):
    """0.6.10 reads between two samples of ours: its values lie between them."""
    python = old_colmet / "python"
    old = subprocess.Popen([str(python), "-c", OLD_PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/")
    before = node("/")
    theirs = json.loads(old.communicate(b"\n", timeout=60)[0])
    after = node("/")
    assert {name: theirs[name] for name in CONSTANT} == {name: before[name] for name in CONSTANT}
    counters = [metric.name for metric in declared.TABLE.metrics if metric.kind == "counter"]
    for name in set(counters) - MENDED - UNSTEADY:
        assert before[name] <= theirs[name] <= after[name], name
    assert set(theirs) >= set(NAMES) - {"meminfo_hardwarecorrupted"}
