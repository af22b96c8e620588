"""GPUs of AMD and Intel, from sysfs: the drivers amdgpu, i915 and xe, whose files stay open.

/sys/class/drm/cardN/device/{gpu_busy_percent,mem_busy_percent,mem_info_vram_used,mem_info_vram_total} (amdgpu:
gpu/amdgpu/thermal.rst and driver-misc.rst of the kernel's documentation), and hwmon below it: power1_average or
power1_input (uW), energyN_input (uJ), tempN_input (mC) with tempN_label. Processes are those of `Clients` and `Kfd`.
"""
import errno
import os
import re

from colmet.node.backends import Unavailable
from colmet.node.clock import boottime
from colmet.node.gpu.clients import Clients
from colmet.node.gpu.device import AMD, INTEL, LOOK_NS, Device, Reading, State
from colmet.node.gpu.kfd import Kfd
from colmet.node.sensor import ASLEEP, File
from colmet.node.sysfs import GONE, identities, natural, text

CLASS = "sys/class/drm"
DRIVERS = {"amdgpu": AMD, "i915": INTEL, "xe": INTEL}
NONE_THERE = "no GPU of amdgpu, i915 or xe in %s; modprobe its driver"
RESTING = (errno.ENODATA, errno.EAGAIN, errno.EPERM, errno.EBUSY)   # it sleeps, or has no such value
MEMORY = ("mem", "vram")                    # labels of the temperature of its memory
_CARD = re.compile(r"card(\d+)")
_SENSOR = re.compile(r"(power1_average|power1_input|energy\d+_input|temp\d+_input)")
_NUMBER = re.compile(rb"-?\d{1,18}")


class Drm:
    """Those below `root`. Raises Unavailable where there are none. `faults` takes what goes wrong."""

    name = "sysfs"

    def __init__(self, root, faults):
        self._root, self._faults, self._cards, self._due, self._listing = root, faults, {}, 0, None
        self._look()
        if not self._cards:
            raise Unavailable(NONE_THERE % (root / CLASS))
        self._clients, self._kfd = Clients(root / "proc"), Kfd(root)

    def read(self, owners):
        """{`Device`: `State`}; processes are those of the jobs of `owners` (`colmet.node.gpu.pids.Owners`), with ROCm
        all."""
        if boottime() >= self._due:
            self._look()
        by_address = {card.address: device.name for device, card in self._cards.items()}
        uses = self._clients.read(owners.pids(), by_address)
        self._kfd.add(uses, {card.render: device.name for device, card in self._cards.items()})
        return {device: State(self._read(device, card), uses.get(device.name, []))
                for device, card in self._cards.items()}

    def close(self):
        """Closes all files."""
        for card in self._cards.values():
            card.close()

    def _look(self):
        self._due, listing = boottime() + LOOK_NS, identities(self._root / CLASS, _CARD)
        if listing == self._listing:
            return
        self._listing, found = listing, {}
        for vendor in (AMD, INTEL):
            for index, (name, folder) in enumerate(_cards(self._root / CLASS, vendor)):
                device = _device(name, folder, vendor, index)
                known = self._cards.get(device)
                found[device] = known if known and not known.gone else _Card(folder)
        for device, card in self._cards.items():
            if found.get(device) is not card:
                card.close()
        self._cards = found

    def _read(self, device, card):
        try:
            if card.power_state.read() == ASLEEP:
                return Reading()            # reading would wake it
            return card.read()
        except OSError as error:
            if error.errno in GONE:
                card.gone, self._due, self._listing = True, 0, None     # what comes in its place is another
            self._faults.add("%s %d" % (device.name, error.errno), "gpu: %s: %s; it is missing until it answers"
                             % (device.name, os.strerror(error.errno).lower()))
            return Reading()


class _Card:
    """The files of the card in the folder /sys/class/drm/cardN. `address` is that of its bus, `render` the minor
    number of its file without the right to set modes."""

    def __init__(self, folder):
        device, self.gone = folder / "device", False
        facts = _facts(device)
        self.address = facts.get("PCI_SLOT_NAME", "")
        self.render = _node(device)[1]
        self.power_state = _file(device / "power" / "runtime_status")
        sensors = dict(_sensors(device / "hwmon"))
        temperatures = {label: path for label, path in sensors.items() if path.name.startswith("temp")}
        memory = next((temperatures.pop(label) for label in MEMORY if label in temperatures), None)
        self._energy = _file(next((path for path in sensors.values() if path.name.startswith("energy")), None))
        names = ("gpu_busy_percent", "mem_busy_percent", "mem_info_vram_used", "mem_info_vram_total")
        self._whole = [_file(device / name) for name in names]
        self._scaled = [(_file(path), scale) for path, scale in (
            (sensors.get("power1_average") or sensors.get("power1_input"), 10 ** 6),
            (temperatures.get("edge") or next(iter(temperatures.values()), None), 1000), (memory, 1000))]

    def read(self):
        """Its `Reading`. Raises OSError."""
        scaled = [_value(file) for file, _ in self._scaled]
        return Reading(*[_value(file) for file in self._whole],
                       *[None if value is None else value / scale for value, (_, scale) in zip(scaled, self._scaled)],
                       _value(self._energy))

    def close(self):
        """Closes the files."""
        for file in [self.power_state, self._energy, *self._whole, *[file for file, _ in self._scaled]]:
            file.close()


def _value(file):
    """The number in it, None where it holds none, or not now."""
    try:
        found = file.read()
    except OSError as error:
        if error.errno in RESTING:
            return None
        raise
    return int(found) if _NUMBER.fullmatch(found) else None


def _file(path):
    return File(path if path and path.exists() else None)


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
