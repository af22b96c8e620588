"""The real colmet-node, from outside: what it sends, what it keeps, how it ends."""
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from colmet.common.metrics import TABLES
from colmet.node.capabilities import held
from e2e.collectors import Old
from e2e.programs import ALONE, Program, wait_for

pytest_plugins = ("senders",)


@pytest.fixture
def start(tmp_path):
    """Starts nodes with these arguments; they are killed after the test."""
    nodes = []

    def node(*arguments, period=0.2, **options):
        nodes.append(Program("colmet.node.main", [*ALONE, "--zeromq-uri", "ipc://%s/c" % tmp_path, "-s", period,
                                                  "--hostname", "node-1", *arguments], tmp_path, **options))
        return nodes[-1]
    yield node
    for each in nodes:
        each.__exit__()


@pytest.fixture
def child():
    """A process that does nothing."""
    process = subprocess.Popen(["sleep", "1000"])
    yield process
    process.kill()
    process.wait()


def ended(node, peer, sign=signal.SIGTERM):
    """The exit code after `sign`, while `peer` goes on answering."""
    os.kill(node.pid, sign)
    peer.serve(lambda: node.process.poll() is not None)
    return node.process.returncode


def rows(peer, name):
    """(batch, {metric: value}) of each row of the table `name` that came."""
    columns = [metric.name for metric in TABLES[name].metrics]
    for _, batch in peer.batches:
        for block in batch.blocks:
            if block.table.name == name:
                for row in block:
                    yield batch, row[0], row[1], dict(zip(columns, row[2:]))


def test_procstats_arrives_and_sigterm_ends_it_with_nothing_lost(start, native):
    peer = native()
    node = start()
    peer.serve(lambda: len(peer.batches) >= 4)
    assert ended(node, peer) == 0
    assert sorted(set(peer.sequences)) == list(range(1, max(peer.sequences) + 1))
    first = next(rows(peer, "procstats_default"))
    with open("/proc/meminfo") as file:
        assert first[3]["meminfo_memtotal"] == int(file.readline().split()[1])
    assert {batch.node for _, batch in peer.batches} == {"node-1"}
    assert "reached no collector" not in node.errors()


def test_the_first_batch_has_the_job(start, native, child):
    peer = native()
    node = start("-p", child.pid)
    peer.serve(lambda: peer.batches)
    batch = peer.batches[0][1]
    assert batch.sequence == 1 and batch.present() == [str(child.pid)]
    assert ended(node, peer, signal.SIGINT) == 0


def test_a_job_that_ends_gets_its_row(start, native, child):
    peer = native()
    node = start("-p", child.pid)
    peer.serve(lambda: len(peer.batches) >= 2)
    child.kill()
    child.wait()
    peer.serve(lambda: list(rows(peer, "job")))
    batch, place, _, values = next(rows(peer, "job"))
    assert batch.jobs[place] == {"job": str(child.pid), "gone": 1}
    assert values["first_sequence"] == 1 or os.geteuid() != 0        # without taskstats no row of it was made
    assert values["last_sequence"] == batch.sequence
    assert ended(node, peer) == 0


def test_ticks_are_aligned_on_the_wall_clock(start, native):
    peer, period = native(), 5 * 10 ** 8
    node = start(period=0.5)

    def times():            # by the wall clock; the first tick is out of turn
        batches = [batch for _, batch in peer.batches]
        offset = max(batch.time - batch.boottime for batch in batches)      # less where it paused between the two
        return [batch.boottime + offset for batch in batches[1:]]
    peer.serve(lambda: len(peer.batches) >= 5 and min(time % period for time in times()) < period // 2)
    assert ended(node, peer) == 0
    boundaries = [(time + 10 ** 6) // period for time in times()[:-1]]  # which passed last; clocks are slewed
    assert all(before < after for before, after in zip(boundaries, boundaries[1:]))


def test_kill_of_the_collector_loses_and_doubles_nothing_that_was_acknowledged(start, native):
    peer = native()
    node = start()
    peer.serve(lambda: len(peer.batches) >= 3)
    peer.acks = False
    peer.serve(lambda: len(peer.batches) >= 6)
    had = set(peer.received)
    peer.close()
    other = native(epoch=2)
    other.received = set(had)
    other.serve(lambda: len(other.batches) >= 6)
    assert ended(node, other) == 0
    assert not set(other.sequences) & had
    assert other.received == set(range(1, max(other.received) + 1))
    assert sorted(other.sequences) == sorted(set(other.sequences))


def test_batches_without_a_collector_are_kept_up_to_the_mark_and_counted(start, native):
    node = start("--zeromq-hwm", 3, period=0.1)
    wait_for(lambda: "the outbox is full" in node.errors(), 60, "full outbox")
    peer = native()
    peer.serve(lambda: len(peer.batches) >= 5)
    assert peer.hellos[0]["oldest"] > 1 and min(peer.sequences) >= peer.hellos[0]["oldest"]
    assert ended(node, peer) == 0
    own = [values for batch, _, string, values in rows(peer, "colmet") if batch.strings[string] == "node"]
    assert own[-1]["dropped_full"] >= 1
    assert "dropped because the outbox was full" in node.errors()


def test_sigterm_without_a_collector_ends_after_the_linger_and_counts_what_is_left(start):
    node = start("--zeromq-linger", 300)
    wait_for(lambda: "sends to" in node.errors(), 60, "start message")
    assert node.stop() == 0
    assert "unsent or unacknowledged at the end" in node.errors()


def test_a_second_signal_ends_a_flush_without_end(start):
    node = start("--zeromq-linger", -1)
    wait_for(lambda: "sends to" in node.errors(), 60, "start message")
    os.kill(node.pid, signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        node.process.wait(1)
    assert node.stop() == 0


def test_the_flush_at_the_end_reaches_a_collector_that_comes_late(start, native):
    node = start("--zeromq-linger", 60000)
    wait_for(lambda: "sends to" in node.errors(), 60, "start message")
    time.sleep(0.5)
    os.kill(node.pid, signal.SIGTERM)
    peer = native()
    peer.serve(lambda: node.process.poll() is not None)
    assert node.process.returncode == 0
    assert sorted(peer.sequences) == list(range(1, len(peer.sequences) + 1)) and len(peer.sequences) >= 2
    assert "reached no collector" not in node.errors()


def test_only_a_0_6_collector_gets_0_6_messages_and_it_is_said_once(start, tmp_path):
    node = start("--wire-timeout", 0.5)
    with Old("ipc://%s/c" % tmp_path) as old:
        old.serve(lambda: len(old.messages) >= 6)
        heads = {(record.table, record.node, record.job) for record in old.records()}
        assert heads == {("procstats_default", "node-1", 0)}
        times = [record.time for record in old.records()]
        assert times == sorted(times)       # what was kept came first, in order
        assert node.stop() == 0
    assert node.errors().count("a 0.6 collector, or a firewall") == 1


def test_the_0_6_wire_by_name(start, tmp_path):
    node = start("--wire", "0.6", "--profile", "0.6")
    with Old("ipc://%s/c" % tmp_path) as old:
        old.serve(lambda: len(old.messages) >= 3)
        assert node.stop() == 0
    assert "0.6 wire" in node.errors() and "Traceback" not in node.errors()


def test_sighup_reads_the_configuration_again(start, native, tmp_path):
    config = tmp_path / "colmet.ini"
    config.write_text("[colmet-node]\nenable-jobproc = no\n")
    peer = native()
    node = start("--config", config)
    peer.serve(lambda: peer.batches)
    config.write_text("[colmet-node]\ndisable-procstats = yes\nzeromq-hwm = 7\nreset-peak = yes\n"
                      "blkio-rule = yes\ntask-reader = proc\n")
    os.kill(node.pid, signal.SIGHUP)
    for option in ("zeromq-hwm", "reset-peak", "blkio-rule", "task-reader"):
        peer.serve(lambda: "--%s: its change needs a restart" % option in node.errors())
    assert node.errors().count("needs a restart") == 4
    peer.serve(lambda: "procstats_default" not in [block.table.name for block in peer.batches[-1][1].blocks])
    config.write_text("[colmet-node]\nsample-perod = 7\n")
    os.kill(node.pid, signal.SIGHUP)
    peer.serve(lambda: "no such option; did you mean sample-period?; everything stays as it was" in node.errors())
    assert ended(node, peer) == 0


def niceness(thread):
    """Of a thread, by its folder in /proc (proc(5), stat)."""
    return int((thread / "stat").read_text().rpartition(")")[2].split()[16])


@pytest.mark.parametrize("started, arguments, expected", [(0, (), -10), (0, ("--nice", 0), 0), (0, ("--nice", 3), 3),
                                                          (5, ("--nice", 3), 5)])
def test_the_thread_that_samples_and_no_other_has_its_niceness(start, native, started, arguments, expected):
    peer = native()
    node = start(*arguments, preexec_fn=lambda: os.nice(started))
    peer.serve(lambda: peer.batches)
    threads = {each.name: niceness(each) for each in Path("/proc", str(node.pid), "task").iterdir()}
    assert threads.pop(str(node.pid)) == (expected if expected >= 0 or "CAP_SYS_NICE" in held() else 0)
    assert threads and set(threads.values()) == {started}


def test_the_start_message_and_ready(start, native, tmp_path):
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    channel.bind(str(tmp_path / "notify"))
    channel.settimeout(60)
    node = start(env=dict(os.environ, NOTIFY_SOCKET=str(tmp_path / "notify"), LIB_RAPL_PATH="/opt/librapl.so"))
    assert channel.recv(100) == b"READY=1"
    wait_for(lambda: "sends to" in node.errors(), 60, "start message")
    lines = node.errors().splitlines()
    assert lines[0] == "colmet-node: LIB_RAPL_PATH: not needed any more: the built-in helper is used"
    [off] = [line for line in lines if line.startswith("off ") and line.endswith(": not enabled")]
    assert len(lines) <= 12 and "jobproc" in off
    peer = native()
    peer.serve(lambda: "acknowledged\n" in node.errors())       # not there at the start, said when it comes
    assert ended(node, peer) == 0
    channel.close()


@pytest.mark.root
def test_without_any_capability_it_runs_procstats_and_says_what_is_off(native, tmp_path):
    if not shutil.which("setpriv"):
        pytest.skip("needs setpriv of util-linux")
    peer = native()
    command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-m", "colmet.node.main",
               "-s", "0.2", "--zeromq-uri", "ipc://%s/c" % tmp_path]
    with open(tmp_path / "err", "wb") as err:
        process = subprocess.Popen(command, stderr=err, cwd=tmp_path)
    try:
        peer.serve(lambda: peer.batches or process.poll() is not None)
        assert "procstats_default" in [block.table.name for block in peer.batches[0][1].blocks]
        assert "taskstats by netlink: needs CAP_NET_ADMIN" in (tmp_path / "err").read_text()
        process.terminate()
        peer.serve(lambda: process.poll() is not None)
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()
