"""What a RAPL zone is, and what is known of one: the words that the readers of powercap and of the PMU share."""
from typing import NamedTuple, Optional

PACKAGE, CORE, UNCORE, DRAM, PSYS = "package", "core", "uncore", "dram", "psys"


class Zone(NamedTuple):
    """`name` is that of the package or platform, and of the part of it: "package-0", "package-0/dram", "psys";
    `kind` is one of the above; `package` the name of the package that it is, or is a part of."""
    name: str
    kind: str
    package: str = ""


class Reading(NamedTuple):
    """What a zone used since `since` (Unix time, ns): `energy` in uJ, None where it cannot be read now, while its own
    counter, which ends at `span` (uJ, None where it does not, or that is not known), began anew `wraps` times."""
    since: int
    energy: Optional[int]
    wraps: int = 0
    span: Optional[int] = None


def zone_of(name, package=""):
    """The `Zone` that the kernel calls `name` ("package-0-die-1", "dram"), in the `package` of that name."""
    kind = PACKAGE if name.startswith(PACKAGE) else name
    own = name if kind == PACKAGE else package
    return Zone("%s/%s" % (package, name) if package and package != name else name, kind, own)


def summed(zones):
    """Names of those zones whose sum is the energy of the node, nothing counted twice: packages and memory, which
    is beside them; else the platform, which holds both; else what there is."""
    kinds = {zone.kind for zone in zones}
    if PACKAGE in kinds:
        wanted = {PACKAGE, DRAM}
    else:
        wanted = {PSYS} if PSYS in kinds else kinds
    return {zone.name for zone in zones if zone.kind in wanted}
