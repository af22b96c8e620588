"""A sample of GPUs as rows: those of the table `gpu`, and the columns that 0.6 had for NVIDIA's."""
from colmet.common.quantities import MIB
from colmet.node.gpu.device import NVIDIA
from colmet.node.gpu.shares import of


def row(job, now, share):
    """Values of `gpu` for `job`, None for the node: `now` is a `gpus.Now`, `share` its `shares.Share`."""
    uses, reading = of(job, now.uses), now.reading
    memory = [use.memory for use in uses]
    busy = [use.utilization for use in uses]
    power = now.spent.watts
    given = max(now.held.values(), default=0) if job is None else now.held.get(job, 0)
    return [share.since, share.energy, power, reading.utilization, reading.memory_utilization,
            reading.memory_used, reading.memory_total, reading.temperature, reading.memory_temperature, len(uses),
            None if None in memory else sum(memory), share.peak, None if None in busy else sum(busy), share.time,
            share.ended, given, int(bool(uses or (job in now.users if job else now.accounts))), len(now.holders)]


def columns(job, found):
    """The seven values of 0.6: sums over NVIDIA's cards on which the job has processes, the temperature of the hottest.
    0 where it has none; None where one of them does not say."""
    used = {device.card for device, now in found.items() if device.vendor == NVIDIA and of(job, now.uses)}
    there = [now.reading for device, now in found.items() if device.name in used]
    sizes = ("memory_total", "memory_free", "memory_used")
    return [_sum(each.power for each in there), _sum((each.temperature for each in there), max),
            _sum(each.utilization for each in there), _sum(each.memory_utilization for each in there),
            *[_sum(_mib(getattr(each, size)) for each in there) for size in sizes]]


def _mib(size):
    return None if size is None else size // MIB


def _sum(values, fold=sum):
    """The whole numbers in `values` together, None where one is not known."""
    known = [_whole(value) for value in values]
    return None if None in known else fold(known) if known else 0


def _whole(value):
    return None if value is None else int(value)
