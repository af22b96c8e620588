"""RAPL by the PMU "power": made-up PMUs whose events are the kernel's own, which count the ns of a CPU."""
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from checkout import CHECKOUT
from colmet.node.backends import Unavailable, rapl
from colmet.node.rapl.power_pmu import PowerPmu
from energy_tree import Powercap, power_pmu
from loads import descriptors

EVENTS = (("energy-pkg", "0x00", "0.001"), ("energy-cores", "0x00", "0.0005"), ("energy-ram", "0x00", "0.000001"),
          ("energy-psys", "0x00", "0.002"))      # cpu-clock of perf_event_open(2): ns, so that 0.001 J a step is 1 MW
UNPRIVILEGED = """
import os, sys
from pathlib import Path
from types import SimpleNamespace
from colmet.node import compiled
from colmet.node.backends import Unavailable, rapl
compiled.load("_files"), compiled.load("_rapl")
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    print(rapl.Backend(Path(sys.argv[1]), SimpleNamespace(tables=None, mapping_dir=None)).reader)
except Unavailable as reason:
    print(reason)
"""


@pytest.fixture(name="opened")
def _opened():
    made = []

    def make(root):
        made.append(rapl.Backend(root, SimpleNamespace(tables=None, mapping_dir=None)))
        return made[-1]
    yield make
    for backend in made:
        backend.close()


def topology(root, cpu, package, die):
    """Where `cpu` is."""
    folder = root / "sys" / "devices" / "system" / "cpu" / ("cpu%d" % cpu) / "topology"
    folder.mkdir(parents=True)
    (folder / "physical_package_id").write_text("%d\n" % package)
    (folder / "die_id").write_text("%d\n" % die)


def sample(backend):
    """{zone: values} of a sample, and its values of RAPLstats_default."""
    rows = backend.sample([])
    return {zone: values for _, zone, values in rows["rapl"]}, rows["RAPLstats_default"][0][2]


@pytest.mark.root
def test_events_are_counted_and_scaled(tmp_path, opened):
    power_pmu(tmp_path, events=EVENTS)
    backend = opened(tmp_path)
    assert backend.reader == "perf" and list(backend.refused) == ["powercap"] and not backend.lacks
    before = time.monotonic()
    first, _ = sample(backend)
    time.sleep(0.2)
    second, columns = sample(backend)
    passed = time.monotonic() - before
    names = ["package-0", "package-0/core", "package-0/dram", "psys"]
    assert list(second) == names and [second[name][5] for name in names] == [1, 0, 1, 0]
    used = {name: second[name][1] - first[name][1] for name in names}
    for name, watts in zip(names, (10 ** 6, 10 ** 6 / 2, 10 ** 3, 2 * 10 ** 6)):
        assert 0.199 * watts < used[name] / 10 ** 6 < 1.01 * passed * watts
        assert used[name] / 10 ** 6 / passed / 1.01 < second[name][2] < used[name] / 10 ** 6 / 0.199
    assert second["package-0"][0] == first["package-0"][0] and second["package-0"][4] is None
    assert columns[0] == used["package-0"] and columns[1] is None and columns[4] == used["package-0/dram"]


@pytest.mark.root
def test_packages_and_dies_have_the_names_that_powercap_gives_them(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    last = os.cpu_count() - 1
    if not last:
        pytest.skip("needs two CPUs")
    for root, place in ((one, (1, 0)), (other, (0, 1))):
        power_pmu(root, "0,%d" % last, EVENTS)
        topology(root, 0, 0, 0)
        topology(root, last, *place)
    found = []
    for root in (one, other):
        pmu = PowerPmu(root, rapl.clock)
        found.append([zone.name for zone in pmu.zones if zone.kind in ("package", "psys")])
        pmu.close()
    assert found == [["package-0", "package-1", "psys"], ["package-0-die-0", "package-0-die-1", "psys"]]


@pytest.mark.root
def test_powercap_goes_first(tmp_path, opened):
    power_pmu(tmp_path)
    Powercap(tmp_path)
    assert opened(tmp_path).reader == "powercap"


@pytest.mark.root
def test_it_is_read_where_powercap_cannot_be(tmp_path, opened):
    power_pmu(tmp_path)
    tree = Powercap(tmp_path, {"package-0": "intel-rapl:0"})
    (tree.folders["package-0"] / "max_energy_range_uj").write_text("5\n")
    backend = opened(tmp_path)
    assert backend.reader == "perf" and "too often" in backend.refused["powercap"]


@pytest.mark.root
def test_without_the_right_each_way_says_what_it_wants():
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        power_pmu(root)
        Powercap(root, {"package-0": "intel-rapl:0"}).file("package-0").chmod(0o400)
        told = subprocess.run([sys.executable, "-c", UNPRIVILEGED, folder], stdout=subprocess.PIPE, cwd=CHECKOUT,
                              universal_newlines=True, check=True).stdout.strip()
    if int(Path("/proc/sys/kernel/perf_event_paranoid").read_text()) <= 0:
        assert told == "perf"
        return
    why, do = told.split("; ", 1)
    assert why == ("%s/sys/class/powercap/intel-rapl:0/energy_uj may be read by root only, since CVE-2020-8694, "
                   "perf_event_open(2) refuses what counts all tasks of a CPU" % folder)
    for word in ("root", "CAP_DAC_READ_SEARCH", "CAP_PERFMON", "sysctl kernel.perf_event_paranoid=0"):
        assert word in do


@pytest.mark.root
def test_a_cpu_that_is_not_there_costs_its_own_zone(tmp_path, opened):
    power_pmu(tmp_path, "0,4095")
    topology(tmp_path, 4095, 1, 0)
    backend = opened(tmp_path)
    assert list(sample(backend)[0]) == ["package-0"]
    assert backend.lacks["package-1"].startswith("perf_event_open(2) of energy-pkg on CPU 4095: ")


@pytest.mark.parametrize("file, text, told", [
    ("events/energy-pkg.unit", "Watts", "is in Watts"), ("events/energy-pkg.scale", "much", "much"),
    ("events/energy-pkg", "event=x", "no number"), ("format/event", "config9:0-7", "config9"), ("type", "x", "x")])
def test_what_sysfs_says_in_another_way_is_told(file, text, told, tmp_path):
    (power_pmu(tmp_path) / file).write_text(text + "\n")
    before = descriptors()
    with pytest.raises(Unavailable, match=told):
        PowerPmu(tmp_path, rapl.clock)
    assert descriptors() == before


@pytest.mark.root
def test_the_descriptors_of_the_events_are_given_back(tmp_path, opened):
    power_pmu(tmp_path, events=EVENTS)
    before = descriptors()
    opened(tmp_path).close()
    assert descriptors() == before
