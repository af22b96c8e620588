"""The rights of this process: capabilities(7), processes of other users, processes given by number, open files."""
import os
import resource
from pathlib import Path
from typing import NamedTuple, Tuple

from colmet.common.limits import raise_file_limit
from colmet.common.metrics import jobproc
from colmet.node.checks import OFF, ON, PART, Finding
from colmet.node.group_files import FILES

AREA = "rights"
FEW_FILES = 4096            # for a hundred jobs
FILES_OF_A_JOB = len(FILES)     # kept open for each


class Capability(NamedTuple):
    """One of capabilities(7): its number, its name, what is not to be had without it, what that costs, and the names of
    wider ones that do in its place."""
    number: int
    name: str
    gives: str
    costs: Tuple[str, ...]
    wider: Tuple[str, ...] = ()


WIDER = {"CAP_SYS_ADMIN": 21, "CAP_DAC_OVERRIDE": 1}
CAPABILITIES = (
    Capability(39, "CAP_BPF", "BPF programs, which count tasks that end between samples", ("account",),
               ("CAP_SYS_ADMIN",)),
    Capability(38, "CAP_PERFMON", "BPF programs that follow tasks", ("account",), ("CAP_SYS_ADMIN",)),
    Capability(12, "CAP_NET_ADMIN", "taskstats by netlink; needed where BPF cannot read, as with -p and -t",
               ("taskstats_default",)),
    Capability(19, "CAP_SYS_PTRACE", "/proc/PID/io of other users' processes", (jobproc.TABLE.name,)),
    Capability(2, "CAP_DAC_READ_SEARCH", "directories of jobs that only their owner may read", ("jobs",),
               ("CAP_DAC_OVERRIDE",)),
    Capability(24, "CAP_SYS_RESOURCE", "locked memory for BPF, which kernels before 5.11 count", ("account",)),
)


def give(capability):
    """What to do where this process lacks `capability`; root in a container or with a bounding set may lack it too."""
    if os.geteuid() == 0:
        return "let it have %s (CapabilityBoundingSet= in its unit, --cap-add of a container)" % capability
    return "start colmet-node as root, or with %s (AmbientCapabilities= in its unit)" % capability


def rights(values):
    """A Finding on those held, one for each that is not, then what they are for, tried."""
    proc = Path(values.root) / "proc"
    held = _held(Path("/proc"))
    there = [each.name for each in CAPABILITIES if held >> each.number & 1]
    yield Finding(AREA, "rights", ON if there else OFF,
                  "user %d with %s" % (os.geteuid(), ", ".join(there) or "no capability that matters"), asked=False)
    for each in CAPABILITIES:
        wider = [name for name in each.wider if held >> WIDER[name] & 1]
        if each.name not in there and wider:
            yield Finding(AREA, each.name, ON, "not held, but %s is, and does in its place" % wider[0], asked=False)
        elif each.name not in there:
            yield Finding(AREA, each.name, OFF, "not held: " + each.gives, give(each.name), each.costs, False)
    yield _others(proc, jobproc.TABLE.name in values.tables)
    for flag, numbers in (("-p", values.pid), ("-t", values.tid), ("--process-tree", values.process_tree)):
        for number in numbers:
            yield _given(proc, flag, number)
    yield _files()


def _held(proc):
    """The bits of the effective capabilities (proc(5), CapEff)."""
    lines = (line.split() for line in (proc / "self" / "status").read_text().splitlines())
    return next(int(words[1], 16) for words in lines if words[:1] == ["CapEff:"])


def _readable(path):
    """None where there is nothing to read, else whether it may be read: only the reading itself tells."""
    try:
        path.read_bytes()
    except PermissionError:
        return False
    except OSError:
        return None
    return True


def _others(proc, asked):
    """Whether /proc/PID/io of other users' processes can be read."""
    name = "others' I/O"
    for folder in sorted(proc.glob("[0-9]*"), key=lambda path: int(path.name)):
        try:
            if folder.stat().st_uid in (0, os.geteuid()):
                continue        # those of root may hold more capabilities than we do
        except OSError:
            continue
        found = _readable(folder / "io")
        if found is not None:
            return Finding(AREA, name, ON if found else OFF, "%s/io can%s be read" % (folder, "" if found else "not"),
                           "" if found else give("CAP_SYS_PTRACE"), () if found else (jobproc.TABLE.name,), asked)
    return Finding(AREA, name, PART, "no process of another user is here to try it on", asked=False)


def _given(proc, flag, number):
    name = "%s %d" % (flag, number)
    if not (proc / str(number)).is_dir():
        return Finding(AREA, name, OFF, "no process of this number", "give one that runs")
    readable = _readable(proc / str(number) / "io")
    if readable is False:
        return Finding(AREA, name, PART, "belongs to another user: its I/O cannot be read", give("CAP_SYS_PTRACE"),
                       (jobproc.TABLE.name,))
    return Finding(AREA, name, ON, "runs")


def _files():
    most = raise_file_limit()
    if most == resource.RLIM_INFINITY:
        return Finding(AREA, "files", ON, "any number may be open", asked=False)
    state = ON if most >= FEW_FILES else PART
    return Finding(AREA, "files", state, "%d may be open, at most %d for each job" % (most, FILES_OF_A_JOB),
                   "" if state == ON else "LimitNOFILE=%d in its unit, or ulimit -n" % FEW_FILES, asked=False)
