"""All that is tried in one guest: jobs with three nodes looking on at once, one for each reader of tasks; then nodes
without this or that capability. What is true goes to /out/truth.json; what the nodes measured to the collector.

    battery.py URI      of the collector
"""
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
           "no_rights": ALL}
FIRST = 1       # is measured before the others come
ALONE = ["--zeromq-uri", "tcp://127.0.0.1:9", "--zeromq-linger", "0", "--account-pins", ""]
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


def all_tick(nodes, more):
    """Wait until each node made so many more batches."""
    for node in nodes:
        node.ticks(more)


def stamp(what):
    """Say on the console how far it is."""
    print("%.1f s: %s" % (time.clock_gettime(time.CLOCK_BOOTTIME), what), flush=True)


def main(uri):
    """Do it all."""
    stamp("loaded")
    truth = account(uri)
    stamp("stopped")
    truth["without"] = without_rights()
    stamp("capabilities")
    guest_jobs.save("truth.json", truth)


if __name__ == "__main__":
    main(*sys.argv[1:])
