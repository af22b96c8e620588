"""The accounting of NVIDIA's driver (nvidia-smi --accounting-mode): what each process got of a GPU, told until some
thousands of others ended too. So none is missed that began and ended between two samples.
"""
from colmet.node.gpu.device import Account
from colmet.node.gpu.nvml import NO_VALUE, NO_VALUE_32

MS, US = 10 ** 6, 10 ** 3       # ns


class Accounts:
    """Those of one device."""

    def __init__(self):
        self._closed = None             # pids that ended and were told; None before the first reading

    def read(self, nvml, handle, now, running):
        """List of `Account`s: of processes that run, and of those that ended since the reading before, once. None
        where the driver keeps none. `now` is Unix time (ns), `running` are the pids that are on the device."""
        if not nvml.number("DeviceGetAccountingMode", handle):
            self._closed = None
            return None
        pids = [pid for pid, in nvml.list("DeviceGetAccountingPids", handle, "pid_only_t") or []]
        if self._closed is None:
            self._closed = set(pids) - running      # they ended before anybody asked
        self._closed = self._closed.intersection(pids) - running
        found = [self._account(nvml, handle, pid, now) for pid in dict.fromkeys(pids) if pid not in self._closed]
        found = [account for account in found if account]
        self._closed.update(account.pid for account in found if not account.running)
        return found

    def _account(self, nvml, handle, pid, now):
        found = nvml.ask("DeviceGetAccountingStats", handle, "accounting_t *", pid)
        if found is None:
            return None
        start, running = found.start * US, bool(found.running)
        lasted = max(0, now - start) if running else found.time * MS
        return Account(pid, running, start, None if found.gpu == NO_VALUE_32 else lasted * found.gpu // 100,
                       None if found.peak == NO_VALUE else found.peak)
