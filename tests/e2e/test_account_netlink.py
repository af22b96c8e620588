"""The account of jobs by netlink against BPF, against what was started and what the kernel says that it dropped."""
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from accounts import COUNTERS, TOTALS, check_netlink, found, total
from bombs import compiled, explode
from colmet.node.account import netlink
from colmet.node.cgroup.hierarchies import usual
from colmet.node.backends import taskstats
from colmet.node.jobs.job import Job
from loads import descriptors
from programs import wait_for
from workload import load

pytest_plugins = ("harness",)
pytestmark = [pytest.mark.root, pytest.mark.xdist_group("bombs")]    # two at once are more than netlink bears
ENTRY = 100_000_000                 # ns that the shells used before they entered, which BPF takes off
STRAY = 0.001                       # of what ended
SHORT = 2.0                         # s
FORKS = """
import os, sys, threading
for _ in range(int(sys.argv[1])):
    child = os.fork()
    if child == 0:
        bytearray(3 << 20)
        os.read(os.open("/dev/zero", os.O_RDONLY), 12345)
        thread = threading.Thread(target=lambda: None)
        thread.start()
        thread.join()
        os._exit(0)
    os.waitpid(child, 0)
"""
DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.close(1)
        time.sleep(0.3)
        os._exit(0)
    os._exit(0)
os.wait()
"""


@pytest.fixture(name="open_source")
def _open_source(root):
    """open_source("netlink") opens the source with that reader, which has read no job yet."""
    opened = []

    def open_source(reader):
        options = SimpleNamespace(tables=None, task_reader=reader, cpuset_rootpath=[str(root.path)], scheduler="none",
                                  rule=(), account_pins="")
        opened.append(taskstats.Backend(Path("/"), options))
        opened[-1].sample([])
        return opened[-1]
    yield open_source
    for source in opened:
        source.close()


def python(job, text, *words):
    """Run and await `text` in `job`."""
    assert job.run(sys.executable, "-S", "-E", "-c", text, *words).wait() == 0


def test_it_says_what_bpf_says_up_to_what_the_kernel_rounds(root, open_source, tmp_path):
    bpf, netlink = open_source("bpf"), open_source("netlink")
    made = root.job(1)
    job = found(made)
    for source in (bpf, netlink):
        total(source, job)
    python(made, FORKS, 50)
    with load(made, tmp_path, 0.3, 1 << 22, 3 << 20, 2 << 20, 500, 4):
        ours, theirs = total(netlink, job), total(bpf, job)
    assert ours["since"] == theirs["since"]
    check_netlink(ours, theirs, ENTRY)
    assert 3 << 20 < ours["peak_rss"] <= theirs["peak_rss"] + (1 << 20)
    assert ours["processes_ended"] == 51 and ours["tasks_ended"] == 101 and ours["tasks"] == 4


def check_ended(seen, ended):
    """That the row `seen` by netlink has the `ended` processes of a job, all started. At this rate the kernel's numbers
    of processes come round in 2 s: another process of the machine may have had one a moment before, and its end be
    taken for one of the job's, or the other way round."""
    assert seen["processes_ended"] == seen["processes_started"]
    assert abs(seen["processes_ended"] - ended) <= ended * STRAY, (seen, ended)


def test_of_20000_short_processes_each_is_counted_once_and_no_counter_goes_back(root, open_source, tmp_path):
    source, made = open_source("netlink"), root.job(2)
    job, before = found(made), []

    def look():
        now = total(source, job)
        if before:
            assert [name for name in COUNTERS if now[name] is not None and now[name] < before[-1][name]] == []
        before.append(now)

    look()
    program, ended = compiled(tmp_path), 0
    while ended < 20000:
        ended += explode(made, program, SHORT, rate=20000, meanwhile=look)[0]
        look()
        check_ended(before[-1], ended)
        assert before[-1]["exits_lost"] == before[-1]["tasks"] == 0


def test_at_20000_ends_a_second_each_is_counted_and_none_lost(root, open_source, tmp_path):
    both, made = [open_source(reader) for reader in ("bpf", "netlink")], root.job(11)
    job = found(made)
    for source in both:
        total(source, job)
    ended, _ = explode(made, compiled(tmp_path), 2 * SHORT, rate=20000)
    for source in both:
        seen = total(source, job)
        assert seen["exits_lost"] == 0
        if source.reader == "bpf":
            assert seen["processes_ended"] == seen["processes_started"] == ended
        else:
            check_ended(seen, ended)


def test_without_the_proc_connector_parents_tell(root, tmp_path):
    made, listener = root.job(12), netlink.Listener(usual(), forks=False)
    job = found(made)
    listener.read([job])
    ended, _ = explode(made, compiled(tmp_path), SHORT, rate=3000, meanwhile=lambda: listener.read([job]))
    counted = listener.read([job])[job][1][TOTALS.index("processes_ended")]
    dropped, unattributed = listener.dropped, listener.unattributed
    listener.close()
    assert dropped == 0 and counted <= ended <= counted + unattributed and counted > ended * 0.9


def test_what_there_was_no_room_for_is_counted(root, tmp_path):
    made, device = root.job(3), usual()
    job, listener = found(made), netlink.Listener(usual(), 100000)
    listener.read([job])
    forks = forked()
    ended, _ = explode(made, compiled(tmp_path), SHORT)
    others = forked() - forks - ended
    counted = listener.read([job])[job][1][TOTALS.index("processes_ended")]
    lost = listener.dropped
    listener.close()
    assert device == listener.device and counted < ended
    assert ended - counted <= lost <= ended - counted + others + 100     # ends of others too; threads of theirs


def forked():
    """Processes and threads that began on this machine."""
    [line] = [line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("processes ")]
    return int(line.split()[1])


def test_the_number_lost_is_the_one_of_proc_net_netlink(root, tmp_path):
    listener = netlink.Listener(usual(), 100000)
    inodes = {os.readlink("/proc/self/fd/" + name).rpartition("[")[2].rstrip("]")
              for name in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + name)}
    explode(root.job(4), compiled(tmp_path), SHORT)

    def same():
        before = listener.dropped
        lines = [line.split() for line in Path("/proc/net/netlink").read_text().splitlines()[1:]]
        told = [int(words[8]) for words in lines if words[1] == "16" and words[9] in inodes]
        return before == listener.dropped and sum(told) == before > 0
    wait_for(same, 30, "the two to agree")
    listener.close()


def test_a_process_that_leaves_its_parents_stays_in_the_account(root, open_source):
    source, made = open_source("netlink"), root.job(5)
    job = found(made)
    total(source, job)
    python(made, DAEMON)
    wait_for(lambda: not made.tasks(), 30, "end of the daemon")
    wait_for(lambda: total(source, job)["processes_ended"] == 3, 30, "its end to be counted")
    assert total(source, job)["processes_started"] == 3


def test_one_that_ended_and_is_not_waited_for_is_not_counted_twice(root, open_source):
    source, made = open_source("netlink"), root.job(6)
    job = found(made)
    total(source, job)
    process = made.run(sys.executable, "-S", "-E", "-c", "import os, time; os.fork() and time.sleep(1000)")
    wait_for(lambda: total(source, job)["processes_ended"] == 1, 30, "end of the child")
    for _ in range(5):
        seen = total(source, job)
        assert (seen["processes_started"], seen["processes_ended"], seen["processes"]) == (2, 1, 1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert total(source, job)["processes_ended"] == 2


def test_of_a_job_that_was_here_before_it_counts_from_the_first_look(root, open_source, tmp_path):
    made = root.job(7)
    job = found(made)
    with load(made, tmp_path, 0.2, pages=3000) as process:
        late = open_source("netlink")
        first = total(late, job)
        assert first["tasks"] == first["tasks_started"] == 1 and first["runtime"] == first["minflt"] == 0
        process.stdin.write(b"x")
    last = total(late, job)
    assert last["processes_ended"] == 1 and last["since"] == first["since"] > job.start and last["minflt"] < 3000


def test_a_job_that_ended_has_a_last_row_and_its_number_goes_to_a_new_one(root, open_source):
    source, made = open_source("netlink"), root.job(8)
    job = found(made)
    total(source, job)
    python(made, FORKS, 3)
    made.remove()
    assert total(source)["processes_ended"] == 4
    assert source.sample([])["account"] == []
    assert total(source, found(root.job(9)))["processes_started"] == 0


def test_jobs_by_number_have_what_lives(root, open_source):
    source, made = open_source("netlink"), root.job(10)
    process = made.run("sleep", "1000")
    by_number = Job("1")
    by_number.parts = (SimpleNamespace(directories=(), tasks=lambda: [process.pid]),)
    wait_for(made.tasks, 30, "the process to enter")
    rows = source.sample([found(made), by_number])
    assert [job.id for job, _, _ in rows["taskstats_default"]] == ["10", "1"]
    assert [job.id for job, _, _ in rows["account"]] == ["10"]


def test_listeners_come_and_go_without_a_trace():
    before = descriptors(), len(os.listdir("/proc/self/task"))
    for _ in range(5):
        netlink.Listener(usual()).close()
    assert (descriptors(), len(os.listdir("/proc/self/task"))) == before
