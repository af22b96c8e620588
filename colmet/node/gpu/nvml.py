"""NVIDIA's library NVML, loaded when the node runs: nothing of NVIDIA's is needed to build or install.

nvml.h and the NVML API reference. A function that an old driver lacks answers as one that its GPU does not support. Any
call may take seconds.
"""
from colmet.node.backends import Unavailable

LIBRARY = "libnvidia-ml.so.1"       # the driver brings it
UNINITIALIZED, NOT_SUPPORTED, TOO_SMALL, NO_DRIVER, NO_FUNCTION, LOST, RESET = 1, 3, 7, 9, 13, 15, 16
NOT_FOUND = 6
GONE = (UNINITIALIZED, NO_DRIVER)   # of the driver, and so of all GPUs
DEAD = (LOST, RESET)                # of one GPU
NO_VALUE = 2 ** 64 - 1              # in place of a number of 64 bits; that of 32 bits likewise
NO_VALUE_32 = 2 ** 32 - 1
MEMORY_V2 = 0x02000028              # size of nvmlMemory_v2_t, and its version
MEMORY_TEMPERATURE = 82             # number of a field of nvmlDeviceGetFieldValues
_UUID = 96
_DECLARED = """
typedef struct nvmlDevice_st *nvmlDevice_t;
typedef struct { unsigned int gpu, memory; } utilization_t;
typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { unsigned int version; unsigned long long total, reserved, free, used; } memory2_t;
typedef struct { unsigned int pid; unsigned long long memory; unsigned int gi, ci; } process_t;
typedef struct { unsigned int pid; unsigned long long memory; } process1_t;
typedef struct { unsigned int pid; unsigned long long time; unsigned int sm, memory, encoder, decoder; } sample_t;
typedef struct { unsigned int pid; } pid_only_t;
typedef struct { unsigned int gpu, memory; unsigned long long peak, time, start; unsigned int running, reserved[5]; }
    accounting_t;
typedef struct { unsigned int id, scope; long long time, latency; unsigned int type; int code;
    union { double d; unsigned int u; unsigned long long q; long long s; } value; } field_t;
int nvmlInit_v2(void);
int nvmlShutdown(void);
int nvmlSystemGetDriverVersion(char *, unsigned int);
int nvmlDeviceGetCount_v2(unsigned int *);
int nvmlDeviceGetHandleByIndex_v2(unsigned int, nvmlDevice_t *);
int nvmlDeviceGetUUID(nvmlDevice_t, char *, unsigned int);
int nvmlDeviceGetMinorNumber(nvmlDevice_t, unsigned int *);
int nvmlDeviceGetUtilizationRates(nvmlDevice_t, utilization_t *);
int nvmlDeviceGetMemoryInfo(nvmlDevice_t, memory_t *);
int nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t, memory2_t *);
int nvmlDeviceGetPowerUsage(nvmlDevice_t, unsigned int *);
int nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t, unsigned long long *);
int nvmlDeviceGetTemperature(nvmlDevice_t, unsigned int, unsigned int *);
int nvmlDeviceGetFieldValues(nvmlDevice_t, int, field_t *);
int nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t, unsigned int *, process_t *);
int nvmlDeviceGetComputeRunningProcesses_v2(nvmlDevice_t, unsigned int *, process_t *);
int nvmlDeviceGetComputeRunningProcesses(nvmlDevice_t, unsigned int *, process1_t *);
int nvmlDeviceGetProcessUtilization(nvmlDevice_t, sample_t *, unsigned int *, unsigned long long);
int nvmlDeviceGetAccountingMode(nvmlDevice_t, unsigned int *);
int nvmlDeviceGetAccountingPids(nvmlDevice_t, unsigned int *, pid_only_t *);
int nvmlDeviceGetAccountingStats(nvmlDevice_t, unsigned int, accounting_t *);
int nvmlDeviceGetMigMode(nvmlDevice_t, unsigned int *, unsigned int *);
int nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t, unsigned int *);
int nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t, unsigned int, nvmlDevice_t *);
int nvmlDeviceGetGpuInstanceId(nvmlDevice_t, unsigned int *);
int nvmlDeviceGetComputeInstanceId(nvmlDevice_t, unsigned int *);
"""
_WORDS = {NO_DRIVER: "its driver is not loaded", 4: "not for this user", 10: "it does not answer", 12: "it lacks a "
          "library", 18: "library and driver are of different versions; restart the node", LOST: "it is lost",
          RESET: "it must be reset", 999: "the driver says: unknown error"}


class Fault(Exception):
    """NVML answered with `code`, an nvmlReturn_t."""

    def __init__(self, code):
        super().__init__(_WORDS.get(code, "NVML error %d" % code))
        self.code = code


class Nvml:
    """The library, not yet initialised. Raises Unavailable without it."""

    def __init__(self):
        try:
            from cffi import FFI        # here: a node without a GPU does without it
        except ImportError as error:
            raise Unavailable("Python's cffi is not here; pip install cffi") from error
        self.ffi = FFI()
        try:
            self._lib = self.ffi.dlopen(LIBRARY)
        except OSError as error:
            raise Unavailable("no %s; install NVIDIA's driver" % LIBRARY) from error
        self.ffi.cdef(_DECLARED)
        self._functions = {}

    def call(self, name, *arguments):
        """Call the function of that name without "nvml". Raises Fault."""
        function = self._functions.get(name)
        if function is None:
            try:
                function = self._functions[name] = getattr(self._lib, "nvml" + name)
            except AttributeError:
                function = self._functions[name] = lambda *_: NO_FUNCTION
        code = function(*arguments)
        if code:
            raise Fault(code)

    def ask(self, name, device, kind, *arguments):
        """A new `kind` ("unsigned int *") that the function filled in; None where it has no answer. Raises Fault where
        the GPU or the driver is gone."""
        cell = self.ffi.new(kind)
        return cell if self.answers(name, device, *arguments, cell) else None

    def answers(self, name, *arguments):
        """Whether the call has an answer; raises Fault where the GPU or the driver is gone."""
        try:
            self.call(name, *arguments)
        except Fault as fault:
            if fault.code in GONE + DEAD:
                raise
            return False
        return True

    def number(self, name, device, kind="unsigned int *", *arguments):
        """The same for one number: int or None."""
        cell = self.ask(name, device, kind, *arguments)
        return None if cell is None or cell[0] in (NO_VALUE, NO_VALUE_32) else int(cell[0])

    def text(self, name, *device):
        """The text that it answers, "" where it does not."""
        cell = self.ffi.new("char[]", _UUID)
        return self.ffi.string(cell).decode("ascii", "replace") if self.answers(name, *device, cell, _UUID) else ""

    def list(self, name, device, kind, *arguments):
        """The elements of an array of `kind` ("process_t") whose length is only known when it is too short, as a list
        of tuples; [] where it found none, None where there is no answer. `arguments` follow the array and its length.
        """
        count, room = self.ffi.new("unsigned int *"), 64
        fields = [field for field, _ in self.ffi.typeof(kind).fields]
        for _ in range(4):              # it may grow meanwhile
            cells, count[0] = self.ffi.new(kind + "[]", room), room
            pair = (cells, count) if arguments else (count, cells)
            try:
                self.call(name, device, *pair, *arguments)
                return [tuple(getattr(cells[place], field) for field in fields)
                        for place in range(min(count[0], room))]
            except Fault as fault:
                if fault.code in GONE + DEAD:
                    raise
                if fault.code != TOO_SMALL:
                    return [] if fault.code == NOT_FOUND else None
            room = max(2 * room, count[0] + 64)
        return None
