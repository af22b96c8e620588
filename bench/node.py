"""CPU time of colmet-node for each tick, beside that of 0.6.10, over 64 to 10,000 sleeping tasks in real cgroups.

Period 1 s, against our collector, which acknowledges. 0.6.10 is at its defaults, taskstats and procstats; ours once
with the same tables (--profile 0.6), once at its own defaults, which are more. They take turns: two are stopped
(SIGSTOP) while the third is measured. Needs root and cgroup v1.
"""
import signal
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from common import cpu, machine, old_programs, resident, say, show
import jobs
from old import OldProgram
from programs import Program, free_port, wait_for

SHAPES = ((1, 8, 8), (10, 10, 10), (50, 10, 10), (100, 10, 10))      # jobs, processes in each, threads in each
WINDOWS, TICKS = 3, 8                   # windows for each program, ticks in each; the period is 1 s
SAME, OLD = "ours, tables of 0.6", "0.6.10"
NODES = {SAME: ["--profile", "0.6"], "ours, defaults": [], OLD: []}       # what each is told
SETTLE = 2.5                            # s for a program that goes on after its stop
SLEEPERS = """
import os, signal, sys, threading
for _ in range(int(sys.argv[1]) - 1):
    if os.fork() == 0:
        break
threading.stack_size(65536)
for _ in range(int(sys.argv[2]) - 1):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
signal.pause()
"""


def fill(root, count, processes, threads):
    """`count` jobs of sleeping tasks; returns when all tasks are there."""
    made = [root.job(1000 + number) for number in range(count)]
    for job in made:
        job.run(sys.executable, "-S", "-E", "-c", SLEEPERS, processes, threads)
    wait_for(lambda: sum(len(job.tasks()) for job in made) == count * processes * threads, 300, "all tasks")


def window(program, others):
    """CPU time of `program` for one tick, in ms."""
    for other in others:
        other.process.send_signal(signal.SIGSTOP)
    program.process.send_signal(signal.SIGCONT)
    time.sleep(SETTLE)
    before, begin = cpu(program.pid), time.monotonic()
    time.sleep(TICKS)
    return (cpu(program.pid) - before) / 1e6 / (time.monotonic() - begin)


def measure(shape, folder):
    """{name of `NODES`: (least ms, median ms, MiB)} with the tasks of `shape`."""
    uri = "tcp://127.0.0.1:%d" % free_port()
    collect = ["--zeromq-bind-uri", uri, "--hdf5-filepath", folder / "bench"]
    with ExitStack() as running:
        root = running.enter_context(jobs.Root())
        collector = running.enter_context(Program("colmet.collector.main", collect, folder))
        fill(root, *shape)
        wait_for(lambda: uri in collector.errors(), 60, "start of the collector")
        arguments = ["--cpuset_rootpath", root.path, "-s", "1", "--zeromq-uri", uri]
        nodes = {name: running.enter_context(
            OldProgram(old_programs(), "colmet-node", arguments, folder) if name == OLD
            else Program("colmet.node.main", arguments + more, folder)) for name, more in NODES.items()}
        time.sleep(3)
        spent = {name: [] for name in nodes}
        for _ in range(WINDOWS):
            for name, node in nodes.items():
                spent[name].append(window(node, [other for other in nodes.values() if other is not node]))
        memory = {name: resident(node.pid) for name, node in nodes.items()}
        for node in nodes.values():
            node.process.send_signal(signal.SIGCONT)
    return {name: (min(times), statistics.median(times), memory[name]) for name, times in spent.items()}


def main():
    """Measure all shapes, print the tables and the slopes."""
    if jobs.lacking():
        sys.exit(jobs.lacking())
    rows, memory, found = [], [], {}
    for shape in SHAPES:
        tasks = shape[0] * shape[1] * shape[2]
        say("%d tasks ..." % tasks)
        with tempfile.TemporaryDirectory(prefix="colmet-bench-") as folder:
            found[tasks] = measure(shape, Path(folder))
        made = found[tasks]
        rows.append([tasks] + ["%.2f / %.2f" % made[name][:2] for name in NODES]
                    + ["%.1f" % (made[OLD][0] / made[SAME][0])])
        memory.append([tasks] + ["%.0f" % made[name][2] for name in NODES])
    print(machine())
    show("CPU ms a tick (least / median of %d windows of %d s)" % (WINDOWS, TICKS),
         ["tasks", *NODES, "0.6.10 / tables of 0.6"], rows)
    low, high = 1000, max(found)
    slopes = [[name] + ["%.2f" % ((found[high][name][which] - found[low][name][which]) * 1000 / (high - low))
                        for which in (0, 1)] for name in NODES]
    show("Slope from %d to %d tasks, us a task and tick" % (low, high), ["", "of the least", "of the medians"], slopes)
    show("Resident memory, MiB", ["tasks", *NODES], memory)


if __name__ == "__main__":
    main()
