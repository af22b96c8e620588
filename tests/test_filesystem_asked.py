"""GPFS and BeeGFS: stand-ins for the programs that are asked, with known answers, odd answers, and none."""
import os
import signal
import subprocess
import threading

import pytest

from colmet.common.mounts import Mount
from colmet.node.filesystem import beegfs, gpfs
from colmet.node.filesystem.asked import Asked
from colmet.node.filesystem.command import MOST, Command, Failed
from mounts_tree import Machine, backend, gpfs_line, program, put, swap, systems
from opened import opening, told
from programs import wait_for

WORK = dict(read=6291456, written=314572800, opens=10, closes=16, reads=101, writes=300, listings=7, inodes=2)
VALUES = dict(bytes_read=6291456, bytes_written=314572800, opens=10, closes=16, reads=101, writes=300, metadata=35)
ANSWER = "cat >/dev/null; cat %s\n"
FIB = "Local:\n  |-- 10.1.0.12\n     /32 host LOCAL\n  |-- 10.1.0.255\n     /32 link BROADCAST\n"
CLIENTS = """
====== 0 s ======
Sum:        1200 [sum]  20 [ops-rd]  80 [MiB-rd/s]  9 [ops-wr]  70 [MiB-wr/s]
10.1.0.12    600 [sum]  10 [ops-rd]  40 [MiB-rd/s]  5 [ops-wr]  30 [MiB-wr/s]
10.1.0.13    600 [sum]  10 [ops-rd]  40 [MiB-rd/s]  4 [ops-wr]  40 [MiB-wr/s]
====== 10 s ======
Sum:           5 [sum]   5 [ops-rd]   5 [MiB-rd/s]
10.1.0.12      5 [sum]   5 [ops-rd]   5 [MiB-rd/s]
"""
META = "Sum: 99 [sum] 90 [open]\n10.1.0.12  12 [sum]  2 [ack]  6 [open]  4 [stat]\n10.1.0.1 7 [sum] 7 [stat]\n"


@pytest.fixture(name="opened")
def _opened():
    """opened(root) makes the source."""
    yield from opening(backend)


def test_gpfs_is_found_back_and_moves(tmp_path, opened):
    machine, answer = Machine(tmp_path), tmp_path / "answer"
    machine.gpfs(ANSWER % answer)
    machine.mount("gpfs", "work", "/gpfs/work")
    machine.mount("gpfs", "/dev/home", "/home")
    swap(answer, gpfs_line("work", **WORK) + gpfs_line("home", 1, 2) + gpfs_line("gone", 3, 4))
    source = opened(tmp_path)
    assert not source.lacks
    wait_for(lambda: systems(source), 60, "the first answer")
    found = systems(source)
    assert set(found) == {"gpfs:/gpfs/work", "gpfs:/home", "gpfs:gone"} and found["gpfs:/gpfs/work"] == VALUES
    swap(answer, gpfs_line("work", **dict(WORK, read=7000000)))
    wait_for(lambda: systems(source) == {"gpfs:/gpfs/work": dict(VALUES, bytes_read=7000000)}, 60, "the next answer")
    swap(answer, gpfs_line("work", 0, 0))            # mmfsd was started anew
    wait_for(lambda: "since" in systems(source).get("gpfs:/gpfs/work", {}), 60, "a new beginning")
    machine.unmount("/gpfs/work")
    machine.unmount("/home")
    assert systems(source) == {}


def test_mmpmon_is_given_its_question_and_no_shell_sees_it(tmp_path, opened):
    machine, seen = Machine(tmp_path), tmp_path / "seen"
    machine.gpfs('echo "$# $*" > %s.new; cat >> %s.new; mv %s.new %s\n' % ((seen,) * 4))
    machine.mount("gpfs", "work", "/gpfs/work")
    source = opened(tmp_path)
    wait_for(lambda: systems(source) == {} and seen.exists(), 60, "the question")
    assert seen.read_text() == "2 -p -s\nfs_io_s\n"


@pytest.mark.parametrize("text, names", [
    ("", []), ("\n \n", []), ("_fs_io_s_", []), ("_fs_io_s_ _rc_ 0", []), ("mmpmon: not root\n", []),
    (gpfs_line("a", 1, 1, code=1), []), ("_io_s_" + gpfs_line("a", 1, 1)[9:], []), ("\xff\x00\n", []),
    (gpfs_line("a", 1, 1).replace("_br_ 1", "_br_ x"), ["a"]), (gpfs_line("a" * 999, 1, 1), ["a" * 999])])
def test_odd_answers_of_mmpmon_cost_what_they_do_not_tell(text, names):
    found = gpfs.readings((text + gpfs_line("whole", 5, 6)).encode("utf-8", "replace"), [])
    if text.endswith("\n") or not text:
        assert [reading.place for reading in found] == names + ["whole"] and found[-1].values["bytes_read"] == 5
    for reading in found[:-1]:
        assert all(value is None or value in (0, 1) for value in reading.values.values())


def test_a_program_that_hangs_delays_nothing_and_is_ended_with_its_children(tmp_path, caplog):
    """The children would write on, and hold the answer open."""
    pids, command = tmp_path / "pids", Command(seconds=0.5)
    path = Machine(tmp_path).gpfs("sleep 600 & echo $$ $! > %s.new; mv %s.new %s; wait\n" % ((pids,) * 3))
    monitor = gpfs.Monitor(tmp_path, command)
    asked = Asked([monitor], command)
    mounts = [Mount("gpfs", 1, "/gpfs", "/", (), "work")]
    wait_for(lambda: asked.latest(mounts) == [] and told(caplog) and pids.exists(), 60, "the deadline")
    assert told(caplog) == ["gpfs: %s did not answer within 0.5 s; its file systems are missing until it answers"
                            % path]
    first = list(map(int, pids.read_text().split()))
    asked.stop()
    wait_for(lambda: not any(map(alive, first + list(map(int, pids.read_text().split())))), 60, "the end of all")


def test_what_ends_with_the_node_is_no_fault(tmp_path, caplog):
    runs, command = tmp_path / "runs", Command(seconds=600)
    Machine(tmp_path).gpfs("touch %s; exec sleep 600\n" % runs)
    asked = Asked([gpfs.Monitor(tmp_path, command)], command)
    mounts = [Mount("gpfs", 1, "/gpfs", "/", (), "work")]
    wait_for(lambda: asked.latest(mounts) == [] and runs.exists(), 60, "the start")
    asked.stop()
    wait_for(lambda: "filesystem" not in [each.name for each in threading.enumerate()], 60, "the end of the thread")
    assert told(caplog) == []


def test_the_end_of_the_node_ends_what_is_asked(tmp_path):
    pids, command = tmp_path / "pids", Command(seconds=600)
    path, ends = tmp_path / "hangs", []
    program(path, "sleep 600 & echo $$ $! > %s.new; mv %s.new %s; wait\n" % ((pids,) * 3))

    def ask():
        with pytest.raises(Failed):
            command.ask([str(path)])
        ends.append(1)
    thread = threading.Thread(target=ask)
    thread.start()
    wait_for(pids.exists, 60, "the program")
    command.stop()
    thread.join(60)
    assert ends and not thread.is_alive()
    wait_for(lambda: not any(map(alive, map(int, pids.read_text().split()))), 60, "the end of all")
    with pytest.raises(Failed):
        command.ask([str(path)])


def alive(pid):
    """Whether the process runs."""
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rpartition(") ")[2][0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("script, said", [
    ("echo you must be root; exit 3", "ended with 3: you must be root"), ("exit 3", "ended with 3: it says nothing"),
    ("kill -9 $$", "ended with -9"), ("head -c %d /dev/zero" % (MOST + 9), "answers more than"),
    ("yes", "answers more than")])
def test_a_program_that_fails_says_how(script, said, tmp_path):
    program(tmp_path / "asked", script + "\n")
    with pytest.raises(Failed) as failed:
        Command(60).ask([str(tmp_path / "asked")], b"a question\n")
    assert str(failed.value).startswith("%s %s" % (tmp_path / "asked", said))


def test_a_program_that_is_not_there_is_said_at_the_start(tmp_path, opened, caplog):
    Machine(tmp_path).mount("gpfs", "work", "/gpfs/work")
    source = opened(tmp_path)
    assert source.lacks == {"gpfs": "no %s/usr/lpp/mmfs/bin/mmpmon; install the package gpfs.base" % tmp_path}
    wait_for(lambda: systems(source) == {} and told(caplog), 60, "the fault")
    assert told(caplog) == ["gpfs: %s/usr/lpp/mmfs/bin/mmpmon: no such file or directory; its file systems are missing "
                            "until it answers" % tmp_path]


def test_beegfs_is_asked_only_where_that_is_wanted(tmp_path, opened):
    machine, seen = Machine(tmp_path), tmp_path / "seen"
    machine.mount("beegfs", "beegfs_nodev", "/mnt/my bee")
    assert opened(tmp_path).lacks == {"beegfs": beegfs.NOT_ASKED}
    put(tmp_path / "proc/net/fib_trie", FIB)
    put(tmp_path / "storage", CLIENTS)
    put(tmp_path / "meta", META)
    ctl = tmp_path / "beegfs-ctl"
    program(ctl, 'echo "$#$4$1" >> %s; cat %s/${2#--nodetype=}\n' % (seen, tmp_path))
    source = opened(tmp_path, str(ctl))
    wait_for(lambda: systems(source), 60, "the first answer")
    for _ in range(3):                      # it is not asked again
        assert systems(source) == {"beegfs:/mnt/my bee": {
            "requests": 612, "metadata": 10, "server_bytes_read": 40 << 20, "server_bytes_written": 30 << 20}}
    assert seen.read_text() == "4--mount=/mnt/my bee--clientstats\n" * 2


@pytest.mark.parametrize("text", [
    "", "Sum:\n", "10.1.0.12 5 [sum]\n", "Sum: 5 [sum]\n10.1.0.12 x [sum] 5 sum -\n",
    "Sum: 5 [sum]\n10.1.0.120 5 [sum]\n", "Sum: 1 [sum]\n10.1.0.12 %s [sum]\n" % ("9" * 99)])
def test_odd_answers_of_beegfs_ctl_have_nothing_of_this_node(text):
    found = beegfs.parse(text.encode(), {"10.1.0.12"})
    assert not found or set(found) == {"sum"} and found["sum"] < 10 ** 18


def test_a_machine_knows_its_addresses(tmp_path):
    put(tmp_path / "proc/net/fib_trie", FIB * 2)
    assert beegfs.local(tmp_path) == {"10.1.0.12"}
    with pytest.raises(Failed):
        beegfs.local(tmp_path / "absent")
