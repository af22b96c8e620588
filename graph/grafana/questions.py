"""The questions that the dashboards answer, as data: dashboards of panels of series of declared metrics.

`boards` takes the tables that exist. A series whose table or metric is not among them is left out, then a panel
without series, then a dashboard without panels: what is asked of a new table may stand here before that table does.
"""
from dataclasses import dataclass, replace
from typing import Tuple

RATE = "rate"               # per second, of a counter
INCREASE = "increase"       # in each bucket, of a counter
VALUE = "value"             # the greatest of each bucket, of a gauge
DISTINCT = "distinct"       # how many different ones, of a field of text
TASKS, PROC, NODE = "taskstats_default", "jobprocstats_default", "procstats_default"
CPU, ACCOUNT, JOB, SELF, RAPL, HEAT, PERF = "cpu", "account", "job", "colmet", "rapl", "temperature", "perf"
POWER, PORTS, FILES, ENERGY = "power", "network", "filesystem", "energy"
OWNER = "owner.keyword:%s"
EVERY_JOB = ("job", "hostname")     # a line for each job on each node
PROCESS = "part.keyword:node"       # of the table `colmet`, the row of the whole process
GPU, OF_NODE = "gpu", "job.keyword:0"       # of the table `gpu`, the rows of whole devices


@dataclass(frozen=True)
class Series:
    """One metric of one table. `how` is by itself RATE for a counter and VALUE for a gauge; `only` narrows the query;
    `legend` comes before what tells lines apart."""
    table: str
    metric: str
    legend: str = ""
    how: str = ""
    only: str = ""


@dataclass(frozen=True)
class Ratio:
    """Of one counter that has a row for each `field` of text: what the row `above` grew by over what the row `below`
    did. `unit` is Grafana's id."""
    table: str
    metric: str
    field: str
    above: str
    below: str
    unit: str = "short"
    legend: str = ""
    how: str = RATE


@dataclass(frozen=True)
class Panel:
    """One question. `by` tells lines apart, the `top` with the greatest values of each are drawn; `label` says what
    is counted; `alarm` is the value from which it is a matter of concern; `note` goes into the description."""
    question: str
    series: Tuple[object, ...]          # Series and Ratio
    by: Tuple[str, ...] = ()
    top: int = 10
    stack: bool = False
    label: str = ""
    alarm: float = 0
    note: str = ""
    width: int = 12


@dataclass(frozen=True)
class Column:
    """A column of a list: a metric put together by `fold` (sum, max or cardinality) under a `title`."""
    metric: str
    fold: str
    title: str


@dataclass(frozen=True)
class Listing:
    """One question whose answer is a list, a line for each `by`, in order of the first column."""
    question: str
    table: str
    by: str
    columns: Tuple[Column, ...]
    top: int = 100
    note: str = ""
    width: int = 24


@dataclass(frozen=True)
class Board:
    """A dashboard; `variables` are those that narrow its queries: job, host. `one_node`: host is a single one."""
    uid: str
    title: str
    doc: str
    variables: Tuple[str, ...]
    panels: Tuple[object, ...]
    one_node: bool = False


ASKED = "Drawn where both are counted: `--perfhw-list %s`."
LIVE = ("Summed over what runs: when a process ends, its share leaves the sum, and that step is not drawn.")
USED = (Column("cpu", "sum", "CPU time"), Column("wall", "max", "Wall time"),
        Column("peak_memory", "max", "Peak memory"), Column("read_bytes", "sum", "Read"),
        Column("write_bytes", "sum", "Written"))

JOBS = Board("colmet-jobs", "Colmet: jobs", "What the jobs of the cluster do now, and what those that ended used.",
             ("host",), (
    Panel("How many jobs run, and on how many nodes?", (
        Series(TASKS, "job", "jobs", DISTINCT), Series(TASKS, "hostname", "nodes with jobs", DISTINCT),
        Series(NODE, "hostname", "nodes that report", DISTINCT)), width=24),
    Panel("Which jobs keep the most CPUs busy?", (Series(TASKS, "cpu_run_virtual_total"),), EVERY_JOB, stack=True,
          label="CPUs", note=LIVE),
    Panel("Which jobs hold the most memory?", (Series(PROC, "VmRSS"),), EVERY_JOB, stack=True),
    Panel("Which jobs read the most from storage?", (Series(TASKS, "read_bytes"),), EVERY_JOB, stack=True, note=LIVE),
    Panel("Which jobs write the most to storage?", (Series(TASKS, "write_bytes"),), EVERY_JOB, stack=True, note=LIVE),
    Listing("What did the jobs that ended use?", JOB, "job", USED + (Column("hostname", "cardinality", "Nodes"),)),
))

ONE_JOB = Board("colmet-job", "Colmet: one job", "Whether a job uses what it holds, and what it waits for.",
                ("job", "host"), (
    Panel("Is it using its CPUs?", (Series(TASKS, "cpu_run_virtual_total"),), ("hostname",), stack=True, label="CPUs",
          note=LIVE),
    Panel("Does its memory grow?", (Series(PROC, "VmRSS"), Series(PROC, "RssShmem", "shared:")), ("hostname",)),
    Panel("Is it waiting for I/O?", (Series(TASKS, "blkio_delay_total", "storage:"),
                                     Series(TASKS, "swapin_delay_total", "swap:"),
                                     Series(TASKS, "freepages_delay_total", "free memory:")), ("hostname",),
          label="waiting tasks", note="1 is one task that waits all the time. " + LIVE),
    Panel("Is it waiting for a CPU?", (Series(TASKS, "cpu_delay_total"),), ("hostname",), label="waiting tasks",
          note="1 is one task that waits all the time: more tasks than CPUs. " + LIVE),
    Panel("How much does it read, and how much of it from storage?", (
        Series(TASKS, "read_char", "asked:"), Series(TASKS, "read_bytes", "storage:")), ("hostname",), note=LIVE),
    Panel("How much does it write, and how much of it to storage?", (
        Series(TASKS, "write_char", "asked:"), Series(TASKS, "write_bytes", "storage:")), ("hostname",), note=LIVE),
    Panel("Does it spend its time in the kernel?", (
        Series(TASKS, "ac_utime", "user:"), Series(TASKS, "ac_stime", "kernel:")), ("hostname",), label="CPUs",
        note=LIVE),
    Panel("Does it fault on memory?", (
        Series(TASKS, "ac_minflt", "minor:"), Series(TASKS, "ac_majflt", "with I/O:")), ("hostname",), note=LIVE),
    Panel("Are its tasks forced off the CPU?", (
        Series(TASKS, "nivcsw", "forced:"), Series(TASKS, "nvcsw", "asked for:")), ("hostname",), note=LIVE),
    Panel("Does it start many processes?", (
        Series(ACCOUNT, "processes_started", "started:"), Series(ACCOUNT, "processes_ended", "ended:")),
        ("hostname",), label="processes"),
    Panel("How many CPUs does it use, processes that ended included?", (Series(ACCOUNT, "cpu"),), ("hostname",),
          stack=True, label="CPUs", note="The exact account: it never goes back."),
    Panel("How many instructions does it do in a cycle?", (
        Ratio(PERF, "value", "event", "instructions", "cpu_cycles"),), ("hostname",), label="instructions per cycle",
          note="Under 1 it mostly waits, often for memory. " + ASKED % "instructions cpu_cycles"),
    Panel("How much of what it looks for is not in the cache?", (
        Ratio(PERF, "value", "event", "cache_misses", "cache_references", "percentunit"),), ("hostname",),
          note=ASKED % "cache_misses cache_references"),
    Panel("What do processors and kernel count for it?", (Series(PERF, "value"),), ("event", "hostname"), 20),
    Panel("Does it use the GPUs that it holds?", (Series(GPU, "utilization"),), ("gpu", "hostname"), 20,
          note="Of the whole GPU, where jobs share it: of them all."),
    Panel("How much memory of GPUs do its processes hold?", (Series(GPU, "process_memory"),), ("gpu", "hostname"), 20),
    Panel("How much of each node's power is for it?", (
        Series(ENERGY, "package_dynamic", "processors, for its work:"), Series(ENERGY, "energy", "all in all:")),
        ("hostname",), note="All in all: memory and GPUs too, and its share of the idle power."),
    Listing("What did it use in all, on each node?", JOB, "hostname", USED, note="Rows come when the job ends."),
))

ONE_NODE = Board("colmet-node", "Colmet: one node", "What a node is busy with, and which job keeps it so.",
                 ("host",), (
    Panel("What are its CPUs doing?", tuple(
        Series(NODE, "stat_cpu_" + name, name) for name in ("user", "nice", "system", "iowait", "irq", "softirq")),
        stack=True, label="CPUs"),
    Panel("Which job keeps its CPUs busy?", (Series(TASKS, "cpu_run_virtual_total"),), ("job",), stack=True,
          label="CPUs", note=LIVE),
    Panel("What holds its memory?", (
        Series(NODE, "meminfo_anonpages", "processes"), Series(NODE, "meminfo_cached", "page cache"),
        Series(NODE, "meminfo_buffers", "buffers"), Series(NODE, "meminfo_slab", "kernel"),
        Series(NODE, "meminfo_memfree", "free")), stack=True),
    Panel("Which job holds its memory?", (Series(PROC, "VmRSS"),), ("job",), stack=True),
    Panel("How much does it read and write?", (
        Series(NODE, "vmstat_pgpgin", "read"), Series(NODE, "vmstat_pgpgout", "written"))),
    Panel("Which job does most of the I/O on this node?", (
        Series(TASKS, "read_bytes", "read:"), Series(TASKS, "write_bytes", "written:")), ("job",), note=LIVE),
    Panel("Is there more to run than CPUs?", (
        Series(NODE, "loadavg_1min", "1 min"), Series(NODE, "loadavg_5min", "5 min"),
        Series(NODE, "loadavg_15min", "15 min"), Series(NODE, "stat_procs_blocked", "waiting for I/O")),
        label="tasks"),
    Panel("Does it swap?", (Series(NODE, "vmstat_pswpin", "in"), Series(NODE, "vmstat_pswpout", "out")), alarm=1),
    Panel("Is a hypervisor taking CPU time away?", (Series(CPU, "steal", "stolen"),), label="CPUs", alarm=0.1),
    Panel("How much energy do its processors and their memory use?", (Series(RAPL, "energy"),), ("zone",), 20,
          note="A package holds its cores, the platform (psys) the packages; memory is beside its package."),
    Panel("How much power does it draw, by each of its meters?", (Series(POWER, "power"),), ("meter",), 20,
          note="Meters measure the same in several places: never add them. Those that are `whole` measure the node."),
    Panel("Are its GPUs busy?", (Series(GPU, "utilization", "", "", OF_NODE),), ("gpu",), 20,
          note="`holders` of the same table tells how many jobs hold each."),
    Panel("How much power do its GPUs draw?", (Series(GPU, "power", "", "", OF_NODE),), ("gpu",), 20, stack=True),
    Panel("Who uses its energy?", tuple(
        Series(ENERGY, "energy", owner, "", OWNER % owner) for owner in ("jobs", "unallocated", "idle")), stack=True,
        note="Together they are all that its meters count: docs/energy.rst."),
    Panel("Which job uses its energy?", (Series(ENERGY, "energy", "", "", OWNER % "job"),), ("job",), stack=True),
    Panel("How hot is it, and where?", (Series(HEAT, "temperature"),), ("sensor",), 20, width=24,
          note="The hottest sensors; `max` and `crit` of the same table are their limits."),
    Panel("How much goes through its network ports?", (
        Series(PORTS, "sent", "sent:"), Series(PORTS, "received", "received:")), ("port",), 20,
        note="`speed` of the same table is what the link carries; where `summed` is 0, another port counts the same."),
    Panel("Is one of its links bad?", (
        Series(PORTS, "send_errors", "not sent:", INCREASE), Series(PORTS, "receive_errors", "lost:", INCREASE),
        Series(PORTS, "link_downs", "went down:", INCREASE)), ("port",), 20, alarm=1, label="packets, or times"),
    Panel("How much do its programs read and write on shared file systems?", (
        Series(FILES, "bytes_read", "read:"), Series(FILES, "bytes_written", "written:")), ("mount",), 20,
          note="By read and write calls, from the cache too: Lustre, NFS, GPFS."),
    Panel("How hard does it work the metadata servers?", (Series(FILES, "metadata"),), ("mount",), 20,
          label="operations per second"),
), one_node=True)

ITSELF = Board("colmet-self", "Colmet: itself", "Whether Colmet is complete, and what it costs.", ("host",), (
    Panel("Is Colmet losing anything?", (
        Series(SELF, "dropped_full", "outbox full:", INCREASE, PROCESS),
        Series(SELF, "dropped_refused", "refused:", INCREASE, PROCESS),
        Series(SELF, "failures", "source failed:", INCREASE, PROCESS),
        Series(SELF, "late", "tick left out:", INCREASE, PROCESS),
        Series(SELF, "lost_events", "watch overflowed:", INCREASE, PROCESS),
        Series(SELF, "jobs_cut", "job not listed:", INCREASE, PROCESS)), ("hostname",), alarm=1, width=24,
        note="All of these should be 0."),
    Panel("Does every node report?", (Series(SELF, "hostname", "nodes", DISTINCT),)),
    Panel("Are batches waiting for the collector?", (Series(SELF, "kept", "", "", PROCESS),), ("hostname",),
          label="batches"),
    Panel("Are batches sent again?", (
        Series(SELF, "sent", "sent:", "", PROCESS), Series(SELF, "acknowledged", "acknowledged:", "", PROCESS),
        Series(SELF, "resent", "again:", "", PROCESS)), ("hostname",), 3, label="batches"),
    Panel("Is a clock being set?", (Series(SELF, "clock_steps", "", INCREASE, PROCESS),), ("hostname",), alarm=1,
          label="steps of more than 1 s"),
    Panel("How much CPU does it take on the nodes?", (Series(SELF, "cpu", "", "", PROCESS),), ("hostname",),
          label="CPUs", alarm=0.05),
    Panel("How much memory does it take on the nodes?", (Series(SELF, "rss", "", "", PROCESS),), ("hostname",)),
    Panel("Which source takes the time?", (Series(SELF, "duration", "", "", "NOT " + PROCESS),),
          ("part", "hostname"), 20, label="seconds per second", width=24),
))

BOARDS = (JOBS, ONE_JOB, ONE_NODE, ITSELF)


def boards(tables):
    """The boards that `tables` ({name: Table}) can answer."""
    for board in BOARDS:
        panels = tuple(panel for panel in (narrowed(panel, tables) for panel in board.panels) if panel)
        if panels:
            yield replace(board, panels=panels)


def narrowed(panel, tables):
    """`panel` without what `tables` lack; None where nothing is left of it."""
    if isinstance(panel, Listing):
        return panel if panel.table in tables else None
    series = tuple(one for one in panel.series if known(one, tables))
    return replace(panel, series=series) if series else None


def known(series, tables):
    """Whether `tables` have that metric."""
    if series.table not in tables:
        return False
    return series.how == DISTINCT or series.metric in [metric.name for metric in tables[series.table].metrics]
