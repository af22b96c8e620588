"""All that is tried in one guest: jobs with nodes looking on at once, one for each reader of tasks; then nodes
without this or that capability. What is true goes to /out/truth.json; what the nodes measured to the collector.

    battery.py URI [more]       of the collector
"""
import os
import sys
import time

import exact_loads
import guest_jobs
from guest_jobs import Job
from guest_nodes import ALL, Node

READERS = ("bpf", "netlink", "proc")
SLOW = "slow"           # the node that samples seldom
MIB = 1 << 20
OAR = "oar.slice/oar-u1000.slice/oar-u1000-j%d.slice"
SLURM = "system.slice/slurmstepd.scope/job_%d"
TASK, BATCH = "step_0/user/task_0", "step_batch/user/task_0"
DROPPED = {"no_net_admin": ("NET_ADMIN",), "no_bpf": ("BPF", "SYS_ADMIN"), "no_perfmon": ("PERFMON", "SYS_ADMIN"),
           "no_sys_admin": ("SYS_ADMIN",), "no_rights": ALL}
FIRST = 1       # is measured before the others come
ALONE = ["--zeromq-uri", "tcp://127.0.0.1:9", "--zeromq-linger", "0", "--account-pins", ""]
COMMAND = ["dd", "if=/dev/zero", "of=" + guest_jobs.DISK, "bs=16M", "count=1", "conv=fsync"]
LOADS = [               # places as `Cgroup` has them; work
    ((1, OAR % 1), guest_jobs.burn, 1.0, 2),
    ((2, OAR % 2), guest_jobs.children, 40),
    ((3, SLURM % 3, TASK), guest_jobs.transfer, 8 * MIB, 4 * MIB),
    ((4, SLURM % 4, BATCH), guest_jobs.touch, 32 * MIB),
    ((5, "system.slice/lab1_slurmstepd.scope/job_5", TASK, ()), time.sleep, 0),     # one of several slurmd
    ((6, "slurmstepd.scope/s0A1B2C3D4E5FG", "step_0/slurm", ("memory", "pids")), time.sleep, 0),
]
TITLES = {6: "slurmstepd: [6.0]"}
LIMITS = {4: {"memory.max": str(256 * MIB), "pids.max": "100", "cpu.max": "90000 100000"}}


def measured(uri):
    """Jobs with nodes looking on: what is true of them, and the nodes' exit codes."""
    nodes = [node(reader, uri, reader, 1) for reader in READERS]
    for each in nodes:
        each.started()
    stamp("nodes")
    truth = {"jobs": jobs(nodes)}
    stamp("jobs")
    nodes.append(node(SLOW, uri, READERS[0], 5))
    nodes[-1].started()
    all_tick(nodes, 1)
    truth["removed"], truth["lasting"] = exact_loads.run([(OAR, ""), (SLURM, TASK)], lambda: all_tick(nodes, 2))
    stamp("exact loads")
    return dict(truth, codes={each.name: each.stop() for each in nodes})


def node(name, uri, reader, period):
    """One that measures for the collector."""
    return Node(name, ["--zeromq-uri", uri, "--wire", "native", "--hostname", name, "--task-reader", reader,
                       "--account-pins", "", "--enable-jobproc", "-s", period, "-vvv"])


def jobs(nodes):
    """What is true of `LOADS`, by their numbers."""
    made = {}
    for place, work, *arguments in LOADS:
        made[place[0]] = job = Job(place, TITLES.get(place[0]), work, *arguments)
        for name, limit in LIMITS.get(job.number, {}).items():
            (job.path / name).write_text(limit)
        if job.number == FIRST:
            job.ready()
            all_tick(nodes, 2)          # what leads to jobs of OAR was not there before the first
    for number, job in made.items():
        if number != FIRST:
            job.ready()
    stamp("work")
    all_tick(nodes, 1)
    found = {number: {"live": job.live(), "still": [job.counters()]} for number, job in made.items()}
    all_tick(nodes, 3)
    for number, job in made.items():
        found[number]["still"].append(job.counters())
        found[number].update(job.end())
    all_tick(nodes, 3)
    for number, job in made.items():
        found[number]["counters"] = job.counters()
        job.remove()
    all_tick(nodes, 2)
    return found


def without_rights():
    """Start nodes that lack capabilities; what they say is in their files."""
    nodes = [Node(name, ALONE, dropped) for name, dropped in DROPPED.items()]
    nodes.append(Node("no_netlink", ALONE + ["--task-reader", "netlink"], ("NET_ADMIN",)))
    for node in nodes:
        node.started()
    return {node.name: node.stop() for node in nodes}


def checked():
    """What colmet-node check says with and without capabilities goes to files; its exit codes."""
    nodes = [Node(name + ".check", ["check", "--json"] + ALONE, dropped)
             for name, dropped in dict(DROPPED, all_rights=()).items()]
    return {node.name: node.ended() for node in nodes}


def run():
    """The exit code of a command that `colmet run` measures, in a new Python; its account goes to the file run.err."""
    said = os.open("/out/run.err", os.O_WRONLY | os.O_CREAT)
    words = [sys.executable, "-m", "colmet.view.main", "run", "-o", "/out/run.hdf5", "--", *COMMAND]
    pid = os.posix_spawn(words[0], words, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, said, 1),
                                                                    (os.POSIX_SPAWN_DUP2, said, 2)])
    return os.waitpid(pid, 0)[1]


def all_tick(nodes, more):
    """Wait until each node made so many more batches."""
    for node in nodes:
        node.ticks(more)


def stamp(what):
    """Say on the console how far it is."""
    print("%.1f s: %s" % (time.clock_gettime(time.CLOCK_BOOTTIME), what), flush=True)


def main(uri, *more):
    """Do it, and what takes long where there is a word for it."""
    stamp("loaded")
    truth = measured(uri)
    stamp("stopped")
    truth["without"] = without_rights()
    stamp("capabilities")
    truth["checked"] = checked()
    stamp("checked")
    if more:
        truth["run"] = run()
        stamp("colmet run")
    guest_jobs.save("truth.json", truth)


if __name__ == "__main__":
    main(*sys.argv[1:])
