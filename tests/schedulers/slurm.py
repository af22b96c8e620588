"""A real Slurm, from Debian's packages, in a machine of its own: two nodes, each with its slurmd, cgroup v1."""
import os

from schedulers.leftovers import left, remove
from schedulers.machine import HOST, Machine

INSTALL = "apt install --no-install-recommends slurm-wlm munge (make test SYSTEM=1 does)"
PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch")
NODES = ("lab1", "lab2")
ROOTS = tuple("slurm_" + node for node in NODES)     # Debian's build: the root of a node's cgroups bears its name
SLURM_CONF = """
ClusterName=lab
SlurmctldHost={host}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
MailProg=/bin/true
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
ProctrackType=proctrack/cgroup
TaskPlugin=task/cgroup,task/affinity
JobAcctGatherType=jobacct_gather/cgroup
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,bf_interval=1
PrologFlags=Contain
NodeName=lab[1-2] NodeHostname={host} NodeAddr={host} Port=[6821-6822] CPUs={cpus} RealMemory=512 State=UNKNOWN
PartitionName=main Nodes=lab[1-2] Default=YES State=UP OverSubscribe=FORCE:8
"""
CGROUP_CONF = """
CgroupPlugin=cgroup/v1
CgroupMountpoint=/sys/fs/cgroup
CgroupAutomount=no
ConstrainCores=yes
ConstrainRAMSpace=yes
"""


class Slurm(Machine):
    """Its files are there; `begin` starts it."""

    def __init__(self):
        super().__init__()
        (self.folder / "state").mkdir()
        conf = self.folder / "slurm.conf"
        conf.write_text(SLURM_CONF.format(host=HOST, folder=self.folder, cpus=os.cpu_count()))
        (self.folder / "cgroup.conf").write_text(CGROUP_CONF)
        self.environ = {"SLURM_CONF": str(conf)}

    def begin(self):
        """Start it; itself when it is ready."""
        self.start()
        self._start_munge()
        self.daemon("slurmctld", "-D", "-c", **self.environ)
        for node in NODES:
            (self.folder / ("spool." + node)).mkdir()
            self.daemon("slurmd", "-D", "-c", "-N", node, name=node, **self.environ)
        self.wait_for(self._idle, "nodes that are idle")
        # Of cpuset slurmd makes its own directory with the first job: for those that follow it is there.
        self.run("srun", "-N%d" % len(NODES), "true", **self.environ)
        return self

    def _start_munge(self):
        key, socket = self.folder / "munge.key", self.folder / "munge"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        self.daemon("munged", "--foreground", "--force", "--key-file=%s" % key, "--socket=%s" % socket,
                    "--pid-file=%s.pid" % socket, "--log-file=%s.log" % socket, "--seed-file=%s.seed" % socket)
        self.wait_for(socket.exists, "munged")

    def _idle(self):
        answer = self.attempt("sinfo", "-h", "-N", "-t", "idle", "-o", "%N", **self.environ)
        return len(answer.stdout.split()) == len(NODES)

    def submit(self, script, *options, user):
        """Give `script` (text) to sbatch; the id of the job, or of the array, text."""
        return self.run("sbatch", "--parsable", "--output=%j.log", *options, "--wrap", script, user=user,
                        **self.environ).strip()

    def over(self, job):
        """Whether nothing of the job or array `job` waits or runs any more."""
        answer = self.attempt("squeue", "-h", "-j", job, **self.environ)
        return not answer.stdout.strip()

    def close(self):
        super().close()
        remove(ROOTS)

    def left(self):
        return super().left() + left(ROOTS)
