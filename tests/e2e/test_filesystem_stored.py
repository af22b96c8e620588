"""Shared file systems of a made-up machine, from its files and programs by real programs to HDF5, and to 0.6's wire."""
import json
import re

import pytest

from colmet.common import wire06
from colmet.common.metrics import TABLES
from collectors import Old
from mounts_tree import Machine, busy, gpfs_line, swap
from programs import Program, wait_for
from stored import rows, wait_until

pytest_plugins = ("harness",)
PATIENCE = 60
NAME = "lustrestats_default"
RECORD = wire06.layout(TABLES[NAME])
MISSING = -2 ** 63
OTHERS = ("--disable-taskstats", "--disable-procstats", "--disable-job", "--disable-account", "--disable-cgroup")


@pytest.fixture(name="machine")
def _machine(tmp_path):
    return busy(tmp_path / "machine")


def stored(path, mount):
    """The rows of one mount, in the order of time."""
    found = rows(path, "0", "filesystem") if path.exists() else []
    return [row for row in found if row["mount"] == mount.encode()]


def last(path, mount, metric):
    """Of its last row; None before the first."""
    found = stored(path, mount)
    return int(found[-1][metric]) if found else None


def test_what_is_moved_is_in_the_file(machine, uri, start, tmp_path):
    path, answer = tmp_path / "jobs.hdf5", tmp_path / "answer"
    swap(answer, gpfs_line("work", 77, 88, opens=1, reads=3))
    machine.gpfs("cat >/dev/null; cat %s\n" % answer)
    machine.mount("gpfs", "work", "/gpfs")
    collector = start("collector", "--zeromq-bind-uri", uri, "--hdf5-filepath", path, "-s", "0.2")
    node = start("node", "--zeromq-uri", uri, "--wire", "native", "-s", "0.2", "--root", machine.root,
                 "--enable-filesystem", "--enable-lustre", "--lustre-prefix", "scratch", *OTHERS)
    wait_until(collector, lambda: last(path, "gpfs:/gpfs", "bytes_written") == 88, "rows of GPFS")
    machine.lustre("scratch-ffff88017d1b6800", read=(4, 3000000), write=(5, 10 ** 13), open=8, close=6, getattr=4)
    wait_until(collector, lambda: last(path, "lustre:/scratch", "bytes_read") == 3000000, "the new values")
    assert node.stop() == 0 and collector.stop() == 0
    lustre, nfs, gpfs = (stored(path, mount)[-1] for mount in ("lustre:/scratch", "nfs:/users", "gpfs:/gpfs"))
    assert [int(lustre[name]) for name in ("reads", "writes", "bytes_written", "opens", "metadata", "requests")] == [
        4, 5, 10 ** 13, 8, 18, MISSING]
    assert [int(nfs[name]) for name in ("bytes_read", "bytes_written", "metadata", "requests", "retransmissions",
                                        "errors", "server_bytes_read", "reads")] == [
        1030, 2040, 100, 109, 1, 3, 500, MISSING]
    assert [int(gpfs[name]) for name in ("bytes_read", "reads", "metadata", "since")] == [77, 3, 1, MISSING]
    assert {int(row["lustre_bytes_read"]) for row in rows(path, "0", NAME)} <= {2101248, 3000000}
    old = rows(path, "0", NAME)[-1]
    assert [int(old["lustre_" + name]) for name in ("nb_read", "bytes_read", "nb_write", "bytes_write")] == [
        4, 3000000, 5, 10 ** 13]


def test_the_0_6_wire_has_the_records_of_0_6(machine, uri, start):
    with Old(uri) as sink:
        node = start("node", "--zeromq-uri", uri, "--wire", "0.6", "-s", "0.2", "--root", machine.root,
                     "--enable-lustre", "--profile", "0.6", "--lustre-prefix", "s*", *OTHERS)
        sink.serve(lambda: sink.messages, PATIENCE)
        machine.lustre("scratch-ffff88017d1b6800", read=(9, 9), write=(5, 10 ** 13))
        sink.serve(lambda: values(sink.messages[-1])[:2] == (9, 9), PATIENCE)
        assert node.stop() == 0
    assert {values(message)[2:4] for message in sink.messages} == {(5, 10 ** 13)}


def values(message):
    """The columns of the one record of a message."""
    assert len(message) == RECORD.size == 8750 and message.startswith(NAME.encode() + b"\0")
    return RECORD.body.unpack_from(message, wire06.HEADER.size)


def test_a_program_that_hangs_keeps_no_other_and_no_end_waiting(machine, uri, start, tmp_path):
    path, pid = tmp_path / "jobs.hdf5", tmp_path / "pid"
    machine.gpfs("echo $$ > %s.new; mv %s.new %s; exec sleep 600\n" % ((pid,) * 3))
    machine.mount("gpfs", "work", "/gpfs")
    collector = start("collector", "--zeromq-bind-uri", uri, "--hdf5-filepath", path, "-s", "0.2")
    node = start("node", "--zeromq-uri", uri, "--wire", "native", "-s", "0.2", "--root", machine.root,
                 "--enable-filesystem", *OTHERS)
    wait_for(lambda: len(stored(path, "nfs:/users")) > 10 and pid.exists(), PATIENCE, "rows of the others")
    assert node.stop() == 0 and collector.stop() == 0
    assert not stored(path, "gpfs:/gpfs") and stored(path, "lustre:/scratch")
    wait_for(lambda: not re.search("^sleep\0", command(pid.read_text().strip())), PATIENCE, "the end of mmpmon")


def command(pid):
    """Of a process; "" where it is no more."""
    try:
        with open("/proc/%s/cmdline" % pid) as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def found(check, name):
    """The finding `name` of colmet-node check."""
    check.process.wait(PATIENCE)
    [each] = [each for each in json.loads(check.out.read_text())["checks"] if each["name"] == name]
    return each


def test_check_tells_of_what_is_mounted(machine, running, tmp_path):
    check = Program("colmet.node.main", ("check", "--json", "--root", machine.root, "--enable-filesystem"), tmp_path)
    running.append(check)
    told = found(check, "filesystem")
    assert (told["state"], told["asked"], told["why"]) == ("on", True, "filesystem")
    assert found(check, "lustre")["state"] == "off"


def test_what_is_not_there_is_said_once_with_what_helps(uri, start, tmp_path):
    Machine(tmp_path / "machine")
    node = start("node", "--zeromq-uri", uri, "-s", "0.2", "--root", tmp_path / "machine", "--enable-filesystem",
                 "--enable-lustre", *OTHERS, "--zeromq-linger", "0")
    wait_for(lambda: "sends to" in node.errors(), PATIENCE, "start lines")
    assert node.stop() == 0
    assert node.errors().count("no Lustre client in ") == 1
    assert node.errors().count("mounts of filesystem: no Lustre, NFS, GPFS or BeeGFS is mounted yet") == 1
