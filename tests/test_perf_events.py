"""Names of events: the numbers that Colmet 0.6 gave them, those of caches, and what PMUs say in sysfs."""
import pytest

import perf_tree
from colmet.node.backends import Unavailable
from colmet.node.perf.events import BY_NAME, NAMES_06, Event, event_fault, find, numbers

OF_06 = {       # name: (type, config) as lib_perf_hw of 0.6 gave them to the kernel
    "cpu_cycles": (0, 0), "instructions": (0, 1), "cache_references": (0, 2), "cache_misses": (0, 3),
    "branch_instructions": (0, 4), "branch_misses": (0, 5), "bus_cycles": (0, 6), "ref_cpu_cycles": (0, 9),
    "cache_l1d": (3, 0), "cache_ll": (3, 2), "cache_dtlb": (3, 3), "cache_itlb": (3, 4), "cache_bpu": (3, 5),
    "cache_node": (3, 6), "cache_op_read": (3, 0), "cache_op_prefetch": (3, 2), "cache_result_access": (3, 0),
    "cpu_clock": (1, 0), "task_clock": (1, 1), "page_faults": (1, 2), "context_switches": (1, 3),
    "cpu_migrations": (1, 4), "page_faults_min": (1, 5), "page_faults_maj": (1, 6), "alignment_faults": (1, 7),
    "emulation_faults": (1, 8), "dummy": (1, 9), "bpf_output": (1, 10),
}


@pytest.fixture(name="machine")
def _machine(tmp_path):
    return perf_tree.make(tmp_path)


def test_the_28_names_of_0_6_mean_what_they_did(tmp_path):
    assert list(NAMES_06) == list(OF_06) and len(NAMES_06) == 28
    assert {name: BY_NAME[name] for name in NAMES_06} == OF_06
    assert find("task_clock", tmp_path) == Event("task_clock", "software", 1, (1, 0, 0))
    assert find("cache_ll", tmp_path) == Event("cache_ll", "cpu", 3, (2, 0, 0))


@pytest.mark.parametrize("name, kind, config", [
    ("l1d_read_access", 3, 0), ("l1d_read_miss", 3, 0x10000), ("l1i_read_miss", 3, 0x10001),
    ("ll_write_miss", 3, 0x10102), ("dtlb_prefetch_access", 3, 0x203), ("node_read_miss", 3, 0x10006),
    ("stalled_cycles_frontend", 0, 7), ("stalled_cycles_backend", 0, 8), ("cgroup_switches", 1, 11),
    ("r20d1", 4, 0x20d1)])
def test_caches_and_raw_numbers_have_names_too(name, kind, config, tmp_path):
    assert event_fault(name) == ""
    found = find(name, tmp_path)
    assert (found.type, found.configs, found.cpus, found.of_node) == (kind, (config, 0, 0), None, False)


@pytest.mark.parametrize("name, kind, configs", [
    ("cpu/event=0x3c,umask=0x1/", 4, (0x13c, 0, 0)), ("cpu/instructions/", 4, (0xc0, 0, 0)),
    ("cpu/mem-loads/", 4, (0x1cd, 3, 0)), ("cpu/mem-loads,ldlat=30/", 4, (0x1cd, 30, 0)),
    ("cpu/event=0xc0,edge/", 4, (0x400c0, 0, 0)), ("cpu/topdown-slots-issued/", 4, (0x10e, 0, 0)),
    ("cpu/wide=0xabc/", 4, (0xa000000bc, 0, 0)), ("cpu/config=0xfedcba9876543210,config2=7/", 4,
                                                  (0xfedcba9876543210, 0, 7)),
    ("cpu/cmask=255/", 4, (0xff000000, 0, 0))])
def test_events_of_a_pmu_are_made_as_it_says(name, kind, configs, machine):
    assert event_fault(name) == ""
    assert find(name, machine) == Event(name, "cpu", kind, configs)


def test_a_pmu_outside_the_cores_is_read_where_it_says_for_the_node(machine):
    found = find("uncore_imc_0/cas_count_read/", machine)
    assert found[1:] == ("uncore_imc_0", 24, (0x304, 0, 0), (0, 28), True)


def test_a_pmu_of_some_cores_counts_jobs_there(machine):
    found = find("armv8_pmuv3_0/cpu_cycles/", machine)
    assert found[1:] == ("armv8_pmuv3_0", 8, (0x11, 0, 0), (4, 5, 6, 7), False)


@pytest.mark.parametrize("name, reason", [
    ("gpu/x/", "no PMU gpu, but armv8_pmuv3_0, cpu, uncore_imc_0"),
    ("cpu/nonsense/", "the PMU cpu has no nonsense, but .*mem-loads.*umask.*"),
    ("cpu/event=0x100/", "event=0x100: the PMU cpu has no room for it .config:0-7."),
    ("cpu/event=-1/", "event=-0x1: the PMU cpu has no room"),
    ("cpu/event=abc/", "event=abc: no number"), ("cpu/asked/", "umask=.: no number"),
    ("cpu/later=1/", "later of the PMU cpu is in config7, which is not known")])
def test_what_a_pmu_has_not_is_said(name, reason, machine):
    assert event_fault(name) == ""
    with pytest.raises(Unavailable, match=reason):
        find(name, machine)


@pytest.mark.parametrize("name", ["instruction", "", "cpu/", "cpu//", "r", "rxyz", "/x/", "../x/", "a/b/c/", "x,y",
                                  "r" + "1" * 17])
def test_what_is_no_event_anywhere_is_told_from_what_may_be(name):
    assert "no such event" in event_fault(name)
    assert "did you mean instructions?" in event_fault("instructionss")


@pytest.mark.parametrize("text, found", [("0-3,8", (0, 1, 2, 3, 8)), ("5", (5,)), ("", ()), ("0,2-3\n", (0, 2, 3))])
def test_a_list_of_cpus(text, found):
    assert numbers(text) == found
