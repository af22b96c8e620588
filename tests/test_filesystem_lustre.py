"""Lustre: made-up clients of each version whose traffic is known, found back by the reader of the node."""
import os

import pytest

from colmet.common.batch import pack_rows
from colmet.common.metrics import TABLES
from colmet.common.wire import MAX_NAME
from colmet.node.filesystem.lustre import parse
from mounts_tree import LUSTRE_2_5, LUSTRE_2_12, LUSTRE_2_15, START, Machine, backend, lustre_text, put, systems
from opened import opening, told

ENTRY = "scratch-ffff88017d1b6800"
COUNTS = dict(read=(3, 2101248), write=(5, 10 ** 13), open=7, close=6, getattr=4, inode_permission=900, seek=50)
VALUES = dict(reads=3, bytes_read=2101248, writes=5, bytes_written=10 ** 13, opens=7, closes=6, metadata=17)


@pytest.fixture(name="opened")
def _opened():
    """opened(root) makes the source."""
    yield from opening(backend)


@pytest.mark.parametrize("version", [LUSTRE_2_5, LUSTRE_2_12, LUSTRE_2_15])
def test_each_version_is_found_back_with_the_sum_and_not_that_of_squares(version, tmp_path, opened):
    machine = Machine(tmp_path)
    machine.lustre(ENTRY, version, **COUNTS)
    machine.mount("lustre", "10.0.0.1@o2ib:10.0.0.2@o2ib:/scratch", "/scratch")
    source = opened(tmp_path)
    assert not source.lacks
    since = {"since": START * 10 ** 9 + 7} if version == LUSTRE_2_15 else {}
    assert systems(source) == {"lustre:/scratch": dict(VALUES, **since)}


def test_what_was_not_used_yet_is_0_and_values_move(tmp_path, opened):
    machine = Machine(tmp_path)
    machine.lustre(ENTRY, LUSTRE_2_12)
    source = opened(tmp_path)
    assert systems(source) == {"lustre:scratch": dict.fromkeys(VALUES, 0)}
    for calls in (1, 2, 10 ** 9):
        machine.lustre(ENTRY, LUSTRE_2_12, read=(calls, 4096 * calls), mkdir=calls)
        found = systems(source)["lustre:scratch"]
        assert (found["reads"], found["bytes_read"], found["metadata"]) == (calls, 4096 * calls, calls)
        assert "since" not in found


def test_counters_that_were_set_to_0_begin_anew(tmp_path, opened):
    machine = Machine(tmp_path)
    machine.lustre(ENTRY, LUSTRE_2_12, **COUNTS)
    source = opened(tmp_path)
    assert "since" not in systems(source)["lustre:scratch"]
    machine.lustre(ENTRY, LUSTRE_2_12, read=(1, 1))
    first = systems(source)["lustre:scratch"]
    machine.lustre(ENTRY, LUSTRE_2_12, read=(2, 2))
    second = systems(source)["lustre:scratch"]
    assert first["since"] == second["since"] > START * 10 ** 9 and second["bytes_read"] == 2


def test_each_mount_has_its_row_and_its_own_name(tmp_path, opened):
    machine = Machine(tmp_path)
    for number, name in enumerate(("projects", "scratch", "scratch", "un-named")):
        machine.lustre("%s-ffff88017d1b680%d" % (name, number), read=(1, 100 + number))
    device = machine.mount("lustre", "10.0.0.1@tcp:/projects/users", "/projects")
    machine.mount("lustre", "10.0.0.1@tcp:/projects/users", "/var/bound", device=device)
    machine.mount("lustre", "10.0.0.1@tcp:/scratch", "/scratch")
    machine.mount("lustre", "10.0.0.1@tcp:/scratch", "/old")
    source = opened(tmp_path)
    assert {name: row["bytes_read"] for name, row in systems(source).items()} == {
        "lustre:/projects": 100, "lustre:scratch": 101, "lustre:scratch 2": 102, "lustre:un-named": 103}


def test_what_is_unmounted_goes_and_what_is_mounted_comes(tmp_path, opened, caplog):
    machine = Machine(tmp_path)
    old = machine.lustre(ENTRY, read=(1, 1))
    machine.mount("lustre", "10.0.0.1@tcp:/scratch", "/scratch")
    source = opened(tmp_path)
    assert systems(source)["lustre:/scratch"]["reads"] == 1
    old.unlink()
    assert systems(source) == {"lustre:/scratch": {}}
    old.parent.rmdir()
    for path in (tmp_path / "sys/fs/lustre/llite" / ENTRY / "uuid", tmp_path / "sys/fs/lustre/llite" / ENTRY):
        path.unlink() if path.is_file() else path.rmdir()
    machine.unmount("/scratch")
    assert systems(source) == {}
    machine.lustre("scratch-ffff9f0000000000", read=(2, 2))
    machine.mount("lustre", "10.0.0.1@tcp:/scratch", "/scratch")
    assert systems(source)["lustre:/scratch"]["reads"] == 2
    assert len(told(caplog)) == 1 and "those of scratch are missing until it can be read" in told(caplog)[0]


@pytest.mark.parametrize("text", ["", "N/A\n", "read_bytes 3 samples [bytes] 1 2 3\n", "\0" * 4096])
def test_a_file_without_statistics_is_missing_and_told_once(text, tmp_path, opened, caplog):
    machine = Machine(tmp_path)
    path = machine.lustre(ENTRY, read=(1, 1))
    source = opened(tmp_path)
    put(path, text)
    assert [systems(source) for _ in range(3)] == [{"lustre:scratch": {}}] * 3
    assert told(caplog) == ["lustre: %s holds no statistics; those of scratch are missing until it does" % path]
    put(path, lustre_text(read=(2, 2)))
    assert systems(source)["lustre:scratch"]["reads"] == 2


def test_eio_of_the_kernel_is_missing(tmp_path, opened, caplog):
    machine = Machine(tmp_path)
    path = machine.lustre(ENTRY)
    path.unlink()
    path.symlink_to("/proc/self/mem")
    source = opened(tmp_path)
    assert systems(source) == systems(source) == {"lustre:scratch": {}}
    assert told(caplog) == ["lustre: %s: input/output error; those of scratch are missing until it can be read" % path]


@pytest.mark.parametrize("line, values", [
    ("read_bytes x samples [bytes] 1 2 3", (0, 0)), ("read_bytes -1 samples [bytes] 1 2 3", (0, 0)),
    ("read_bytes 1 samples [bytes] 1 2 x", (1, 0)), ("read_bytes 1 samples", (0, 0)),
    ("xread_bytes 1 samples [bytes] 1 2 3", (0, 0)), (" read_bytes 1 samples [bytes] 1 2 3", (0, 0)),
    ("read_bytes: 1 samples [bytes] 1 2 3", (1, 3)), ("read_bytes 1 samples [bytes] -5 2 3 4", (1, 3)),
    ("read_bytes 1 samples [bytes] 1 2 %d" % 2 ** 64, (1, 2 ** 64)), ("read_bytes %s samples" % ("9" * 99), (0, 0))])
def test_lines_that_are_odd_cost_nothing_else(line, values):
    found = parse(("%s\nwrite_bytes 2 samples [bytes] 1 2 4\n" % line).encode())
    assert (found["reads"], found["bytes_read"]) == values
    assert (found["writes"], found["bytes_written"]) == (2, 4)
    assert pack_rows(TABLES["filesystem"], [(0, 0, [found.get(metric.name)
                                                    for metric in TABLES["filesystem"].metrics])]).data


def test_names_from_the_machine_fit_the_wire(tmp_path, opened):
    machine = Machine(tmp_path)
    folder = os.fsencode(tmp_path / "sys/kernel/debug/lustre/llite")
    for name in (b"\xff\x1b[31m-ffff88017d1b6800", b"x" * 200 + b"-ffff88017d1b6801",
                 "\U0001f525".encode() * 50 + b"-0000"):
        os.makedirs(folder + b"/" + name)
        with open(folder + b"/" + name + b"/stats", "w") as file:
            file.write(lustre_text(read=(1, 1)))
    machine.mount("lustre", "10.0.0.1@tcp:/" + "x" * 200, "/a\n\t b" + "y" * 300)
    found = systems(opened(tmp_path))
    assert len(found) == 3 and all(row["reads"] == 1 for row in found.values())
    assert all(len(name.encode()) <= MAX_NAME and name.isprintable() for name in found)


@pytest.mark.parametrize("place", ["proc/fs/lustre/llite", "sys/fs/lustre/llite"])
def test_folders_that_are_no_clients_are_passed_over(place, tmp_path, opened):
    Machine(tmp_path)
    put(tmp_path / place / "version" / "stats", lustre_text(read=(1, 1)))
    put(tmp_path / place / "x-xyz" / "stats", lustre_text(read=(1, 1)))
    source = opened(tmp_path)
    assert systems(source) == {} and "mounts" in source.lacks


def test_a_client_without_its_statistics_says_so(tmp_path, opened, caplog):
    machine = Machine(tmp_path)
    put(tmp_path / "sys/fs/lustre/llite" / ENTRY / "uuid", "x\n")
    machine.mount("lustre", "10.0.0.1@tcp:/scratch", "/scratch")
    source = opened(tmp_path)
    assert systems(source) == {"lustre:/scratch": {}} and not told(caplog)
    assert list(source.lacks) == ["scratch"] and "no statistics at " in source.lacks["scratch"]
