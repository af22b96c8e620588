"""NFS: made-up mounts whose traffic is known, found back by the reader of the node."""
import time
from pathlib import Path

import pytest

from colmet.common.mounts import parse as parse_mounts
from colmet.common.wire import MAX_NAME
from colmet.node.backends import Unavailable
from colmet.node.filesystem import nfs
from mounts_tree import Machine, backend, nfs_lines, put, systems
from opened import opening

TRAFFIC = dict(opens=12, closes=11, sizes=(1000, 2000, 30, 40, 500, 600, 7, 8), READ=(5, 6, 1, 70, 0),
               WRITE=(4, 4, 0, 30, 2), GETATTR=(100, 100, 0, 200, 1), SEQUENCE=(9, 9, 0, 9, 0), COMMIT=(1, 1, 0, 1, 0))
VALUES = {"bytes_read": 1030, "bytes_written": 2040, "opens": 12, "closes": 11, "metadata": 100, "requests": 119,
          "request_time": 310 * 10 ** 6, "retransmissions": 1, "timeouts": 1, "errors": 3, "server_bytes_read": 500,
          "server_bytes_written": 600}


@pytest.fixture(name="opened")
def _opened():
    """opened(root) makes the source."""
    yield from opening(backend)


def known(row):
    """All of it but `since`."""
    return {metric: value for metric, value in row.items() if metric != "since"}


@pytest.mark.parametrize("kind", ["nfs", "nfs4"])
def test_what_a_mount_tells_is_found_back(kind, tmp_path, opened):
    machine = Machine(tmp_path)
    machine.nfs("server:/export", "/home", kind=kind, age=7968, **TRAFFIC)
    before = time.time_ns()
    source = opened(tmp_path)
    found = systems(source)["nfs:/home"]
    after = time.time_ns()
    told = dict(VALUES)
    if kind == "nfs4":
        del told["opens"]           # of which the kernel counts none
    assert not source.lacks and known(found) == told
    assert before <= found["since"] + 7968 * 10 ** 9 <= after


def test_what_a_real_kernel_told_is_found_back():
    """Its two mounts show one file system, which mountinfo would tell: so does, without it, the name of the server."""
    text = (Path(__file__).parent / "fixtures" / "guest-x86_64-6.1" / "proc" / "1" / "mountstats").read_bytes()
    [reading] = nfs.readings(text, [], 10 ** 18)
    assert (reading.place, reading.since) == ("/mnt/a folder", 10 ** 18 - 10 ** 9)
    assert reading.values == {
        "bytes_read": 15728640, "bytes_written": 15728640, "opens": None, "closes": 10, "metadata": 32, "requests": 282,
        "request_time": 7426 * 10 ** 6, "retransmissions": 0, "timeouts": 0, "errors": 1,
        "server_bytes_read": 15728640, "server_bytes_written": 15728640}


def test_since_stays_while_the_age_grows_and_moves_with_a_new_mount(tmp_path, opened):
    machine = Machine(tmp_path)
    machine.nfs("server:/export", "/home", age=1000, READ=(5, 5, 0, 1, 0))
    source = opened(tmp_path)
    since = systems(source)["nfs:/home"]["since"]
    machine.tell("/home", age=1001, READ=(6, 6, 0, 1, 0))
    assert systems(source)["nfs:/home"]["since"] == since
    machine.tell("/home", age=3, READ=(1, 1, 0, 1, 0))
    assert systems(source)["nfs:/home"]["since"] > since + 900 * 10 ** 9


def test_kernels_before_5_3_do_not_count_errors(tmp_path, opened):
    machine = Machine(tmp_path)
    machine.nfs("server:/export", "/home", statvers="1.0", **TRAFFIC)
    found = known(systems(opened(tmp_path))["nfs:/home"])
    assert found == {metric: value for metric, value in VALUES.items() if metric not in ("errors", "opens")}


def test_mounts_that_show_the_same_file_system_are_one(tmp_path, opened):
    machine = Machine(tmp_path)
    device = machine.nfs("server:/export", "/home", **TRAFFIC)
    machine.nfs("server:/export", "/var/lib/bound", device=device, **TRAFFIC)
    machine.nfs("server:/other", "/opt", closes=3)
    machine.nfs("server:/over", "/opt", closes=4)            # hides the one before
    found = systems(opened(tmp_path))
    assert {name: row["closes"] for name, row in found.items()} == {"nfs:/home": 11, "nfs:/opt": 3, "nfs:/opt 2": 4}


def test_what_is_unmounted_goes_and_what_is_mounted_comes(tmp_path, opened):
    machine = Machine(tmp_path)
    source = opened(tmp_path)
    assert "are measured as soon as they are" in source.lacks["mounts"] and systems(source) == {}
    machine.nfs("server:/export", "/home", closes=1)
    machine.nfs("server:/export2", "/home2", closes=2)
    assert {name: row["closes"] for name, row in systems(source).items()} == {"nfs:/home": 1, "nfs:/home2": 2}
    machine.unmount("/home")
    assert {name: row["closes"] for name, row in systems(source).items()} == {"nfs:/home2": 2}
    machine.nfs("server:/export", "/home", closes=0)
    assert {name: row["closes"] for name, row in systems(source).items()} == {"nfs:/home2": 2, "nfs:/home": 0}


@pytest.mark.parametrize("point, name", [
    ("/with blank", "nfs:/with blank"), ("/tab\tand\nline", "nfs:/tab?and?line"), ("/back\\slash", "nfs:/back\\slash"),
    ("/x mounted on /y with fstype nfs", "nfs:/x mounted on /y with fstype nfs"),
    ("/\ndevice a:/b mounted on /c with fstype nfs4 statvers=1.1", "nfs:/?device a:/b mounted on /c with fstype nfs4 "
     "statvers=1.1"), ("/#hash", "nfs:/#hash"), ("/\x1b[31m", "nfs:/?[31m")])
def test_names_are_what_they_are_and_look_like_nothing_else(point, name, tmp_path, opened):
    machine = Machine(tmp_path)
    machine.nfs("evil host:/\nage: 5\\", point, closes=1)
    machine.nfs("server:/export", "/home", closes=2)
    assert {found: row["closes"] for found, row in systems(opened(tmp_path)).items()} == {name: 1, "nfs:/home": 2}


def test_long_names_fit_the_wire_and_stay_apart(tmp_path, opened):
    machine = Machine(tmp_path)
    for number in range(3):
        machine.nfs("server:/%d" % number, "/" + "\U0001f525" * 200 + str(number), closes=number)
    found = systems(opened(tmp_path))
    assert sorted(row["closes"] for row in found.values()) == [0, 1, 2]
    assert all(len(name.encode()) <= MAX_NAME for name in found)


@pytest.mark.parametrize("old, new", [
    ("events:\t", "events:\tx "), ("bytes:\t", "bytes:\t-1 "), ("age:\t", "age:\t" + "9" * 30), ("\tper-op", "per-op"),
    ("READ: 5 ", "READ: N/A "), ("READ: ", "READ " * 1000)])
def test_lines_that_are_odd_cost_nothing_else(old, new):
    text = ("device s:/e mounted on /home with fstype nfs" + nfs_lines(**TRAFFIC)).replace(old, new, 1).encode()
    text += ("device s:/f mounted on /opt with fstype nfs" + nfs_lines(**TRAFFIC)).encode()
    found = nfs.readings(text, [])
    assert [reading.place for reading in found] == ["/home", "/opt"] and found[1].values == VALUES
    wrong = {metric: value for metric, value in found[0].values.items() if value != VALUES[metric]}
    assert len(wrong) <= 6 and all(value is None or 0 <= value < VALUES[metric] for metric, value in wrong.items())


def test_many_mounts_are_read_whole():
    lines = nfs_lines(**TRAFFIC)
    text = "".join("device s:/%d mounted on /m%d with fstype nfs%s" % (number, number, lines)
                   for number in range(2000))
    mounts = parse_mounts("".join("%d 1 0:%d / /m%d rw - nfs4 s:/%d rw\n" % ((number,) * 4) for number in range(2000)))
    found = nfs.readings(text.encode(), mounts)
    assert len(found) == 2000 and all(reading.values == VALUES for reading in found)


def test_a_machine_whose_first_process_may_not_be_looked_at_has_the_mounts_of_the_node(tmp_path, opened):
    machine = Machine(tmp_path)
    machine.nfs("server:/export", "/home", closes=1)
    (tmp_path / "proc" / "1").rename(tmp_path / "proc" / "self")
    assert systems(opened(tmp_path))["nfs:/home"]["closes"] == 1


def test_mountstats_that_fails_later_is_missing_and_told_once(tmp_path, opened, caplog):
    machine = Machine(tmp_path)
    machine.nfs("server:/export", "/home", closes=1)
    source = opened(tmp_path)
    path = tmp_path / "proc/1/mountstats"
    text = path.read_text()
    path.unlink()
    assert systems(source) == systems(source) == {}
    assert [record.getMessage() for record in caplog.records] == [
        "filesystem: %s: no such file or directory; NFS is missing until it can be read" % path]
    put(path, text)
    assert systems(source)["nfs:/home"]["closes"] == 1


def test_without_mountstats_there_is_no_source(tmp_path):
    with pytest.raises(Unavailable) as error:
        backend(tmp_path)
    assert "proc/1/mountstats" in str(error.value) and "; mount proc there" in str(error.value)
