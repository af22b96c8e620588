"""``colmet-node check`` on trees of files: what it makes of cgroups, of a machine without them, of words and states."""
import json
import os
import socket
import threading
from pathlib import Path

import pytest
import zmq

from colmet.node import check, sources
from colmet.node.checks import OFF, ON, PART, Finding, refused
from colmet.node.checks import cgroups as area
from colmet.node.checks import network
from colmet.node.checks.jobs import jobs
from colmet.node.checks.network import scraping
from colmet.node.checks.rights import CAPABILITIES
from colmet.node.clock import SECOND
from colmet.node.settings import settings
from checkout import CHECKOUT
from e2e.programs import wait_for

V1_MOUNTS = ("30 1 0:30 / /sys/fs/cgroup/cpuacct rw - cgroup cgroup rw,cpuacct\n"
             "31 1 0:31 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n")
V2_MOUNT = "40 1 0:40 / /sys/fs/cgroup%s rw - cgroup2 cgroup2 rw\n"
KERNEL = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuacct\t1\t1\t1\nmemory\t0\t1\t%d\nblkio\t0\t1\t1\n"


def tree(root, files):
    """Write `files`, {path: text}, below `root`."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def options(*words):
    """The settings of a node with these words on its command line."""
    return settings([str(word) for word in words], sources.names())


def counted(root, *words):
    """{name: Finding} on the cgroups below `root`."""
    return {finding.name[len("cgroup "):]: finding for finding in area.cgroups(options("--root", root, *words))}


def test_counters_of_v1_are_found_and_what_is_not_mounted_is_named(tmp_path):
    tree(tmp_path, {"proc/self/mountinfo": V1_MOUNTS, "proc/cgroups": KERNEL % 1,
                    "sys/fs/cgroup/cpuacct/cpuacct.usage": "5\n",
                    "sys/fs/cgroup/memory/memory.usage_in_bytes": "7\n"})
    found = counted(tmp_path)
    assert (found["cpu"].state, found["memory"].state) == (ON, ON) and "v1" in found["cpu"].why
    assert found["io"].state == PART and found["io"].why == "the controller blkio is not mounted"
    assert found["io"].do == "mount -t cgroup -o blkio cgroup /sys/fs/cgroup/blkio"
    assert "job.read_bytes" in found["io"].costs and not found["io"].fails


@pytest.mark.parametrize("kernel, why, do", [
    (KERNEL % 0, "the controller memory is switched off", "cgroup_enable=memory on the kernel's command line"),
    (KERNEL.replace("memory", "rdma") % 1, "this kernel has no controller memory (CONFIG_MEMCG)", "another kernel")])
def test_a_controller_that_the_kernel_lacks_is_told_from_one_that_is_switched_off(kernel, why, do, tmp_path):
    tree(tmp_path, {"proc/self/mountinfo": V1_MOUNTS.splitlines()[0] + "\n", "proc/cgroups": kernel,
                    "sys/fs/cgroup/cpuacct/cpuacct.usage": "5\n"})
    found = counted(tmp_path)["memory"]
    assert (found.state, found.why, found.do) == (PART, why, do)


def test_v2_tells_what_is_not_handed_down_to_the_jobs(tmp_path):
    slice = "sys/fs/cgroup/jobs.slice"
    tree(tmp_path, {"proc/self/mountinfo": V2_MOUNT % "", "proc/cgroups": KERNEL % 1,
                    "sys/fs/cgroup/cgroup.controllers": "cpu memory io\n", slice + "/cpu.stat": "usage_usec 3\n",
                    slice + "/io.stat": "8:0 rbytes=1 wbytes=2\n"})
    found = counted(tmp_path, "--cpuset_rootpath", "/" + slice)
    assert (found["cpu"].state, found["io"].state) == (ON, ON) and "on a machine with v2" in found["cpu"].why
    assert found["memory"].why == "the controller memory is not handed down to %s" % (tmp_path / slice)
    assert found["memory"].do.startswith("echo +memory > %s/cgroup.subtree_control" % (tmp_path / "sys/fs/cgroup"))
    (tmp_path / slice / "memory.current").write_text("9\n")
    assert counted(tmp_path, "--cpuset_rootpath", "/" + slice)["memory"].state == ON


def test_a_counter_that_the_kernel_keeps_only_under_a_limit_is_told(tmp_path):
    tree(tmp_path, {"proc/self/mountinfo": "32 1 0:32 / /sys/fs/cgroup/blkio rw - cgroup cgroup rw,blkio\n",
                    "sys/fs/cgroup/blkio/blkio.throttle.io_service_bytes_recursive": "Total 0\n"})
    found = counted(tmp_path)["io"]
    assert found.state == PART and "only for a cgroup of v1 where a limit was once set" in found.why


def test_the_top_of_a_hierarchy_is_not_taken_for_what_jobs_will_have(tmp_path):
    tree(tmp_path, {"proc/self/mountinfo": V1_MOUNTS.replace("memory", "pids"), "sys/fs/cgroup/pids/tasks": "",
                    "sys/fs/cgroup/cpuacct/cpuacct.usage": "5\n"})
    found = counted(tmp_path)["pids"]
    assert found.state == ON and "tried at the top of a hierarchy" in found.why
    tree(tmp_path, {"sys/fs/cgroup/cpuacct/jobs/cpuacct.usage": "1\n", "sys/fs/cgroup/pids/jobs/pids.current": "3\n"})
    assert counted(tmp_path, "--cpuset_rootpath", "/sys/fs/cgroup/cpuacct/jobs")["pids"].why.startswith("cgroup v1")


def test_a_machine_without_cgroups_is_told(tmp_path):
    assert {(each.state, each.why) for each in counted(tmp_path).values()} == {(PART, "no cgroups are mounted")}


@pytest.mark.parametrize("mountinfo, kind", [(V1_MOUNTS, "v1"), (V2_MOUNT % "", "v2"), ("", "none"),
                                             (V1_MOUNTS + V2_MOUNT % "/unified", "hybrid")])
def test_the_version_of_cgroups(mountinfo, kind, tmp_path):
    tree(tmp_path, {"proc/self/mountinfo": mountinfo})
    assert area.version(area.mounted(tmp_path)) == kind


def test_a_root_that_was_asked_for_and_is_not_there_fails_but_not_the_usual_one(tmp_path):
    tree(tmp_path, {"proc/self/mountinfo": "", "jobs/alice_3/tasks": "", "jobs/alice_3/cgroup.procs": ""})
    here, gone, usual = [[each for each in jobs(options("--root", tmp_path, *words)) if each.name == "jobs"]
                         for words in (["--cpuset_rootpath", "/jobs"], ["--cpuset_rootpath", "/gone"], [])]
    assert [each.state for each in here] == [ON] and here[0].why.endswith("jobs: 1 here")
    assert [each.fails for each in gone] == [True] and "no such directory yet" in gone[0].why
    assert usual and not any(each.fails for each in usual)


def test_a_port_for_prometheus_that_another_program_has_fails(unused_port, monkeypatch):
    monkeypatch.setattr(network, "SLOW", SECOND // 10)
    words = ["--prometheus-bind", str(unused_port.getsockname()[1])]
    assert [each.state for each in scraping(options(*words))] == [OFF]
    unused_port.close()
    assert [each.state for each in scraping(options(*words))] == [ON]
    assert list(scraping(options())) == []


@pytest.fixture(name="unused_port")
def _unused_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        taken.settimeout(0)
        yield taken


@pytest.fixture(name="slow")
def _slow(tmp_path, monkeypatch):
    """(a listener whose program says nothing yet, a `network.Collector` that is connected to it)."""
    monkeypatch.setattr(network, "PATIENCE", 0)
    monkeypatch.setattr(network, "LEAST", 0)
    uri = "ipc://%s/c" % tmp_path
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(uri[len("ipc://"):])
        listener.listen()
        collector = network.Collector(options("--wire", "native", "--native-uri", uri))
        [endpoint] = collector._wires.values()
        wait_for(lambda: endpoint.lost(endpoint.polls(0, answers=False)) or endpoint.accepted, 60, "connection")
        yield listener, collector


def test_a_collector_that_listens_is_given_time_to_answer(slow, monkeypatch):
    monkeypatch.setattr(network, "SLOW", 60 * SECOND)
    listener, collector = slow
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        router.linger, router.use_fd = 0, os.dup(listener.fileno())       # it closes its own
        answer = threading.Timer(0.2, router.bind, ["ipc://*"])
        answer.start()
        [found] = collector.findings()
        answer.join()
    assert found.state == ON and found.why.endswith("/c answers")


def test_one_that_listens_and_never_answers_is_told(slow, monkeypatch):
    monkeypatch.setattr(network, "SLOW", SECOND // 10)
    [found] = slow[1].findings()
    assert found.state == OFF and "no answer within 0.1 s" in found.why


FOUND = [
    Finding("jobs", "jobs", ON, "/x: 1 here"),
    refused("sources", "foo", "no /proc/foo; modprobe foo, or a kernel with CONFIG_FOO, which is a long story that "
            "does not end before the line does", ("foo", "foo.bar")),
    Finding("clock", "clock", PART, "nothing \x1b[2J synchronises it", asked=False),
]


def test_a_line_says_state_reason_remedy_and_cost_in_80_columns():
    lines = list(check.lines(options("--hostname", "n1"), FOUND))
    assert all(len(line) <= 80 for line in lines) and lines[0].startswith("colmet-node 1.0.0 on n1, kernel ")
    assert lines[2] == "jobs  on     /x: 1 here"
    text = " ".join(" ".join(lines).split())
    assert "foo off no /proc/foo; modprobe foo, or" in text and "the line does (without: foo, foo.bar)" in text
    assert lines[-1] == "1 on, 1 in part, 1 off; asked for, but off: foo"
    assert list(check.lines(options(), FOUND[:1]))[-1] == "1 on, 0 in part, 0 off; all that was asked for works"


def test_the_report_has_the_same_as_json():
    report = json.loads(json.dumps(check.report(options("--hostname", "n1"), FOUND)))
    assert set(report) == {"program", "version", "host", "kernel", "works", "checks"} and report["works"] is False
    assert report["checks"][1] == {
        "area": "sources", "name": "foo", "state": "off", "why": "no /proc/foo", "do": FOUND[1].do,
        "costs": ["foo", "foo.bar"], "asked": True}
    assert check.report(options(), FOUND[2:])["works"] is True


@pytest.mark.parametrize("words, message", [
    (["-s", "0"], "colmet-node: --sample-period 0: must be above 0 (seconds)\n"),
    (["--jsno"], "colmet-node: --jsno: no such option; did you mean --json?\n")])
def test_a_wrong_command_line_is_one_line_and_2(words, message, capsys):
    assert check.main(words) == 2
    assert capsys.readouterr() == ("", message)


def test_it_takes_the_options_of_the_node_from_a_file_too(tmp_path, capsys):
    path = Path(tmp_path, "node.ini")
    path.write_text("[colmet-node]\nzeromq-uri = ipc://%s/nobody\ncpuset_rootpath = %s/gone\n" % (tmp_path, tmp_path))
    assert check.main(["--json", "--config", str(path)]) == 1
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert [each["why"] for each in checks if each["name"] == "jobs"] == ["%s/gone: no such directory yet" % tmp_path]
    assert next(each for each in checks if each["name"] == "collector")["state"] == "off"


def test_the_unit_without_root_has_the_capabilities_that_check_names():
    text = (CHECKOUT / "docs" / "security.rst").read_text(encoding="utf-8")
    lines = dict(line.strip().partition("=")[::2] for line in text.splitlines() if "=CAP_" in line)
    wanted = [each.name for each in CAPABILITIES if each.name != "CAP_SYS_RESOURCE"]       # of old kernels
    assert lines == dict.fromkeys(("AmbientCapabilities", "CapabilityBoundingSet"), " ".join(wanted))
    assert all(name in text.partition("[Install]")[2] for name in wanted)
