"""Which GPUs a job holds, whether or not it uses them: by the device rules of its cgroup (v1: devices.list,
admin-guide/cgroup-v1/devices.rst of the kernel's documentation), else by the environment of its processes.

A rule counts where it names one device: "a *:* rwm" allows all, and tells nothing. With v2 the rules are a BPF program
that nobody can read. An environment is that of the program's start, and the job's own to write; to read it costs more
than all else that is read of a process.
"""
import os
from itertools import chain
from typing import Mapping, NamedTuple, Optional, Tuple

from colmet.common.mounts import directories, mounted
from colmet.node.clock import boottime
from colmet.node.gpu.device import AMD, INTEL, NVIDIA
from colmet.node.gpu.looks import Looks
from colmet.node.jobs.job import Cgroup
from colmet.node.sysfs import LOOK

BY_RULES, BY_ENVIRONMENT = 1, 2
CONTROLLER, RULES = "devices", "devices.list"
MOST_PROCESSES, MOST_BYTES = 16, 1 << 18        # of a job whose environment is read, and how much of each
_PIECE = 1 << 13
SLURM = ("SLURM_JOB_GPUS", "SLURM_STEP_GPUS")   # numbers on the node; others may be those within the job
VISIBLE = {"CUDA_VISIBLE_DEVICES": NVIDIA, "ROCR_VISIBLE_DEVICES": AMD, "HIP_VISIBLE_DEVICES": AMD,
           "GPU_DEVICE_ORDINAL": AMD, "ZE_AFFINITY_MASK": INTEL}
_COUNTING = tuple(name.encode() for name in ("SLURM_JOB", *SLURM, *VISIBLE))


class Known(NamedTuple):
    """What is known of a job: its `parts`, and the `files` of their rules; what it holds of the `devices` that there
    were, {device's name: BY_RULES or BY_ENVIRONMENT}; when it was looked at `first`, and when it is `due` again."""
    parts: tuple = ()
    files: Tuple[str, ...] = ()
    devices: tuple = ()
    found: Mapping[str, int] = {}
    first: Optional[int] = None
    due: int = 0


class Rights:
    """Those of jobs below `root`."""

    def __init__(self, root):
        self._root, self._known = root, {}      # {job: Known}
        self._looks, self._told = Looks(), {}   # {pid: what counts of its environment}
        self._hierarchies = None                # those of the cgroups, once they are wanted of a reading

    def of(self, jobs, devices):
        """{job: {device's name: BY_RULES or BY_ENVIRONMENT}} of `jobs`, {job: its pids}; looked at when they are new,
        and again when their age has doubled, at most 60 s later. `devices` are the `Device`s that there are."""
        now, before, self._known, self._hierarchies = boottime(), self._known, {}, None
        for pid in self._looks.keep(dict.fromkeys(chain.from_iterable(jobs.values()))):
            del self._told[pid]
        for job, pids in jobs.items():
            known = before.get(job) or Known(first=now)
            if now >= known.due or known.parts != job.parts or known.devices != devices:
                files = known.files if known.parts == job.parts else tuple(self._files(job.parts))
                known = Known(job.parts, files, devices, self._look(files, pids, devices, now), known.first,
                              now + min(now - known.first, LOOK))
            self._known[job] = known
        return {job: known.found for job, known in self._known.items()}

    def _look(self, files, pids, devices, now):
        there = [device for device in devices if not device.split]
        ruled = set().union(*map(_rules, files))
        found = {device.name: BY_RULES for device in there if device.nodes and device.nodes <= ruled}
        if found:
            return found
        pids = sorted(pids)[:MOST_PROCESSES]
        for pid in self._looks.due(pids, now):
            self._told[pid] = _environment("%s/proc/%d/environ" % (self._root, pid))
        named = set().union(*[meant(told, devices) for told in {self._told[pid] for pid in pids}])
        return dict.fromkeys(sorted(named), BY_ENVIRONMENT)

    def _files(self, parts):
        """Paths of the rules of cgroups."""
        if self._hierarchies is None:
            self._hierarchies = mounted(self._root)
        for part in parts:
            if isinstance(part, Cgroup):
                for _, folder in directories(part.path, self._hierarchies, (CONTROLLER,)):
                    yield os.path.join(folder, RULES)


def _rules(path):
    """(major, minor) of the character devices that the rules in that file let open by name."""
    try:
        with open(path) as file:
            return allowed(file.read())
    except (OSError, UnicodeDecodeError):
        return set()                # v2, or gone


def allowed(text):
    """(major, minor) of the character devices that the `text` of devices.list names and that may be read."""
    found = set()
    for kind, numbers, access in (words for words in map(str.split, text.splitlines()) if len(words) == 3):
        major, _, minor = numbers.partition(":")
        if kind == "c" and "r" in access and major.isdecimal() and minor.isdecimal():
            found.add((int(major), int(minor)))
    return found


def meant(environment, devices):
    """Names of those of `devices` that the `environment` (bytes, as /proc/PID/environ has it) gives to its process."""
    values = {}
    for line in environment.decode("utf-8", "replace").split("\0"):
        name, _, value = line.partition("=")
        values.setdefault(name, value)
    if any(values.get(name) for name in SLURM):
        return _slurm(",".join(values.get(name, "") for name in SLURM), devices)
    numbered = not any(name.startswith("SLURM_JOB") for name in values)
    return {device.name for name, vendor in VISIBLE.items() for word in values.get(name, "").split(",")
            for device in devices if device.vendor == vendor and _is(word.strip(), device, numbered)}


def _slurm(text, devices):
    """Slurm numbers the device files; with MIG or two vendors nobody knows which."""
    cards = [device for device in devices if device.card == device.name]
    if any(card.split for card in cards) or len({card.vendor for card in cards}) != 1:
        return set()
    return {card.name for card in cards if str(card.minor) in [word.strip() for word in text.split(",")]}


def _is(word, device, numbered):
    """Whether `word` means it: its number in the library's order, or the beginning of its UUID."""
    if word.isdecimal():
        return numbered and not device.split and word == str(device.index)
    name = device.uuid if device.vendor == NVIDIA else "GPU-" + device.uuid.replace("0x", "")
    return len(word) > len("GPU-0000") and not device.split and name.startswith(word)


def _environment(path):
    """What counts for `meant` of the environment in that file: mostly the same in all processes of a job."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""                  # it is gone, or another user's
    try:
        text = piece = os.read(fd, _PIECE)      # a small piece: room for all of it takes longer to make than to fill
        while len(piece) == _PIECE and len(text) < MOST_BYTES:
            piece = os.read(fd, _PIECE)
            text += piece
    except OSError:
        return b""
    finally:
        os.close(fd)
    if not any([name in text for name in _COUNTING]):       # of most: no line has to be looked at
        return b""
    return b"\0".join([line for line in text.split(b"\0") if line.startswith(_COUNTING)])
