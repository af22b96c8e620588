"""``colmet-node check`` and colmet-node where one right after the other is taken away: what line tells of it, and
what is still measured."""
import ctypes
import json
import os
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple, Tuple

import pytest

from colmet.common.metrics import TABLES
from colmet.node.capabilities import NUMBERS
from colmet.node.checks.rights import CAPABILITIES
from e2e.collectors import Native, Old
from e2e.programs import Program, wait_for
from runs import ORDINARY

pytest_plugins = ("harness",)
pytestmark = pytest.mark.root
PR_CAPBSET_DROP = 24            # prctl(2)
NOBODY = 65534
ADMIN, DAC = "CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"
# What a root to whom nothing is denied is told, and what a user without any right.
ALL = dict.fromkeys(("job ends", "bpf (tasks)", "netlink (tasks)", "proc (tasks)", "account", "others' I/O"), "on")
WITHOUT_BPF = {"bpf (tasks)": ("off", "needs %s"), "job ends": ("part", "needs %s")}
MAYBE = {"CAP_SYS_RESOURCE", "CAP_SYS_NICE"}        # not all that may try the others hold these
NOT_HELD = {each.name: ("off", each.gives) for each in CAPABILITIES}


class Case(NamedTuple):
    """What is taken away; all lines that tell of it, {name: (state, words of it)}, so that all others stay as they
    were; and the reader of tasks that is left."""
    dropped: Tuple[str, ...]
    told: dict
    reader: str = "bpf"
    exit: int = 0


def without_bpf(*names):
    """The lines of WITHOUT_BPF that name the capability that lacks."""
    return {line: (state, words % " and ".join(names)) for line, (state, words) in WITHOUT_BPF.items()}


CASES = {
    "nothing": Case((), {}),
    "bpf": Case(("CAP_BPF", ADMIN), dict(without_bpf("CAP_BPF"), CAP_BPF=NOT_HELD["CAP_BPF"]), "netlink"),
    "bpf, but admin": Case(("CAP_BPF",), {"CAP_BPF": ("on", "CAP_SYS_ADMIN is")}),
    "perfmon": Case(("CAP_PERFMON", ADMIN), dict(without_bpf("CAP_PERFMON"), CAP_PERFMON=NOT_HELD["CAP_PERFMON"]),
                    "netlink"),
    "perfmon, but admin": Case(("CAP_PERFMON",), {"CAP_PERFMON": ("on", "CAP_SYS_ADMIN is")}),
    "admin": Case((ADMIN,), {}),
    "net_admin": Case(("CAP_NET_ADMIN",), {"netlink (tasks)": ("off", "needs CAP_NET_ADMIN"),
                                           "CAP_NET_ADMIN": NOT_HELD["CAP_NET_ADMIN"]}),
    "ptrace": Case(("CAP_SYS_PTRACE",), {"CAP_SYS_PTRACE": NOT_HELD["CAP_SYS_PTRACE"]}),
    "bpf and ptrace": Case(("CAP_BPF", ADMIN, "CAP_SYS_PTRACE"), dict(without_bpf("CAP_BPF"), **{
        "CAP_BPF": NOT_HELD["CAP_BPF"], "others' I/O": ("off", "let it have CAP_SYS_PTRACE "),
        "CAP_SYS_PTRACE": NOT_HELD["CAP_SYS_PTRACE"]}), "netlink", 1),
    "dac": Case(("CAP_DAC_READ_SEARCH", DAC), {
        "job 7": ("part", "but by bpf"), "CAP_DAC_READ_SEARCH": NOT_HELD["CAP_DAC_READ_SEARCH"]}),
    "bpf and dac": Case(("CAP_BPF", ADMIN, "CAP_DAC_READ_SEARCH", DAC), dict(without_bpf("CAP_BPF"), **{
        "CAP_BPF": NOT_HELD["CAP_BPF"], "job 7": ("off", "may not be read by this user"),
        "others' I/O": ("off", "let it have CAP_DAC_READ_SEARCH "),
        "CAP_DAC_READ_SEARCH": NOT_HELD["CAP_DAC_READ_SEARCH"]}), "netlink", 1),
    "dac, but override": Case(("CAP_DAC_READ_SEARCH",), {"CAP_DAC_READ_SEARCH": ("on", "CAP_DAC_OVERRIDE is")}),
    "override": Case((DAC,), {}),
    "nice": Case(("CAP_SYS_NICE",), {"CAP_SYS_NICE": NOT_HELD["CAP_SYS_NICE"]}),
    "resource": Case(("CAP_SYS_RESOURCE",), {"CAP_SYS_RESOURCE": ("on", "BPF works without")}),
    "all": Case(tuple(NUMBERS), dict(without_bpf("CAP_BPF", "CAP_PERFMON"), **NOT_HELD, **{
        "netlink (tasks)": ("off", "needs CAP_NET_ADMIN"), "account": ("off", "needs CAP_BPF and CAP_PERFMON"),
        "others' I/O": ("off", "CAP_SYS_PTRACE"), "rights": ("off", "no capability that matters")}), "proc", 1),
}


def lacking():
    """Which of the capabilities this test may take away it does not have itself."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff"))
    return [name for name, number in NUMBERS.items()
            if name not in MAYBE and not int(line.split()[1], 16) >> number & 1]


def without(names):
    """For Popen's preexec_fn: what root gets at its exec(2) is what the bounding set has left."""
    library = ctypes.CDLL(None)

    def drop():
        for name in names:
            library.prctl(PR_CAPBSET_DROP, NUMBERS[name], 0, 0, 0)
    return drop


def check(folder, *arguments, before=(), **options):
    """(exit code, {name: finding} of the last of each name, the whole report) of the real program."""
    command = [*before, sys.executable, "-m", "colmet.node.main", "check", "--json"] + [str(each) for each in arguments]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                          **options)
    assert done.stderr == b""
    report = json.loads(done.stdout)
    return done.returncode, {each["name"]: each for each in report["checks"]}, report


@pytest.fixture(name="peer")
def _peer(tmp_path):
    with closing(Native("ipc://%s/c.native" % tmp_path)) as peer:
        yield peer


@pytest.fixture(name="job")
def _job(root):
    """A job with one process, and a process of another user beside it."""
    if lacking():
        pytest.skip("needs %s: to take it away" % ", ".join(lacking()))
    job = root.job(7)
    job.run("sleep", 1000)
    wait_for(lambda: len(job.tasks()) == 1, 30, "task in the job")
    with subprocess.Popen(["sleep", "1000"], user=NOBODY, group=NOBODY, extra_groups=()) as other:
        yield job
        other.kill()


def close_to_others(job):
    """Let nobody but its owner, another user, list what is in it."""
    for name in ("tasks", "cgroup.procs"):
        os.chown(job.path / name, NOBODY, NOBODY)
        (job.path / name).chmod(0o600)


@pytest.mark.parametrize("name", CASES)
def test_a_right_that_is_missing_is_told_and_costs_nothing_else(name, root, job, peer, tmp_path):
    case = CASES[name]
    if "dac" in name:
        close_to_others(job)
    arguments = ["--zeromq-uri", "ipc://%s/c" % tmp_path, "--cpuset_rootpath", root.path, "--enable-jobproc",
                 "--account-pins", "", "--hostname", "node-1"]
    code, findings, report = check(tmp_path, *arguments, preexec_fn=without(case.dropped))
    promised(case, findings)
    account = findings["account"]["state"] == "on"
    assert code == max(case.exit, int(not account)) and report["works"] == (code == 0)

    with Program("colmet.node.main", ["-s", 0.2] + arguments, tmp_path, preexec_fn=without(case.dropped)) as node:
        peer.serve(lambda: len(peer.batches) >= 5)
        os.kill(node.pid, 15)
        peer.serve(lambda: node.process.poll() is not None)
        assert node.process.returncode == 0 and "Traceback" not in node.errors()
    kept(case, findings, node.errors())
    tables = {block.table.name: len(list(block)) for _, batch in peer.batches for block in batch.blocks}
    assert {"procstats_default", "colmet"} <= set(tables)
    listed = "job 7" not in findings or findings["job 7"]["state"] == "part"     # else they cannot even be listed
    assert ("taskstats_default" in tables) == ("jobprocstats_default" in tables) == listed
    assert ("account" in tables) == account
    assert failures(peer) == 0


def promised(case, findings):
    """Each line of `check` is as ever, but for those that the case has, which name what lacks and what to do."""
    lines = set(NUMBERS).union(ALL, ["job 7"]) - MAYBE.difference(case.dropped)
    states = {line: found["state"] for line, found in findings.items() if line in lines}
    assert states == {**ALL, **{line: state for line, (state, _) in case.told.items() if line != "rights"}}
    for line, (state, words) in case.told.items():
        found = findings[line]
        assert (line, found["state"]) == (line, state) and words in found["why"] + found["do"]
        assert state == "on" or found["do"] or line == "rights"
        assert line not in NOT_HELD or state == "on" or line in found["do"] and "CapabilityBoundingSet" in found["do"]


def kept(case, findings, said):
    """The node says at its start that it lacks what `check` said that it would, and why, and nothing else."""
    assert "taskstats (%s)" % case.reader in said
    better = ("bpf", "netlink", "proc")[:("bpf", "netlink", "proc").index(case.reader)]
    for way in ("bpf", "netlink"):
        told = "taskstats by %s" % way in said
        assert told == (way in better) and (not told or findings[way + " (tasks)"]["why"] in said)
    ends = findings["job ends"]
    assert ("job ends by bpf" in said) == (ends["state"] != "on")
    assert ends["state"] == "on" or ends["why"].rpartition("by bpf: ")[2] in said
    assert ("account: proc does not tell of it" in said) == (findings["account"]["state"] == "off")


def failures(peer):
    """How often a source failed, of all that came."""
    place = [metric.name for metric in TABLES["colmet"].metrics].index("failures")
    return max(values[place] for _, batch in peer.batches for block in batch.blocks if block.table.name == "colmet"
               for _, _, *values in block)


def test_a_user_without_rights_is_told_what_they_would_give(job, root, tmp_path, port):
    options = ["--native-uri", "tcp://127.0.0.1:%d" % port, "--cpuset_rootpath", root.path, "--account-pins", ""]
    with closing(Native(options[1])):
        code, findings, _ = check(tmp_path, *options, before=ORDINARY)
        asked_for_less, _, _ = check(tmp_path, *options, "--disable-account", before=ORDINARY)
    assert code == 1 and findings["bpf (tasks)"]["do"].startswith("start colmet-node as root, or with AmbientCapab")
    assert findings["proc (tasks)"]["state"] == "on" and findings["account"]["costs"] == ["account"]
    assert findings["taskstats"]["why"] == "taskstats_default"
    assert findings["rights"]["why"].startswith("user %d with " % NOBODY)
    assert asked_for_less == 0


@pytest.mark.parametrize("wire, native, legacy, state, words", [
    ("auto", False, False, "off", "no answer"), ("auto", False, True, "part", "0.6 collector, or a firewall"),
    ("0.6", False, True, "on", "unacknowledged"), ("auto", True, True, "on", ".native answers"),
    ("native", False, True, "off", "no answer")])
def test_who_answers_is_told(wire, native, legacy, state, words, tmp_path):
    uri = "ipc://%s/c" % tmp_path
    with ExitStack() as peers:
        for kind, there in ((Native, native), (Old, legacy)):
            if there:
                peers.enter_context(closing(kind(uri + (".native" if kind is Native else ""))))
        code, findings, _ = check(tmp_path, "--zeromq-uri", uri, "--wire", wire, "--disable-account")
    found = findings["collector"]
    assert (found["state"], code) == (state, int(state == "off")) and words in found["why"]


@pytest.mark.parametrize("module", ["colmet.node.main", "colmet.view.main"])
def test_colmet_check_is_the_same_program_in_80_columns(module, tmp_path):
    """Each by itself: what else runs on the machine, and so what is told of it, is another thing a second later."""
    options = ["check", "--zeromq-uri", "ipc://%s/c" % tmp_path, "--pid", "4194304"]
    done = subprocess.run([sys.executable, "-m", module] + options, cwd=tmp_path, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True, timeout=120)
    lines = done.stdout.splitlines()
    assert done.returncode == 1 and done.stderr == ""
    assert lines[0].startswith("colmet-node 1.0.0 on ") and "asked for, but off: -p 4194304" in done.stdout
    assert all(len(line) <= 80 or len(line.split()) < 4 for line in lines)      # a path may be longer
