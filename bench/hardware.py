"""CPU time of a whole node with all sources of hardware on, on a made-up machine of 2 sockets and 128 CPUs.

The machine is ``tests/large_machine.py``; its sysfs is in memory. 8 jobs of 16 sleeping processes are in real cgroups,
that perf_event knows; period 5 s, our collector acknowledging. Beside it a program in Python reads the same files of
hardware with open and read, and the machine's CPUs, memory and the processes of the jobs with psutil, as often. Needs
root and cgroup v1.
"""
import json
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from common import cpu, machine, resident, say, show
import jobs
import large_machine
import perf_jobs
import stored
from node import fill
from programs import Program, free_port, wait_for

SHAPE = 8, 16, 1                    # jobs, processes in each, threads in each
PERIOD, TICKS, WINDOWS = 5, 3, 8    # s, ticks of a window: two minutes, in each of which all look for what is new
SETTLED = 25                        # s of a job from which on who asks for what it holds does so seldom
COUNTED = ["page_faults", "task_clock", "context_switches"]     # with more, files for all CPUs do not suffice here
OURS, PEER = "colmet-node", "Python and psutil"
MEMORY = "/dev/shm"
PLAIN = """
import json, psutil, sys, time
root, period, files, pids = json.loads(sys.argv[1])
psutil.PROCFS_PATH = root + "/proc"
processes = [psutil.Process(pid) for pid in pids]
while True:
    found = []
    for path in files:
        with open(path) as file:
            found.append(int(file.read()))
    found += [psutil.cpu_times(), psutil.cpu_times(percpu=True), psutil.virtual_memory(), psutil.swap_memory()]
    for process in processes:
        with process.oneshot():
            found += [process.cpu_times(), process.memory_info(), process.num_threads(), process.num_ctx_switches(),
                      process.io_counters()]
    time.sleep(period - (time.time() + period / 2) % period)        # between two samples of the node
"""


def jobs_of(folder, running):
    """A `jobs.Root` whose jobs, which do nothing, are in the hierarchy of perf_event too; [pid] of their processes."""
    running.enter_context(perf_jobs.counted("v1", folder))
    root = running.enter_context(jobs.Root())
    root.paths.append((perf_jobs.V1 if perf_jobs.V1.exists() else folder) / root.path.name)
    jobs.make(root.paths[-1])
    fill(root, *SHAPE)
    pids = [int(line) for job in root.jobs for line in (job.path / "cgroup.procs").read_text().split()]
    return root, pids


def spent(programs):
    """{name: [ms a tick]} of {name: program}."""
    found = {name: [] for name in programs}
    for _ in range(WINDOWS):
        before, begin = {name: cpu(program.pid) for name, program in programs.items()}, time.monotonic()
        time.sleep(PERIOD * TICKS)
        ticks = (time.monotonic() - begin) / PERIOD
        for name, program in programs.items():
            found[name].append((cpu(program.pid) - before[name]) / 1e6 / ticks)
    return found


def parts(path):
    """Rows [source, ms of CPU time a tick], as the node accounts for itself in these minutes."""
    found = {}
    for row in stored.rows(path, "0", "colmet"):
        found.setdefault(row["part"].decode(), []).append((row["cpu"], row["samples"]))
    last = {name: (rows[-1 - TICKS * WINDOWS:][0], rows[-1]) for name, rows in found.items() if name != "node"}
    return [[name, "%.2f" % ((end[0] - begin[0]) / 1e6 / (end[1] - begin[1]))]
            for name, (begin, end) in last.items() if end[1] > begin[1]]


def measure(folder, running):
    """({name: [ms a tick]}, MiB of the node, rows of its parts)."""
    root, pids = jobs_of(folder / "perf_event", running)
    environ = large_machine.make(folder / "machine")
    large_machine.show(folder / "machine", pids)
    uri, path = "tcp://127.0.0.1:%d" % free_port(), folder / "hardware.hdf5"
    collector = running.enter_context(Program("colmet.collector.main", ["--zeromq-bind-uri", uri, "--hdf5-filepath",
                                                                        path], folder))
    wait_for(lambda: uri in collector.errors(), 60, "start of the collector")
    node = running.enter_context(Program("colmet.node.main", [
        *large_machine.OPTIONS, "--perfhw-list", *COUNTED, "--root", folder / "machine", "--cpuset_rootpath",
        root.path, "-s", PERIOD, "--account-pins", "", "--zeromq-uri", uri], folder, env=environ,
        before=[*large_machine.ON, folder / "machine"]))
    wait_for(lambda: "sends to" in node.errors(), 60, "start of the node")
    what = json.dumps([str(folder / "machine"), PERIOD, large_machine.files(folder / "machine"), pids])
    peer = running.enter_context(subprocess.Popen([sys.executable, "-c", PLAIN, what]))
    running.callback(peer.kill)
    time.sleep(SETTLED)
    programs = {OURS: node, PEER: peer}
    if peer.poll() is not None:
        sys.exit("what is measured beside it ended: it needs psutil")
    found, memory = spent(programs), resident(node.pid)
    say(node.errors())
    assert node.stop() == 0 and collector.stop() == 0
    return found, memory, parts(path)


def main():
    """Measure, and print the tables."""
    if jobs.lacking():
        sys.exit(jobs.lacking())
    with tempfile.TemporaryDirectory(prefix="colmet-bench-", dir=MEMORY) as folder, ExitStack() as running:
        found, memory, rows = measure(Path(folder), running)
        print(machine())
        show("A node with %s on, period %d s, and what Python reads as often" % (
            ", ".join(large_machine.PARTS), PERIOD), ["", "ms a tick, least window / all", "% of one core"],
             [[name, "%.2f / %.2f" % (min(times), statistics.mean(times)),
               "%.3f" % (statistics.mean(times) / 10 / PERIOD)] for name, times in found.items()])
        show("Of it, the sources", ["source", "ms a tick"], rows)
        print("\n%.0f MiB of memory" % memory)


if __name__ == "__main__":
    main()
