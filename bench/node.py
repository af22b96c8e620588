"""CPU time of colmet-node for each tick, beside that of 0.6.10, over 64 to 10,000 sleeping tasks in real cgroups.

Both run at their defaults (taskstats and procstats; ours also colmet and job), period 1 s, against our collector, which
acknowledges. They take turns: one is stopped (SIGSTOP) while the other is measured. Needs root and cgroup v1.
"""
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

from common import cpu, machine, old_programs, resident, say, show
import jobs
from old import OldProgram
from programs import Program, free_port, wait_for

SHAPES = ((1, 8, 8), (10, 10, 10), (50, 10, 10), (100, 10, 10))      # jobs, processes in each, threads in each
WINDOWS, TICKS = 3, 8                   # windows for each program, ticks in each; the period is 1 s
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


def window(program, other):
    """CPU time of `program` for one tick, in ms."""
    other.process.send_signal(signal.SIGSTOP)
    program.process.send_signal(signal.SIGCONT)
    time.sleep(SETTLE)
    before, begin = cpu(program.pid), time.monotonic()
    time.sleep(TICKS)
    return (cpu(program.pid) - before) / 1e6 / (time.monotonic() - begin)


def measure(shape, folder):
    """{"ours" or "0.6.10": (least ms, median ms, MiB)} with the tasks of `shape`."""
    uri = "tcp://127.0.0.1:%d" % free_port()
    collect = ["--zeromq-bind-uri", uri, "--hdf5-filepath", folder / "bench"]
    with jobs.Root() as root, Program("colmet.collector.main", collect, folder) as collector:
        fill(root, *shape)
        wait_for(lambda: uri in collector.errors(), 60, "start of the collector")
        arguments = ["--cpuset_rootpath", root.path, "-s", "1", "--zeromq-uri", uri]
        with Program("colmet.node.main", arguments, folder) as ours, \
                OldProgram(old_programs(), "colmet-node", arguments, folder) as old:
            time.sleep(3)
            spent = {"ours": [], "0.6.10": []}
            for _ in range(WINDOWS):
                spent["ours"].append(window(ours, old))
                spent["0.6.10"].append(window(old, ours))
            memory = {"ours": resident(ours.pid), "0.6.10": resident(old.pid)}
            ours.process.send_signal(signal.SIGCONT)
            ours.stop()
    return {name: (min(times), statistics.median(times), memory[name]) for name, times in spent.items()}


def main():
    """Measure all shapes, print the table and the slopes."""
    if jobs.lacking():
        sys.exit(jobs.lacking())
    rows, found = [], {}
    for shape in SHAPES:
        tasks = shape[0] * shape[1] * shape[2]
        say("%d tasks ..." % tasks)
        with tempfile.TemporaryDirectory(prefix="colmet-bench-") as folder:
            found[tasks] = measure(shape, Path(folder))
        ours, old = found[tasks]["ours"], found[tasks]["0.6.10"]
        rows.append([tasks, "%.2f / %.2f" % ours[:2], "%.2f / %.2f" % old[:2], "%.1f" % (old[0] / ours[0]),
                     "%.0f" % ours[2], "%.0f" % old[2]])
    print(machine())
    show("CPU ms a tick (least / median of %d windows of %d s), memory in MiB" % (WINDOWS, TICKS),
         ["tasks", "ours", "0.6.10", "times less", "RSS ours", "RSS 0.6.10"], rows)
    low, high = 1000, max(found)
    slopes = [[name] + ["%.2f" % ((found[high][name][which] - found[low][name][which]) * 1000 / (high - low))
                        for which in (0, 1)] for name in ("ours", "0.6.10")]
    show("Slope from %d to %d tasks, us a task and tick" % (low, high), ["", "of the least", "of the medians"], slopes)


if __name__ == "__main__":
    main()
