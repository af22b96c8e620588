"""NVIDIA's GPUs by NVML: their cards and MIG instances, the processes on them, and the driver's accounts of processes.

The session with the driver is opened by the first reading, and again when the driver was gone; which devices there are
is looked at every 60 s, and after a fault.
"""
import time

from colmet.node.backends import Unavailable
from colmet.node.clock import boottime
from colmet.node.gpu import mig
from colmet.node.gpu.accounts import Accounts
from colmet.node.gpu.device import NVIDIA, Device, Reading, State, Use
from colmet.node.gpu.nvml import DEAD, GONE, MEMORY_TEMPERATURE, MEMORY_V2, NO_VALUE, Fault, Nvml
from colmet.node.log import log
from colmet.node.sysfs import LOOK, text

MAJOR = 195                 # of /dev/nvidiaN (kernel's devices.txt)
VERSION = "proc/driver/nvidia/version"
NOT_LOADED = "the NVIDIA driver is not loaded: no %s; modprobe nvidia"
RUNNING = "DeviceGetComputeRunningProcesses"
PROCESSES = ((RUNNING + "_v3", "process_t"), (RUNNING + "_v2", "process_t"), (RUNNING, "process1_t"))


class Nvidia:
    """The GPUs of the driver that runs below `root`. Raises Unavailable where there is no library or no driver; asks
    neither anything yet. `faults` (`colmet.node.log.Faults`) takes what goes wrong."""

    name = "NVML"

    def __init__(self, root, faults):
        if not text(root / VERSION):
            raise Unavailable(NOT_LOADED % (root / VERSION))
        self._nvml, self._root, self._faults = Nvml(), root, faults
        self._up, self._due = False, 0
        self._handles, self._accounts, self._sampled = {}, {}, {}       # by device

    def read(self, owners):
        """{`Device`: `State`}; {} while the driver is gone."""
        try:
            if boottime() >= self._due:
                self._look()
            return {device: self._read(device, handle) for device, handle in self._handles.items()}
        except Fault as fault:
            self._faults.add("NVML %d" % fault.code, "gpu: NVIDIA: %s; its GPUs are missing until it answers" % fault)
            self._end()
            return {}

    def close(self):
        """Ends the session."""
        self._end()

    def _end(self):
        if self._up:
            try:
                self._nvml.call("Shutdown")
            except Fault:
                pass                    # the driver went first
        self._up, self._handles = False, {}
        self._due = boottime() + LOOK

    def _look(self):
        """Find the devices, whose names and accounts stay. Raises Fault."""
        self._due = boottime() + LOOK
        if not self._up:
            self._nvml.call("Init_v2")
            self._up = True
            log.info("gpu: NVML of driver %s", self._nvml.text("SystemGetDriverVersion"))
        count = self._nvml.ffi.new("unsigned int *")
        self._nvml.call("DeviceGetCount_v2", count)
        known = {device.index: device for device in self._handles if device.card == device.name}
        self._handles = {device: handle for index in range(count[0])
                         for device, handle in self._found(index, known.get(index))}

    def _found(self, index, known):
        """[(device, handle)]: a card and its instances; the handle is None where the card is lost."""
        try:
            cell = self._nvml.ffi.new("nvmlDevice_t *")
            self._nvml.call("DeviceGetHandleByIndex_v2", index, cell)
            minor = self._nvml.number("DeviceGetMinorNumber", cell[0])
            name = "nvidia%d" % (index if minor is None else minor)
            instances = mig.instances(self._nvml, cell[0], name, self._root)
            card = Device(name, name, NVIDIA, frozenset([(MAJOR, minor)]), self._nvml.text("DeviceGetUUID", cell[0]),
                          index, minor, bool(instances))
            return [(card, cell[0]), *instances]
        except Fault as fault:
            if fault.code in GONE:
                raise
            device = known or Device("nvidia%d" % index, "nvidia%d" % index, NVIDIA, index=index)
            self._lost(device, fault)
            return [(device, None)]

    def _lost(self, device, fault):
        self._faults.add(device.name, "gpu: %s: %s (dmesg, nvidia-smi); it is missing until it answers"
                         % (device.name, fault))

    def _read(self, device, handle):
        if handle is None:
            return State(Reading(), [])
        try:
            reading = self._reading(handle) if device.name == device.card else self._memory(handle, Reading())
            if reading == Reading():
                self._faults.add(device.name + " mute", "gpu: %s: its driver says nothing of it (dmesg, nvidia-smi)"
                                 % device.name)
            uses = [] if device.split else self._uses(device, handle)
            accounts = self._accounts.setdefault(device.name, Accounts()).read(
                self._nvml, handle, time.time_ns(), {use.pid for use in uses})
            return State(reading, uses, accounts)
        except Fault as fault:
            if fault.code not in DEAD:
                raise
            self._lost(device, fault)
            return State(Reading(), [])

    def _reading(self, handle):
        number = self._nvml.number
        utilization = self._nvml.ask("DeviceGetUtilizationRates", handle, "utilization_t *")
        power = number("DeviceGetPowerUsage", handle)
        energy = number("DeviceGetTotalEnergyConsumption", handle, "unsigned long long *")
        return self._memory(handle, Reading(
            utilization and utilization.gpu, utilization and utilization.memory, None, None,
            None if power is None else power / 1000, number("DeviceGetTemperature", handle, "unsigned int *", 0),
            self._memory_temperature(handle), None if energy is None else energy * 1000))

    def _memory(self, handle, reading):
        memory = self._nvml.ffi.new("memory2_t *", {"version": MEMORY_V2})
        if not self._nvml.answers("DeviceGetMemoryInfo_v2", handle, memory):
            memory = self._nvml.ask("DeviceGetMemoryInfo", handle, "memory_t *")    # what the driver reserves is used
        return reading._replace(memory_used=memory.used, memory_total=memory.total,
                                memory_free=memory.free) if memory else reading

    def _memory_temperature(self, handle):
        field = self._nvml.ffi.new("field_t *", {"id": MEMORY_TEMPERATURE})
        there = self._nvml.answers("DeviceGetFieldValues", handle, 1, field) and field.code == 0
        return (field.value.u or None) if there else None       # GPUs without such a sensor say 0

    def _uses(self, device, handle):
        lists = (self._nvml.list(name, handle, kind) for name, kind in PROCESSES)
        found = next((found for found in lists if found is not None), [])
        busy = self._busy(device, handle)
        return [Use(pid, None if memory == NO_VALUE else memory, None if busy is None else busy.get(pid, 0))
                for pid, memory, *_ in found]

    def _busy(self, device, handle):
        """{pid: % of the time since the sample before}; None where that is not told, as with MIG."""
        since = self._sampled.get(device.name, 0)
        samples = self._nvml.list("DeviceGetProcessUtilization", handle, "sample_t", since)
        if samples is None:
            return None
        self._sampled[device.name] = max([since] + [stamp for _, stamp, *_ in samples])
        found = {}
        for pid, _, sm, *_ in samples:
            found.setdefault(pid, []).append(sm)
        return {pid: sum(each) / len(each) for pid, each in found.items()}
