"""The cost of the account: for each live task, each that ends and each job, by each reader; beside 0.6.10 and psutil.

    account.py [PART...]        live, ends, node, spawn-bpf or spawn-netlink; all of them without

live, ends: own CPU time of the sources, sampled in this process over sleeping tasks in real cgroups and over processes
that end, with what the programs in the kernel took by its own meter (kernel.bpf_stats_enabled). node: a whole node at
its defaults. spawn: a loop of fork and exec in a job with a whole node beside it and without, in turns. Needs root and
cgroup v1.
"""
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from types import SimpleNamespace

from common import cpu, machine, old_programs, say, show
import accounts
import bombs
import jobs
from node import fill
from old import OldProgram
from programs import Program, free_port, wait_for

from colmet.common.metrics import account
from colmet.node.backends import Unavailable, cgroup, jobproc, taskstats
from colmet.node.cgroup.counters import Counters

JOBS, SMALL, LARGE = 50, (1, 1), (10, 10)       # processes of a job, threads of each
SAMPLES, OLD_TICKS = 15, 10
SECONDS, RATE = 20, 20000                       # of ends of processes; RATE a second, if the machine bears it
ROUNDS, SPAWNS = 20, 400
MEDIAN_OF_20 = slice(5, 15)                     # of sorted values: it is between these, with 95 % (binomial)
PERIOD, TICKS = 5, 8
RUN_BY_CALL = "31"                              # BPF_PROG_TYPE_SYSCALL of linux/bpf.h
METER = Path("/proc/sys/kernel/bpf_stats_enabled")
ENDED = [metric.name for metric in account.TABLE.metrics].index("processes_ended")
LOST = [metric.name for metric in account.TABLE.metrics].index("exits_lost")
LOOP = """
import os, sys, time
begin = time.monotonic()
for _ in range(int(sys.argv[1])):
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
print(time.monotonic() - begin)
"""


@contextmanager
def metered():
    """The kernel measures the time of BPF programs."""
    before = METER.read_text()
    METER.write_text("1")
    try:
        yield
    finally:
        METER.write_text(before)


def in_kernel(pid="self"):
    """ns that the BPF programs took of which a process has descriptors, those left out that it runs itself."""
    found = {}
    for each in Path("/proc/%s/fdinfo" % pid).iterdir():
        try:
            fields = dict(line.split(":\t", 1) for line in each.read_text().splitlines() if ":\t" in line)
        except FileNotFoundError:
            continue
        if "run_time_ns" in fields and fields["prog_type"] != RUN_BY_CALL:
            found[fields["prog_id"]] = int(fields["run_time_ns"])
    return sum(found.values())


def options(root, reader):
    """What the sources are told."""
    return SimpleNamespace(tables=None, task_reader=reader, cpuset_rootpath=[str(root.path)], scheduler="none", rule=(),
                           account_pins="", blkio_rule=False, reset_peak=False)


def found(root):
    """The jobs below `root` as a node finds them."""
    return [accounts.found(job) for job in root.jobs]


def sources(root):
    """{name: a function that makes what samples}."""
    def of(module, reader=""):
        return lambda: module.Backend(Path("/"), options(root, reader))
    return {"table cgroup": of(cgroup), "account by bpf": of(taskstats, "bpf"),
            "account by netlink": of(taskstats, "netlink"), "live tasks by proc": of(taskstats, "proc"),
            "jobproc by bpf": of(jobproc, "bpf"), "jobproc by proc": of(jobproc, "proc")}


def sampled(make, all_jobs):
    """Median CPU time of a sample in us; None where this machine refuses. What one source of a node read already in
    that tick, the counters of cgroups, costs the others nothing."""
    try:
        backend = make()
    except Unavailable:
        return None
    if getattr(backend, "refused", {}):
        backend.close()
        return None             # it would read in the way that comes next
    shared = None if isinstance(backend, cgroup.Backend) else Counters(Path("/"))
    spent = []
    for _ in range(SAMPLES + 2):
        with shared.tick(all_jobs) if shared else nullcontext():
            if shared:
                backend.counters = shared
                shared.read(all_jobs)
            before = time.process_time_ns()
            backend.sample(all_jobs)
            spent.append((time.process_time_ns() - before) / 1000)
    backend.close()
    if shared:
        shared.close()
    return statistics.median(spent[2:])


def by_psutil(all_jobs):
    """Median CPU time in us of what psutil reads of the processes of all jobs, made before; None without psutil."""
    try:
        import psutil
    except ImportError:
        return None
    processes = [psutil.Process(pid) for job in all_jobs for pid in job.processes()]
    spent = []
    for _ in range(5):
        before = time.process_time_ns()
        for process in processes:
            with process.oneshot():
                process.cpu_times(), process.memory_info(), process.num_threads(), process.num_ctx_switches()
                process.io_counters()
        spent.append((time.process_time_ns() - before) / 1000)
    return statistics.median(spent)


def by_old(root):
    """CPU time in us of a tick of 0.6.10."""
    with tempfile.TemporaryDirectory(prefix="colmet-bench-") as folder:
        arguments = ["--cpuset_rootpath", root.path, "-s", "1", "--zeromq-uri", "tcp://127.0.0.1:%d" % free_port()]
        with OldProgram(old_programs(), "colmet-node", arguments, Path(folder)) as old:
            time.sleep(4)
            before, begin = cpu(old.pid), time.monotonic()
            time.sleep(OLD_TICKS)
            return (cpu(old.pid) - before) / 1000 / (time.monotonic() - begin)


def living():
    """Rows [name, us a job, us a task, ms a sample of all]."""
    spent = {}
    for processes, threads in (SMALL, LARGE):
        with jobs.Root() as root:
            fill(root, JOBS, processes, threads)
            all_jobs = found(root)
            for name, make in sources(root).items():
                say("%s, %d tasks ..." % (name, JOBS * processes * threads))
                spent.setdefault(name, []).append(sampled(make, all_jobs))
            spent.setdefault("psutil, processes", []).append(by_psutil(all_jobs))
            spent.setdefault("0.6.10, all that it does", []).append(by_old(root))
    rows, more = [], JOBS * (LARGE[0] * LARGE[1] - SMALL[0] * SMALL[1])
    for name, (few, many) in spent.items():
        if few is None:
            rows.append([name, "not here", "", ""])
        else:
            rows.append([name, "%.1f" % (few / JOBS), "%.2f" % ((many - few) / more), "%.2f" % (many / 1000)])
    return rows


def ending(reader, program):
    """A row [reader, processes, a second, us an end here, us an end in the kernel, lost, unaccounted]."""
    with jobs.Root() as root:
        try:
            backend = taskstats.Backend(Path("/"), options(root, reader))
        except Unavailable:
            return [reader, "not here"] + [""] * 5
        backend.sample([])
        job = root.job(1)
        all_jobs = found(root)
        backend.sample(all_jobs)
        own, kernel, start = resource.getrusage(resource.RUSAGE_SELF), in_kernel(), time.thread_time()
        count, rate = bombs.explode(job, program, SECONDS, rate=RATE)
        begun = time.thread_time() - start      # what this thread spent on beginning it; the listener is another
        [values] = [row[2] for row in backend.sample(all_jobs)["account"]]
        after = resource.getrusage(resource.RUSAGE_SELF)
        used = (after.ru_utime + after.ru_stime - own.ru_utime - own.ru_stime - begun) * 1e6 / count
        row = [reader, count, "%.0f" % rate, "%.2f" % used, "%.2f" % ((in_kernel() - kernel) / 1000 / count),
               values[LOST], count - values[ENDED]]
        backend.close()
    return row


def looped(job):
    """s that a loop of fork and exec in `job` took."""
    return float(job.run(sys.executable, "-S", "-E", "-c", LOOP, SPAWNS, stdout=subprocess.PIPE).communicate()[0])


def paired(reader, folder):
    """A row [reader, us of a fork and exec without a node, ratio with one, where that is, the same of none with none].
    In each round the loop runs without, with and without a node, or the other way round."""
    without, ratios, nothing = [], [], []
    with jobs.Root() as root:
        job = root.job(1)
        arguments = ["--cpuset_rootpath", root.path, "-s", "1", "--zeromq-uri", "tcp://127.0.0.1:%d" % free_port(),
                     "--account-pins", "", "--task-reader", reader]
        for _ in range(ROUNDS):
            before = looped(job)
            with Program("colmet.node.main", arguments, folder) as node:
                wait_for(lambda: "sends to" in node.errors(), 60, "start of the node")
                time.sleep(0.5)
                beside = looped(job)
            node.err.unlink()
            time.sleep(0.2)
            after = looped(job)
            without.append((before + after) / 2)
            ratios.append(beside / without[-1])
            nothing.append(after / before)
    return [reader, "%.0f" % (statistics.median(without) * 1e6 / SPAWNS)] + _likely(ratios) + _likely(nothing)


def _likely(ratios):
    """The median of ROUNDS ratios, and between which it is."""
    between = sorted(ratios)[MEDIAN_OF_20]
    return ["%.3f" % statistics.median(ratios), "%.3f to %.3f" % (between[0], between[-1])]


def whole(folder):
    """A row [reader, tasks, ms a tick of the process, of the programs in the kernel, per cent of one core]."""
    uri = "tcp://127.0.0.1:%d" % free_port()
    collect = ["--zeromq-bind-uri", uri, "--hdf5-filepath", folder / "bench"]
    with jobs.Root() as root, Program("colmet.collector.main", collect, folder):
        fill(root, JOBS, *LARGE)
        arguments = ["--cpuset_rootpath", root.path, "-s", PERIOD, "--zeromq-uri", uri, "--account-pins", ""]
        with Program("colmet.node.main", arguments, folder) as node:
            time.sleep(2 * PERIOD)
            before, kernel, begin = cpu(node.pid), in_kernel(node.pid), time.monotonic()
            time.sleep(TICKS * PERIOD)
            took = time.monotonic() - begin
            spent = [(after - now) / 1e6 / took * PERIOD
                     for now, after in ((before, cpu(node.pid)), (kernel, in_kernel(node.pid)))]
    return ["bpf", JOBS * LARGE[0] * LARGE[1]] + ["%.2f" % each for each in spent] + [
        "%.3f" % (sum(spent) / 10 / PERIOD)]


def show_live(_):
    """CPU time of a sample."""
    show("CPU time of a sample: %d jobs of %d processes of %d threads" % ((JOBS,) + LARGE),
         ["what", "us a job of one task", "us a further task", "ms all"], living())


def show_ends(folder):
    """Of processes that end."""
    program = bombs.compiled(folder)
    show("Ends of processes for %d s, %d a second if the machine bears it" % (SECONDS, RATE),
         ["reader", "ended", "a second", "us each, node", "us each, BPF", "exits_lost", "not counted"],
         [ending(reader, program) for reader in ("bpf", "netlink")])


def show_node(folder):
    """Of a whole node."""
    show("A node at its defaults, period %d s, %d jobs of %d processes of %d threads"
         % ((PERIOD, JOBS) + LARGE), ["reader", "tasks", "ms a tick", "ms a tick, BPF", "% of one core"],
         [whole(folder)])


def show_spawn(reader, folder):
    """Of jobs."""
    show("fork and exec of /bin/true in a job, node at 1 s, %d rounds of 3 times %d; ratios are medians, and between "
         "which they are (95 %%)" % (ROUNDS, SPAWNS),
         ["reader", "us without node", "with / without", "between", "without / without", "between"],
         [paired(reader, folder)])


PARTS = {"live": show_live, "ends": show_ends, "node": show_node, "spawn-bpf": partial(show_spawn, "bpf"),
         "spawn-netlink": partial(show_spawn, "netlink")}


def main(*parts):
    """Measure and print the tables."""
    if jobs.lacking():
        sys.exit(jobs.lacking())
    if not PARTS.keys() >= set(parts):
        sys.exit("parts are %s" % ", ".join(PARTS))
    if not parts or "live" in parts:
        old_programs()
    with metered(), tempfile.TemporaryDirectory(prefix="colmet-bench-") as name:
        print(machine())
        for part in parts or PARTS:
            say(part + " ...")
            PARTS[part](Path(name))


if __name__ == "__main__":
    main(*sys.argv[1:])
