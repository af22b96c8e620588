"""Processes on GPUs of AMD and Intel, from /proc/PID/fdinfo/FD (gpu/drm-usage-stats.rst of the kernel's documentation).

To look for a process's open GPU is to read a link for each file that it has open. It is done when the process is new,
and again each time its age has doubled, at the latest after ten minutes; a GPU that was found is read at every sample.
"""
import os
from typing import NamedTuple, Optional

from colmet.node.clock import boottime
from colmet.node.gpu.device import Use
from colmet.node.gpu.looks import Looks

PLACE = "/dev/dri/"
LOCAL = ("vram", "local")           # regions that are the memory of the GPU: vram0, local0
UNITS = {"": 1, "KiB": 1024, "MiB": 1024 ** 2, "GiB": 1024 ** 3}
_MOST = 65536                       # bytes of a file that are read


class Client(NamedTuple):
    """What a file says of who opened it: the GPU's address, a number of the client there, GPU time (ns), memory
    (bytes), and of drivers that count cycles {engine: (of them busy, all)}."""
    address: str
    id: str
    time: Optional[int]
    memory: Optional[int]
    cycles: dict


class Clients:
    """Those of `proc`, a Path."""

    def __init__(self, proc):
        self._proc, self._looks = proc, Looks()
        self._names = {}                        # {pid: names of its files that are open GPUs}, of those that have some
        self._cycles = {}                       # {key: (boottime, {engine: (busy, all)}, ns so far)}

    def read(self, pids, names):
        """{device: [`Use`]} of the processes `pids`, keys of a dict; `names` are {address: device}."""
        now, found, seen = boottime(), {}, {}
        self._look(pids, now)
        for pid, files in self._names.items():
            for name in files:
                client = parse(_text("%s/%d/fdinfo/%s" % (self._proc, pid, name)))
                key = client and (client.address, client.id)
                if client and client.address in names and key not in seen:
                    seen[key] = self._cycles_of(key, client, now)
                    time = client.time if seen[key] is None else seen[key][2]
                    found.setdefault(names[client.address], []).append(Use(pid, client.memory, None, time, key))
        self._cycles = {key: state for key, state in seen.items() if state}
        return found

    def _look(self, pids, now):
        """Look for open GPUs of the processes for which it is time."""
        for pid in self._looks.keep(pids):
            self._names.pop(pid, None)
        for pid in self._looks.due(pids, now):
            names = tuple(self._open(pid))
            if names:
                self._names[pid] = names
            else:
                self._names.pop(pid, None)

    def _open(self, pid):
        folder = "%s/%d/fd" % (self._proc, pid)
        try:
            names = os.listdir(folder)
        except OSError:
            return                  # it is gone, or another user's
        for name in names:
            try:
                if os.readlink(folder + "/" + name).startswith(PLACE):
                    yield name
            except OSError:
                continue            # closed meanwhile

    def _cycles_of(self, key, client, now):
        """The state of a client that counts cycles, None of others: the share of busy cycles is that of time."""
        if not client.cycles:
            return None
        then, before, time = self._cycles.get(key, (now, {}, 0))
        for engine, (busy, total) in client.cycles.items():
            was_busy, was_total = before.get(engine, (busy, total))
            if total > was_total and busy > was_busy:
                time += min(1, (busy - was_busy) / (total - was_total)) * (now - then)
        return now, client.cycles, int(time)


def parse(text):
    """The `Client` of a file's `text`; None where it is no GPU's, or names none."""
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}
    if not fields.get("drm-pdev") or not fields.get("drm-client-id"):
        return None
    times = [_number(value) for key, value in fields.items()
             if key.startswith("drm-engine-") and not key.startswith("drm-engine-capacity-")]
    cycles = {key[len("drm-cycles-"):]: (_number(value), _number(fields.get("drm-total-cycles-" + key[11:], "")))
              for key, value in fields.items() if key.startswith("drm-cycles-")}
    known = [time for time in times if time is not None]
    return Client(fields["drm-pdev"], fields["drm-client-id"], sum(known) if known else None, _memory(fields),
                  {name: pair for name, pair in cycles.items() if None not in pair})


def _memory(fields):
    """Bytes that it has in the memory of the GPU: those resident, and before Linux 6.5 "memory"."""
    for kind in ("drm-resident-", "drm-memory-"):
        sizes = [_number(value) for key, value in fields.items()
                 if key.startswith(kind) and key[len(kind):].startswith(LOCAL)]
        if sizes and None not in sizes:
            return sum(sizes)
    return None


def _number(text):
    """The number in "12 KiB" in units of one, None where it is none."""
    number, _, unit = text.partition(" ")
    plain = number.isascii() and number.isdecimal() and len(number) <= 18
    return int(number) * UNITS.get(unit.strip(), 1) if plain else None


def _text(path):
    try:
        with open(path, "rb") as file:
            return file.read(_MOST).decode("ascii", "replace")
    except OSError:
        return ""                   # closed, or the process is gone
