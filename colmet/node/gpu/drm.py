"""GPUs of AMD and Intel, from sysfs: the drivers amdgpu, i915 and xe, whose files stay open.

/sys/class/drm/cardN/device/{gpu_busy_percent,mem_busy_percent,mem_info_vram_used,mem_info_vram_total} (amdgpu:
gpu/amdgpu/thermal.rst and driver-misc.rst of the kernel's documentation), and hwmon below it: power1_average or
power1_input (uW), energyN_input (uJ), tempN_input (mC) with tempN_label. Processes are those of `Clients` and `Kfd`.
"""
import errno
import os
import re

from colmet.node import compiled
from colmet.node.backends import Unavailable
from colmet.node.clock import boottime
from colmet.node.devices import Devices, Files
from colmet.node.gpu.clients import Clients
from colmet.node.gpu.device import AMD, INTEL, Device, Reading, State
from colmet.node.gpu.kfd import Kfd
from colmet.node.listing import Listing
from colmet.node.sysfs import GONE, LOOK, RESTING, natural, text

CLASS = "sys/class/drm"
DRIVERS = {"amdgpu": AMD, "i915": INTEL, "xe": INTEL}
NONE_THERE = "no GPU of amdgpu, i915 or xe in %s; modprobe its driver"
SILENT = RESTING + (errno.EPERM, errno.EBUSY)   # it sleeps, or has no such value
MEMORY = ("mem", "vram")                    # labels of the temperature of its memory
_CARD = re.compile(r"card(\d+)")
_SENSOR = re.compile(r"(power1_average|power1_input|energy\d+_input|temp\d+_input)")
_SCALES = (1, 1, 1, 1, 10 ** 6, 1000, 1000, 1)      # of the fields of `Reading`, in the files' units


class Drm:
    """Those below `root`. Raises Unavailable where there are none. `faults` takes what goes wrong."""

    name = "sysfs"

    def __init__(self, root, faults):
        self._root, self._faults, self._cards, self._due = root, faults, {}, 0
        self._listing = Listing(root, (CLASS, _CARD))
        self._find()
        if not self._cards:
            raise Unavailable(NONE_THERE % (root / CLASS))
        self._devices = Devices(compiled.load("_files"))
        self._clients, self._kfd = Clients(root / "proc"), Kfd(root)
        self._addresses, self._renders = {}, {}         # of the cards' names, as of the last look

    def read(self, owners):
        """{`Device`: `State`}; processes are those of the jobs of `owners` (`colmet.node.gpu.pids.Owners`), with ROCm
        all."""
        if boottime() >= self._due:
            self._look()
        uses = self._clients.read(owners.pids(), self._addresses)
        self._kfd.add(uses, self._renders)
        answers = self._devices.read()
        return {device: State(self._reading(device, answers[device]), uses.get(device.name, []))
                for device in self._cards}

    def close(self):
        """Closes all files."""
        self._devices.close()

    def _look(self):
        self._find()
        self._devices.keep({device: card.files for device, card in self._cards.items()})
        self._addresses = {card.address: device.name for device, card in self._cards.items()}
        self._renders = {card.render: device.name for device, card in self._cards.items()}
        self._kfd.look()
        self._due = boottime() + LOOK

    def _find(self):
        if not self._listing.changed():
            return
        found = {}
        for vendor in (AMD, INTEL):
            for index, (name, folder) in enumerate(_cards(self._root / CLASS, vendor)):
                device = _device(name, folder, vendor, index)
                found[device] = self._cards.get(device) or _Card(folder)
        self._cards = found

    def _reading(self, device, answers):
        codes = [code for _, code in answers if code and code not in SILENT]
        if not codes:
            return Reading(*[number if number is None or scale == 1 else number / scale
                             for (number, _), scale in zip(answers, _SCALES)])
        if any(code in GONE for code in codes):
            self._devices.lose(device)
            self._cards = {other: card for other, card in self._cards.items() if other != device}
            self._due = 0
            self._listing.forget()      # what comes in its place is another
        self._faults.add("%s %d" % (device.name, codes[0]), "gpu: %s: %s; it is missing until it answers"
                         % (device.name, os.strerror(codes[0]).lower()))
        return Reading()


class _Card:
    """The card in the folder /sys/class/drm/cardN: its `files` are in the order of `Reading`. `address` is that of its
    bus, `render` the minor number of its file without the right to set modes."""

    def __init__(self, folder):
        device = folder / "device"
        facts = _facts(device)
        self.address = facts.get("PCI_SLOT_NAME", "")
        self.render = _node(device)[1]
        sensors = dict(_sensors(device / "hwmon"))
        temperatures = {label: path for label, path in sensors.items() if path.name.startswith("temp")}
        memory = next((temperatures.pop(label) for label in MEMORY if label in temperatures), None)
        names = ("gpu_busy_percent", "mem_busy_percent", "mem_info_vram_used", "mem_info_vram_total")
        numbers = [*[device / name for name in names], sensors.get("power1_average") or sensors.get("power1_input"),
                   temperatures.get("edge") or next(iter(temperatures.values()), None), memory,
                   next((path for path in sensors.values() if path.name.startswith("energy")), None)]
        self.files = Files(tuple(map(_there, numbers)), _there(device / "power" / "runtime_status"))


def _there(path):
    return path if path and path.exists() else None


def _cards(folder, vendor):
    """(name, path) of the cards of `vendor`, in the order of their addresses."""
    found = [(folder / name, _facts(folder / name / "device")) for name in _listed(folder) if _CARD.fullmatch(name)]
    mine = [(facts.get("PCI_SLOT_NAME", ""), path) for path, facts in found
            if DRIVERS.get(facts.get("DRIVER")) == vendor]
    return [(path.name, path) for _, path in sorted(mine, key=lambda each: (each[0], natural(each[1].name)))]


def _device(name, folder, vendor, index):
    render = _node(folder / "device")
    return Device(name, name, vendor, frozenset([render] if render[1] is not None else []),
                  text(folder / "device" / "unique_id"), index, index)


def _facts(device):
    """{"DRIVER": "amdgpu", "PCI_SLOT_NAME": "0000:03:00.0"} and what else its uevent says."""
    return dict(line.partition("=")[::2] for line in text(device / "uevent").splitlines())


def _node(device):
    """(major, minor) of its render node, (None, None) where it has none."""
    names = [name for name in _listed(device / "drm") if name.startswith("renderD")]
    major, _, minor = text(device / "drm" / names[0] / "dev").partition(":") if names else ("", "", "")
    return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else (None, None)


def _sensors(folder):
    """(label or, without one, stem; path) of its sensors, in their order."""
    for chip in _listed(folder):
        for name in _listed(folder / chip):
            if _SENSOR.fullmatch(name):
                label = "" if name.startswith("power") else text(folder / chip / name.replace("_input", "_label"))
                yield label if name.startswith("temp") and label else name, folder / chip / name


def _listed(folder):
    """Its names in the order of the numbers in them."""
    try:
        return sorted(os.listdir(folder), key=natural)
    except OSError:
        return []
