"""All that is tried in one guest: jobs with three nodes looking on at once, one for each reader of tasks; then nodes
without this or that capability. What is true goes to /out/truth.json; what the nodes measured to the collector.

    battery.py URI [more]       of the collector
"""
import os
import sys
import time

import guest_jobs
from guest_jobs import Job
from guest_nodes import ALL, Node

READERS = ("bpf", "netlink", "proc")
MIB = 1 << 20
OAR = "oar.slice/oar-u1000.slice/oar-u1000-j%d.slice"
SLURM = "system.slice/slurmstepd.scope/job_%d"
DROPPED = {"no_net_admin": ("NET_ADMIN",), "no_bpf": ("BPF", "SYS_ADMIN"), "no_perfmon": ("PERFMON", "SYS_ADMIN"),
           "no_sys_admin": ("SYS_ADMIN",), "no_rights": ALL}
FIRST = 1       # is measured before the others come
ALONE = ["--zeromq-uri", "tcp://127.0.0.1:9", "--zeromq-linger", "0", "--account-pins", ""]
COMMAND = ["dd", "if=/dev/zero", "of=" + guest_jobs.DISK, "bs=16M", "count=1", "conv=fsync"]
LOADS = {
    1: (OAR, "", guest_jobs.burn, 1.0, 2),
    2: (OAR, "", guest_jobs.children, 40),
    3: (SLURM, "step_0/user/task_0", guest_jobs.transfer, 8 * MIB, 4 * MIB),
    4: (SLURM, "step_batch/user/task_0", guest_jobs.touch, 32 * MIB),
}


def account(uri):
    """Measure the jobs of `LOADS`."""
    nodes = [Node(reader, ["--zeromq-uri", uri, "--wire", "native", "--hostname", reader, "--task-reader", reader,
                           "--account-pins", "", "--enable-jobproc", "-s", "1", "-vvv"]) for reader in READERS]
    for node in nodes:
        node.started()
    stamp("nodes")
    jobs = {}
    for number, (place, leaf, work, *arguments) in LOADS.items():
        jobs[number] = Job(place % number, leaf, work, *arguments)
        if number == FIRST:
            jobs[number].ready()
            all_tick(nodes, 2)          # what leads to jobs of OAR was not there before the first
    for number, job in jobs.items():
        if number != FIRST:
            job.ready()
    stamp("work")
    found = {number: {"live": job.live()} for number, job in jobs.items()}
    all_tick(nodes, 3)
    for number, job in jobs.items():
        found[number].update(job.end())
    all_tick(nodes, 2)
    for number, job in jobs.items():
        found[number]["counters"] = job.counters()
        job.remove()
    all_tick(nodes, 2)
    stamp("jobs")
    return {"jobs": found, "codes": {node.name: node.stop() for node in nodes}}


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
    truth = account(uri)
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
