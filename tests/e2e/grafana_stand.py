"""A small cluster that is measured into a search server: two nodes with jobs of known shape, one collector.

The nodes are two `colmet-node` with host names of their own (a UTS namespace each). Beside Elasticsearch the collector
stores HDF5, so that each number that a query returns can be made again from the rows of the file.
"""
import ctypes
import socket
import subprocess
import sys
import time
from contextlib import ExitStack

import gpu_machine
import heat_tree
import mounts_tree
import perf_jobs
import power_tree
import shapes
import stored
from energy_tree import Powercap
from jobs import Root
from network_tree import Network
from perf_worker import Worker
from programs import Program, free_port, wait_for
from workload import cpu, fields, settle

HOSTS = ("node-1", "node-2")
SOLVER, STAGER, BUILDER = "4217", "4218", "4219"
PLAN = {"node-1": {SOLVER: "solver", STAGER: "stager"}, "node-2": {SOLVER: "solver", BUILDER: "builder"}}
PERIOD = 1              # s, of the nodes
PATIENCE = 60
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUTS = 0x04000000       # <sched.h>
ENABLED = ("--enable-jobproc", "--enable-cpu")
COUNTED = ("--enable-perfhw", "--perfhw-list", "page_faults", "task_clock", "--disable-taskstats",
           "--disable-procstats", "--disable-account", "--disable-cgroup", "--disable-job", "--disable-colmet",
           "--account-pins", "")
MACHINE = ("--enable-RAPL", "--enable-temperature", "--enable-power", "--enable-network", "--enable-filesystem",
           "--enable-gpu", "-p", SOLVER, "--disable-taskstats", "--disable-procstats", "--disable-account",
           "--disable-cgroup", "--disable-job", "--disable-colmet", "--scheduler", "none", "--account-pins", "")
DIVIDED = ("--enable-energy", "--idle-power", "package=9", "--disable-taskstats", "--disable-procstats",
           "--disable-account", "--disable-cgroup", "--disable-job", "--disable-colmet", "--scheduler", "none",
           "--account-pins", "")


class Stand:
    """Measures `PLAN` for `seconds` into each server of `servers` ({name: Server}); `prefix` begins the indices."""

    def __init__(self, servers, prefix, folder, seconds):
        self.servers, self.prefix, self.folder, self.seconds = servers, prefix, folder, seconds
        self.files = {name: folder / name / "all.hdf5" for name in servers}
        self.machine = Powercap(heat_tree.server(folder / "machine"))      # whose energy and heat all nodes measure
        self.network = Network(self.machine.root)                          # and whose traffic
        power_tree.Cray(self.machine.root, fresh=False)                     # and power
        mounts_tree.busy(folder / "machine")
        gpu_machine.amd(self.machine.root)
        gpu_machine.process(self.machine.root, int(SOLVER))
        gpu_machine.opens(self.machine.root, int(SOLVER), 4, 1, drm_driver="amdgpu", drm_client_id="7",
                          drm_pdev="0000:03:00.0", drm_memory_vram="64 MiB")
        self.zones = Powercap(folder / "zones")         # whose energy is divided among the jobs of this machine
        for name in ("proc", "sys/fs"):
            (self.zones.root / name).symlink_to("/" + name)
        self.start = self.end = 0
        self.exact = {}     # {(job, host): CPU time in ns and fields of io and status} when they slept; "accounted"
        self._stack = ExitStack()

    def measure(self):
        """Do it all; returns when everything is stored."""
        with self._stack:
            self.start = int(time.time()) * 1000
            roots = {host: self._stack.enter_context(Root()) for host in HOSTS}
            ports = {name: free_port() for name in self.servers}
            collectors = [self._collector(name, ports[name]) for name in self.servers]
            nodes = [self._node(host, name, ports[name], *ENABLED, "--cpuset_rootpath", roots[host].path)
                     for host in HOSTS for name in self.servers]
            nodes += [self._node(host, name, ports[name], *MACHINE, "--root", self.machine.root, part="machine")
                      for host in HOSTS for name in self.servers]
            nodes += [self._node(host, name, ports[name], *DIVIDED, "--root", self.zones.root,
                                 "--cpuset_rootpath", roots[host].path, part="divided")
                      for host in HOSTS for name in self.servers]
            counting, worker = self._count(ports)
            for name in self.servers:
                wait_for(lambda: self._stored("procstats_default", name) >= 2 * len(HOSTS), PATIENCE, "rows of nodes")
                wait_for(lambda: self._stored("perf", name) >= 2 * len(HOSTS), PATIENCE, "rows of what is counted")
            self._work(roots, worker)
            for program in nodes + counting + collectors:
                assert program.stop(timeout=PATIENCE) == 0, program.errors()
            self.end = (int(time.time()) + 2) * 1000
        for server in self.servers.values():
            server.ask("POST", "/%s*/_refresh" % self.prefix)
        return self

    def _collector(self, name, port):
        folder = self.folder / name
        folder.mkdir()
        server = self.servers[name]
        program = Program("colmet.collector.main", (
            "--zeromq-bind-uri", "tcp://127.0.0.1:%d" % port, "-s", "0.3", "-vvv", "--hdf5-filepath", self.files[name],
            "--elastic-host", server.url, "--elastic-index-prefix", self.prefix), folder)
        self._stack.enter_context(program)
        wait_for(lambda: str(port) in program.errors(), PATIENCE, "start of the collector")
        return program

    def _node(self, host, name, port, *options, part="all"):
        folder = self.folder / name / host / part
        folder.mkdir(parents=True)
        return self._stack.enter_context(Program("colmet.node.main", options + (
            "-s", PERIOD, "--zeromq-uri", "tcp://127.0.0.1:%d" % port), folder, preexec_fn=renamed(host)))

    def _count(self, ports):
        """Nodes that count events of a job in cgroup v2, which perf_event knows; (these, the `Worker` in it)."""
        place = self._stack.enter_context(perf_jobs.counted("v2", self.folder))
        worker = Worker(place.make("alice_" + SOLVER))
        self._stack.callback(worker.end)
        return [self._node(host, name, ports[name], *COUNTED, "--cpuset_rootpath", place.root, part="counted")
                for host in HOSTS for name in self.servers], worker

    def _work(self, roots, worker):
        """The jobs from their first step to their end; `worker` does a little too."""
        running = []
        for host, plan in PLAN.items():
            for number, shape in plan.items():
                job = roots[host].job(number)
                running.append((host, job, job.run(sys.executable, "-S", shapes.__file__, self.folder, self.seconds,
                                                   shape, stdin=subprocess.PIPE, stdout=subprocess.PIPE)))
        for host, job, process in running:
            assert process.stdout.readline() == b"done\n"
            settle(process.pid)
            worker.work(pages=100)
            self.exact[job.number, host] = dict(fields(process.pid, "io"), **fields(process.pid, "status"),
                                                cpu=cpu([process.pid]))
        for zones in (self.machine, self.zones):
            zones.use(package_0=95, package_0__dram=7)
        self.network.interface("eth0", 10 ** 7, 3 * 10 ** 7, 10 ** 4, 10 ** 4)
        self._rows(2)
        for host, job, process in running:
            process.stdin.close()
            process.wait(PATIENCE)
        self._rows(1)
        for host, job, process in running:
            self.exact[job.number, host]["accounted"] = job.read("cpuacct", "cpuacct.usage")
            job.remove()
        for name in self.servers:
            wait_for(lambda: self._stored("job", name) >= len(running), PATIENCE, "rows of the jobs' ends")

    def _rows(self, samples):
        """Wait until that many more samples of every node are in every server."""
        wanted = {name: self._stored("procstats_default", name) + (samples + 1) * len(HOSTS) for name in self.servers}
        for name, count in wanted.items():
            wait_for(lambda: self._stored("procstats_default", name) >= count, PATIENCE, "more samples in " + name)

    def _stored(self, table, name):
        return self.servers[name].count(self.prefix + table)

    def rows(self, name, table):
        """(job, row as dict) of all rows of `table` in the HDF5 file beside the server `name`."""
        for (job, found), data in stored.tables(self.files[name]).items():
            if found == table:
                for row in data:
                    yield job, dict(zip(data.dtype.names, row.tolist()))


def renamed(host):
    """What a child calls before it executes: a UTS namespace of its own, whose host name is `host`."""
    def enter():
        if LIBC.unshare(CLONE_NEWUTS):
            raise OSError(ctypes.get_errno(), "unshare")
        socket.sethostname(host)
    return enter

