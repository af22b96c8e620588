"""MIG: instances of an NVIDIA GPU, and the device files that let a job use them.

/proc/driver/nvidia-caps/mig-minors has a line for each right, "gpu0/gi1/ci0/access 13" (MIG User Guide, "Device Nodes
and Capabilities"); their major is that of nvidia-caps in /proc/devices.
"""
from colmet.node.gpu.device import NVIDIA, Device
from colmet.node.gpu.nvml import DEAD, GONE, Fault

MINORS = "proc/driver/nvidia-caps/mig-minors"
DEVICES = "proc/devices"


def instances(nvml, card, name, root):
    """[(`Device`, handle)] of the instances of the GPU with the handle `card`, whose name is `name`; [] without MIG."""
    modes = nvml.ffi.new("unsigned int[2]")
    if not nvml.answers("DeviceGetMigMode", card, modes, modes + 1) or not modes[0]:
        return []
    rights, found = _rights(root), []
    for place in range(nvml.number("DeviceGetMaxMigDeviceCount", card) or 0):
        cell = nvml.ffi.new("nvmlDevice_t *")
        try:
            nvml.call("DeviceGetMigDeviceHandleByIndex", card, place, cell)
        except Fault as fault:
            if fault.code in GONE + DEAD:
                raise
            continue                    # the places have gaps
        handle = cell[0]
        group, compute = (nvml.number("DeviceGet%sInstanceId" % kind, handle) for kind in ("Gpu", "Compute"))
        part = "gi%s/ci%s" % (group, compute)
        nodes = [rights.get("gpu%s/%s/access" % (name[len(NVIDIA):], path)) for path in (part.partition("/")[0], part)]
        found.append((Device("%s/%s" % (name, part), name, NVIDIA, frozenset(nodes) if all(nodes) else frozenset(),
                             nvml.text("DeviceGetUUID", handle)), handle))
    return found


def _rights(root):
    """{"gpu0/gi1/access": (major, minor)}."""
    major = next((int(words[0]) for words in _lines(root / DEVICES) if words[1:] == ["nvidia-caps"]
                  and words[0].isdecimal()), None)
    return {words[0]: (major, int(words[1])) for words in _lines(root / MINORS)
            if major is not None and len(words) == 2 and words[1].isdecimal()}


def _lines(path):
    try:
        return [line.split() for line in path.read_text().splitlines()]
    except (OSError, UnicodeDecodeError):
        return []
