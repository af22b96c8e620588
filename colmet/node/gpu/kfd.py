"""Processes that compute on AMD's GPUs with ROCm, from /sys/class/kfd/kfd/proc/PID/vram_<GPU>: readable by all, and
told by the kernel, so that none has to be looked for. topology/nodes/N tells which number a GPU has here.
"""
import os

from colmet.node.gpu.device import Use
from colmet.node.sysfs import number, text

FOLDER = "sys/class/kfd/kfd"


class Kfd:
    """Those below `root`; none where the driver is not there."""

    def __init__(self, root):
        self._folder, self._processes = root / FOLDER, str(root / FOLDER / "proc")
        self._there = False         # as of the last look
        self._minors = {}           # {number of the GPU: minor number of its render node}

    def look(self):
        """See whether the driver is there: it comes with the cards."""
        self._there = os.path.isdir(self._processes)

    def add(self, uses, names):
        """Add them to `uses`, {device: [`Use`]}; `names` are {minor number of a render node: device}."""
        pids = [int(name) for name in _listed(self._processes) if name.isdecimal()] if self._there else ()
        if pids and not self._minors:
            self._minors = dict(self._topology())
        for pid in pids:
            for name in _listed(self._folder / "proc" / str(pid)):
                device = names.get(self._minors.get(name[len("vram_"):])) if name.startswith("vram_") else None
                memory = number(self._folder / "proc" / str(pid) / name) if device else None
                if memory:          # each process has a file for each GPU
                    _join(uses.setdefault(device, []), Use(pid, memory))

    def _topology(self):
        for name in _listed(self._folder / "topology" / "nodes"):
            node = self._folder / "topology" / "nodes" / name
            facts = dict(line.split(None, 1) for line in text(node / "properties").splitlines() if " " in line)
            if facts.get("drm_render_minor", "").isdecimal():
                yield text(node / "gpu_id"), int(facts["drm_render_minor"])


def _join(uses, use):
    """Put `use` to those of a device: a process that is there already has the greater memory of both, and
    a time that does not tell of what it computes so."""
    for place, other in enumerate(uses):
        if other.pid == use.pid:
            uses[place] = other._replace(memory=max(other.memory or 0, use.memory), time=None)
            return
    uses.append(use)


def _listed(folder):
    try:
        return os.listdir(folder)
    except OSError:
        return []
