"""The source of energy on the kernel of a guest: the same six zones by powercap and by the PMU "power", which the
module ``energy`` makes and moves. Goes to /out/zones.json: for each step what was used by then, and the rows of both;
the module is unloaded at last, and comes back.
"""
import json
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

from colmet.node.backends import rapl

USED = Path("/sys/module/energy/parameters/used")
BY_PMU = Path("/tmp/pmu")       # a root without powercap
J = 10 ** 6                     # uJ
RANGE, DRAM_RANGE = 262143328850, 65712999613       # of the module
START = (RANGE - 5 * J, 0, DRAM_RANGE - J, 10 ** 15, 7, 0)
STEPS = [(0,) * 6, (4 * J, 3 * J, J // 2, 1234567890, 1, 0), (10 * J, 5 * J, 2 * J, 80000 * J, 2, 3),
         (10 * J + 1, 5 * J, 2 * J, 300000 * J, 10 ** 9, 4)]


def use(energies):
    """Let the zones have used these since `START`, uJ."""
    USED.write_text(",".join(str(start + energy) for start, energy in zip(START, energies)))


def module(command):
    """Unload or load it; an event that was just closed may hold it for a moment."""
    end = time.monotonic() + 60
    while os.system(command):
        assert time.monotonic() < end, command
        time.sleep(0.2)


def source(root, folder):
    """The source by what is below `root`."""
    return rapl.Backend(root, SimpleNamespace(tables=None, mapping_dir=folder))


def sample(backend):
    """{zone: values}, and the columns of 0.6."""
    rows = backend.sample([])
    return {"rows": {name: values for _, name, values in rows["rapl"]}, "columns": rows["RAPLstats_default"][0][2]}


def main():
    """All steps."""
    for name in ("bus", "devices"):
        (BY_PMU / "sys").mkdir(parents=True, exist_ok=True)
        (BY_PMU / "sys" / name).symlink_to(Path("/sys", name))
    use(STEPS[0])
    sources = {"powercap": source(Path("/"), "/out"), "perf": source(BY_PMU, "/tmp")}
    found = {"readers": {name: each.reader for name, each in sources.items()}, "steps": []}
    for energies in STEPS:
        use(energies)
        found["steps"].append({"used": energies, **{name: sample(each) for name, each in sources.items()}})
    sources["perf"].close()
    module("rmmod energy")
    found["without"] = sample(sources["powercap"])
    module("insmod /modules/energy")
    use((0,) * 6)
    found["back"] = sample(sources["powercap"])
    use((J,) * 6)
    found["after"] = sample(sources["powercap"])
    sources["powercap"].close()
    Path("/out/zones.json").write_text(json.dumps(found))


if __name__ == "__main__":
    sys.exit(main())
