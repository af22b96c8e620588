"""The capabilities of this process (capabilities(7)): those that matter, which it holds, how it comes to others."""
import os
from pathlib import Path

NUMBERS = {"CAP_DAC_OVERRIDE": 1, "CAP_DAC_READ_SEARCH": 2, "CAP_NET_ADMIN": 12, "CAP_SYS_PTRACE": 19,
           "CAP_SYS_ADMIN": 21, "CAP_SYS_NICE": 23, "CAP_SYS_RESOURCE": 24,
           "CAP_PERFMON": 38, "CAP_BPF": 39}
# What does in place of each: the wider ones that hold it.
WIDER = {"CAP_BPF": "CAP_SYS_ADMIN", "CAP_PERFMON": "CAP_SYS_ADMIN", "CAP_DAC_READ_SEARCH": "CAP_DAC_OVERRIDE"}


def held(proc=Path("/proc")):
    """Names of the effective ones (proc(5), CapEff)."""
    lines = (line.split() for line in (proc / "self" / "status").read_text().splitlines())
    bits = next(int(words[1], 16) for words in lines if words[:1] == ["CapEff:"])
    return {name for name, number in NUMBERS.items() if bits >> number & 1}


def lacking(*names):
    """Those of `names` that this process has neither themselves nor by a wider one."""
    there = held()
    return [name for name in names if name not in there and WIDER.get(name) not in there]


def give(*names):
    """What to do where this process lacks them; root in a container or with a bounding set may lack them too."""
    words = " ".join(names)
    if os.geteuid() == 0:
        return "let it have %s (CapabilityBoundingSet= in its unit, --cap-add of a container)" % words
    return "start colmet-node as root, or with AmbientCapabilities=%s in its unit" % words
