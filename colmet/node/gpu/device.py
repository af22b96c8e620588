"""What a GPU is and what is read of one: the words that all its readers share."""
from typing import NamedTuple, Optional

NVIDIA, AMD, INTEL = "nvidia", "amd", "intel"


class Device(NamedTuple):
    """A GPU, or with MIG an instance of one. `name` is that of its rows: nvidia0, nvidia0/gi1/ci0, card1; `card` that
    of the whole one; `nodes` are (major, minor) of the device files without which it cannot be used; `index` is its
    place in its library's order and `minor` the number of its file, by which schedulers and jobs call it; `split` says
    that only its instances can be used."""
    name: str
    card: str
    vendor: str
    nodes: frozenset = frozenset()
    uuid: str = ""
    index: Optional[int] = None
    minor: Optional[int] = None
    split: bool = False


class Reading(NamedTuple):
    """What a device says now, None where it does not: %, %, bytes, bytes, W, Celsius, Celsius, its own counter of
    energy in uJ, and bytes that are neither used nor kept by the driver."""
    utilization: Optional[int] = None
    memory_utilization: Optional[int] = None
    memory_used: Optional[int] = None
    memory_total: Optional[int] = None
    power: Optional[float] = None
    temperature: Optional[float] = None
    memory_temperature: Optional[float] = None
    energy: Optional[int] = None
    memory_free: Optional[int] = None


class Use(NamedTuple):
    """A process that has a device open now: its memory there (bytes), the % of time that it computed, and its GPU time
    so far (ns), which is counted by `key`: two of one key are one."""
    pid: int
    memory: Optional[int] = None
    utilization: Optional[float] = None
    time: Optional[int] = None
    key: tuple = ()


class Account(NamedTuple):
    """What the driver noted of a process, one that ended too: when it came to the device (Unix time, ns), its GPU time
    (ns), the most memory that it had (bytes)."""
    pid: int
    running: bool
    start: int
    time: Optional[int] = None
    memory: Optional[int] = None


class State(NamedTuple):
    """All that is read of a device at once: lists of `Use` and `Account`, the latter None where nobody keeps
    account."""
    reading: Reading
    uses: list
    accounts: Optional[list] = None
