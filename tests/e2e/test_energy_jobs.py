"""Energy of real jobs on a made-up machine's zones, from real programs in HDF5: what is read back closes."""
import shlex
import subprocess

import pytest

from energy_tree import RANGE, Powercap
from namespaces import with_mounts
from programs import wait_for
from stored import MISSING, files, rows

pytest_plugins = ("harness",)
PATIENCE = 60
BURN = ("sh", "-c", "while :; do :; done")
HALF = ("sh", "-c", "while :; do i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done; sleep 0.05; done")
OTHERS = ("--disable-taskstats", "--disable-procstats", "--disable-account", "--disable-colmet")
ROUND = 173750000       # uJ that the zones use at a time,
WORK = 2 * 10 ** 8      # ns that each job works in between;
ROUNDS, ENDS = 6, 4     # so often; before which of them the first job ends;
SEEN = (2, 3, 6)        # after how many of them that is looked for in the files


@pytest.fixture(name="zones")
def _zones(tmp_path):
    """Made-up zones; `here` is the command that starts a program which sees them in this machine's /sys/class."""
    tree = Powercap(tmp_path / "machine")
    tree.set("package-1", RANGE - 10 ** 8)
    tree.here = with_mounts("mount --bind %s /sys/class" % shlex.quote(str(tree.root / "sys/class")))
    tried = subprocess.run([*tree.here, "true"], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip("needs root: mount --bind in a namespace of its own: " + tried.stderr.strip())
    return tree


def stored(paths, job):
    """Rows of the table energy, in the order of time."""
    return rows(paths, job, "energy")


def of_owner(paths, owner):
    """Those of the node with this owner."""
    return [row for row in stored(paths, "0") if row["owner"].decode() == owner]


def energy_in(paths):
    """uJ of the node, as far as they are stored; None before its first row."""
    found = of_owner(paths, "node")
    return found[-1]["energy"] if found else None


def dynamic(row):
    """uJ."""
    return row["package_dynamic"] + row["dram_dynamic"]


def test_the_energy_of_real_jobs_closes_in_the_file(root, zones, uri, start, tmp_path):
    def paths():
        return files(tmp_path)

    collector = start("collector", "--zeromq-bind-uri", uri, "--hdf5-filepath", tmp_path / "jobs", "--hdf5-window", "1")
    node = start("node", "--zeromq-uri", uri, "--wire", "native", "-s", "0.2", *OTHERS, "--enable-energy",
                 "--idle-power", "package=0.1", "dram=0.01", "--cpuset_rootpath", root.path, before=zones.here)
    jobs = {number: root.job(number) for number in (1, 2, 3)}
    for number, command in ((1, BURN), (2, HALF), (3, ("sleep", "600"))):
        jobs[number].run(*command)
    wait_for(lambda: all(stored(paths(), str(number)) for number in jobs), PATIENCE, "first rows")
    for number in range(ROUNDS):
        working = [jobs[2]] if number >= ENDS else [jobs[1], jobs[2]]
        if number == ENDS:
            jobs[1].remove()
        done = [job.cpu() + WORK for job in working]
        wait_for(lambda: all(job.cpu() > least for job, least in zip(working, done)), PATIENCE, "work of the jobs")
        zones.use(package_0=100.5, package_0__core=50, package_0__dram=3.25, package_1=70)
        if number + 1 in SEEN:
            wait_for(lambda: energy_in(paths()) == (number + 1) * ROUND, PATIENCE, "energy of the node")
    assert node.stop() == 0 and collector.stop() == 0
    closes(paths(), jobs)
    as_they_worked(paths())


def closes(paths, jobs):
    """What is stored last of jobs, unallocated and idle is the node, and that is what the zones used."""
    last = {number: stored(paths, str(number))[-1] for number in jobs}
    owners = {owner: of_owner(paths, owner) for owner in ("node", "jobs", "unallocated", "idle")}
    ends = {owner: found[-1] for owner, found in owners.items()}
    assert ends["node"]["energy"] == ROUNDS * ROUND
    assert ends["jobs"]["energy"] == sum(row["energy"] for row in last.values())
    assert sum(ends[owner]["energy"] for owner in ("jobs", "unallocated", "idle")) == ROUNDS * ROUND
    assert {row["since"] for found in owners.values() for row in found} == {ends["node"]["since"]}
    assert {row["source"] for row in last.values()} == {1} and last[2]["gpu_dynamic"] == MISSING
    assert 0 < dynamic(last[1]) + dynamic(last[2]) <= dynamic(ends["jobs"])
    assert dynamic(last[3]) < 0.01 * dynamic(ends["node"])
    assert rows(paths, "1", "job")[-1]["energy"] == last[1]["energy"]
    for found in [stored(paths, str(number)) for number in jobs] + list(owners.values()):
        for name in ("package_dynamic", "package_static", "dram_dynamic", "dram_static"):
            assert all(0 <= before[name] <= now[name] for before, now in zip(found, found[1:]))


def as_they_worked(paths):
    """Whenever energy came, that of the two that work grew as their CPU time in the table cgroup, at that sample."""
    energy = {row["time"]: row["energy"] for row in of_owner(paths, "node")}
    times, used = ({number: {row["time"]: value(row) for row in rows(paths, number, table)} for number in "12"}
                   for table, value in (("cgroup", lambda row: row["cpu"]), ("energy", dynamic)))
    common = sorted(set(energy).intersection(*times.values(), *used.values()))
    came = [now for before, now in zip(common, common[1:]) if energy[now] > energy[before]]
    compared = 0
    for before, now in zip(came, came[1:]):
        one, two = (used[number][now] - used[number][before] for number in "12")
        worked = [times[number][now] - times[number][before] for number in "12"]
        compared += min(one, two) > 0
        assert one * worked[1] == pytest.approx(two * worked[0], rel=0.02, abs=4 * max(worked))
    assert compared
