"""The rights of this process: capabilities(7), processes of other users, processes given by number, open files."""
import os
import resource
from pathlib import Path
from typing import NamedTuple, Tuple

from colmet.common.limits import raise_file_limit
from colmet.node.backends import jobproc
from colmet.node.capabilities import WIDER, give, held, lacking
from colmet.node.checks import OFF, ON, PART, Finding, opening
from colmet.node.jobs.emptied import Bpf, Emptied
from colmet.node.cgroup.files import FILES

AREA = "rights"
FEW_FILES = 4096            # for a hundred jobs
FILES_OF_A_JOB = len(FILES)     # kept open for each


class Capability(NamedTuple):
    """One of capabilities(7): its name, what is not to be had without it, and what that costs."""
    name: str
    gives: str
    costs: Tuple[str, ...]


OTHERS = "others' I/O"
OTHERS_IO = ("CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH")      # to read that file, and to open it: it is its owner's alone
CAPABILITIES = (
    Capability("CAP_BPF", "BPF programs, which count tasks that end between samples", ("account",)),
    Capability("CAP_PERFMON", "BPF programs that follow tasks", ("account",)),
    Capability("CAP_NET_ADMIN", "taskstats by netlink; needed where BPF cannot read, as with -p and -t",
               ("taskstats_default",)),
    Capability("CAP_SYS_PTRACE", "/proc/PID/io of other users' processes; needed where BPF cannot read",
               (jobproc.TABLE.name,)),
    Capability("CAP_DAC_READ_SEARCH", "directories of jobs that only their owner may read", ("jobs",)),
    Capability("CAP_SYS_NICE", "a turn before the jobs (--nice), which are found late where all CPUs are busy", ()),
    Capability("CAP_SYS_RESOURCE", "locked memory for BPF, which kernels before 5.11 count", ("account",)),
)


def rights(values):
    """A Finding on those held, one for each that is not, then what they are for, tried."""
    proc = Path(values.root) / "proc"
    has = held()
    there = [each.name for each in CAPABILITIES if each.name in has]
    yield Finding(AREA, "rights", ON if there else OFF,
                  "user %d with %s" % (os.geteuid(), ", ".join(there) or "no capability that matters"), asked=False)
    for each in CAPABILITIES:
        if each.name not in there and not lacking(each.name):
            yield Finding(AREA, each.name, ON, "not held, but %s is, and does in its place" % WIDER[each.name],
                          asked=False)
        elif each.name == "CAP_SYS_RESOURCE" and each.name not in there and _bpf_works():
            yield Finding(AREA, each.name, ON, "not held, nor needed here: BPF works without", asked=False)
        elif each.name not in there:
            yield Finding(AREA, each.name, OFF, "not held: " + each.gives, give(each.name), each.costs, False)
    asked = jobproc.TABLE.name in values.tables
    yield Finding(AREA, OTHERS, ON, "read by bpf, without their files", asked=asked) \
        if by_bpf(values) else _others(proc, asked)
    for flag, numbers in (("-p", values.pid), ("-t", values.tid), ("--process-tree", values.process_tree)):
        for number in numbers:
            yield _given(proc, flag, number)
    yield _files()


def by_bpf(values):
    """Whether jobproc reads by BPF, for which it needs neither lists nor files of processes."""
    _, opened = opening(jobproc.Backend, values)
    return opened is not None and opened.reader == Bpf.name


def _bpf_works():
    opened = Emptied(None)
    opened.close()
    return opened.name == Bpf.name


def _lacks_for_io():
    """What to do where the I/O of a process of another user cannot be read: "" where no right lacks."""
    lacks = lacking(*OTHERS_IO)
    return give(*lacks) if lacks else ""


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
    for folder in sorted(proc.glob("[0-9]*"), key=lambda path: int(path.name)):
        try:
            if folder.stat().st_uid in (0, os.geteuid()):
                continue        # those of root may hold more capabilities than we do
        except OSError:
            continue
        found = _readable(folder / "io")
        if found is not None:
            return Finding(AREA, OTHERS, ON if found else OFF, "%s/io can%s be read" % (folder, "" if found else "not"),
                           "" if found else _lacks_for_io(), () if found else (jobproc.TABLE.name,), asked)
    return Finding(AREA, OTHERS, PART, "no process of another user is here to try it on", asked=False)


def _given(proc, flag, number):
    name = "%s %d" % (flag, number)
    if not (proc / str(number)).is_dir():
        return Finding(AREA, name, OFF, "no process of this number", "give one that runs")
    readable = _readable(proc / str(number) / "io")
    if readable is False:
        return Finding(AREA, name, PART, "belongs to another user: its I/O cannot be read", _lacks_for_io(),
                       (jobproc.TABLE.name,))
    return Finding(AREA, name, ON, "runs")


def _files():
    most = raise_file_limit()
    if most == resource.RLIM_INFINITY:
        return Finding(AREA, "files", ON, "any number may be open", asked=False)
    state = ON if most >= FEW_FILES else PART
    return Finding(AREA, "files", state, "%d may be open, at most %d for each job" % (most, FILES_OF_A_JOB),
                   "" if state == ON else "LimitNOFILE=%d in its unit, or ulimit -n" % FEW_FILES, asked=False)
