"""GPUs (`colmet.node.gpu`): a row for each in `gpu`, of the node and of each job that holds or used one, and 0.6's
columns for NVIDIA's in `nvidiastats_default`.

A driver may take seconds for an answer, and for a session more: the source has a thread of its own, in which alone any
driver is asked.
"""
from colmet.common.metrics import gpu, nvidia
from colmet.node.gpu.device import NVIDIA
from colmet.node.gpu.gpus import Gpus
from colmet.node.gpu.nvidia import Nvidia
from colmet.node.gpu.rows import columns, row
from colmet.node.gpu.shares import Shares

TABLES = (nvidia.TABLE, gpu.TABLE)
SLOW = True


class Backend:
    """The GPUs below `root`. Raises Unavailable where there are none."""

    def __init__(self, root, options):
        self.gpus = Gpus(root)          # of which colmet.node.gpu.energy.Energy makes another use
        self.lacks, self.tables = dict(self.gpus.lacks), options.tables
        if Nvidia.name in self.gpus.refused and self._wants(nvidia.TABLE):
            self.lacks["NVIDIA's"] = self.gpus.refused[Nvidia.name]
        self.reader = " and ".join(self.gpus.readers)
        self.unfilled = () if Nvidia.name in self.gpus.readers else (nvidia.TABLE.name,)
        self._shares = Shares()

    def sample(self, jobs):
        """Rows of all devices; of 0.6's table one for each job, while NVIDIA's driver answers."""
        found, rows = self.gpus.read(jobs), {}
        shares = self._shares.take(jobs, found)
        if self._wants(gpu.TABLE):
            rows[gpu.TABLE.name] = [(job, device.name, row(job, found[device], share))
                                    for (job, device), share in shares.items()]
        if self._wants(nvidia.TABLE) and any(device.vendor == NVIDIA for device in found):
            rows[nvidia.TABLE.name] = [(job, "", columns(job, found)) for job in jobs]
        return rows

    def close(self):
        """Ends the sessions with the drivers."""
        self.gpus.close()

    def _wants(self, table):
        return self.tables is None or table.name in self.tables
