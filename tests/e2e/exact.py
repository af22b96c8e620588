"""Jobs of all kinds whose CPU time and processes are known (`known_cpu`), and what must hold of their stored rows."""
from colmet.common.metrics.account import SOURCES
from colmet.common.metrics.job import CPU_SOURCES, END_SOURCES
from known_cpu import Shape

EXACT, ENTRY = 0.001, 200_000   # share by which what is exact may differ; ns that it takes to enter
TICK, RARELY = 10_000_000, 0.5  # ns that wait4 may miss of who is kept from its end, or BPF of who enters; the share of
                                # jobs of which wait4 does
LASTING = [Shape("fork", 5, 1, 100), Shape("fork", 5, 4, 100), Shape("exec", 5, 1, 20), Shape("exec", 5, 4, 20),
           Shape("fork", 50, 1, 10), Shape("fork", 50, 4, 12), Shape("exec", 50, 1, 8), Shape("exec", 50, 4, 8),
           Shape("fork", 500, 1, 1), Shape("exec", 500, 4, 4), Shape("fork", 1500, 1, 1), Shape("thread", 50, 4, 12),
           Shape("daemon", 50, 4, 12), Shape("daemon", 5, 1, 40), Shape("fork", 5, 1, 1), Shape("make", 50, 4, 12)]
AT_ONCE = [Shape("fork", 5, 1, 60), Shape("fork", 50, 4, 12), Shape("exec", 5, 4, 20), Shape("thread", 50, 4, 8),
           Shape("daemon", 50, 4, 8), Shape("fork", 5, 1, 1), Shape("late", 200, 1, 1)]


def fewer(shapes, share):
    """The shapes with that share of their processes, as many at a time."""
    return [shape._replace(count=max(min(shape.at, shape.count), round(shape.count * share))) for shape in shapes]


def check_lasting(truth, row, version, tick=TICK):
    """Of a job whose directory was there for long enough after its last process, all is exact. Returns whether wait4,
    which may miss `tick`, agrees with that too."""
    off, slack = row["cpu"] - truth.cpu, max(ENTRY, truth.entry)
    context = truth, off, row
    assert (END_SOURCES[row["end_source"]], CPU_SOURCES[row["cpu_source"]]) == ("exact", version), context
    assert row["cpu"] == truth.counted, context
    assert -EXACT * truth.cpu - slack <= off <= EXACT * truth.cpu + slack + tick, context
    return abs(off) <= EXACT * truth.cpu + slack


def check_removed(truth, row, source="bpf"):
    """Of a job whose directory went with its last process, CPU time is exact, or a lower bound that says so; without
    BPF it may be missing."""
    end, slack, context = END_SOURCES[row["end_source"]], max(ENTRY, truth.entry), (truth, row)
    if end == "exact":
        assert abs(row["cpu"] - truth.counted) <= slack, context
    else:
        assert end == "records" and row["cpu"] <= max(truth.cpu + slack + TICK, truth.counted), context
        assert row["cpu"] >= 0 or source != "bpf", context


def check_tasks(truth, row, last):
    """What the processes were and did, in the job's row and in its `last` one of the account: by BPF exact; by netlink
    a lower bound in bytes, and in all where it says that it could not tell of which job those were that ended."""
    source, lost, processes = SOURCES[last["source"]], last["exits_lost"], truth.shape.processes()
    context = truth, last
    assert lost == 0 or source == "netlink", context
    assert row["processes"] == last["processes_started"], context
    if processes:
        assert processes - lost <= last["processes_ended"] <= last["processes_started"] <= processes, context
    for name in ("minflt", "majflt", "rchar", "wchar"):
        true = getattr(truth, name)
        least = 0 if lost or source == "netlink" and name in ("rchar", "wchar") else true * (1 - EXACT)
        assert least <= last[name] <= true * (1 + EXACT), (name, context)


def shown(truth, row):
    """One line of it."""
    return "%-40s %-8s %-10s %+.4f %%" % (truth.shape, END_SOURCES[row["end_source"]], CPU_SOURCES[row["cpu_source"]],
                                          100 * (row["cpu"] / truth.cpu - 1))
