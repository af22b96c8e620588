"""The command line of colmet-node, as data. Names are those of 0.6 where it had them.

``--enable-X`` and ``--disable-X`` exist for every table that is declared.
"""
import re
import socket

from colmet.common import prometheus, schedulers
from colmet.common.metrics import TABLES
from colmet.common.metrics.energy import KINDS
from colmet.common.options import CONFIG, VERBOSE, Option, Usage, at_least, near_to, parse
from colmet.common.schedulers import MODULES, NONE, oar
from colmet.common.schedulers.rule import rule_fault
from colmet.common.wire import MAX_NAME
from colmet.node.account.pins import DEFAULT as PINS
from colmet.node.account.readers import AUTO, READERS
from colmet.node.energy import idle
from colmet.node.jobs.jobs import DEFAULT_ROOTS
from colmet.node.jobs.patterns import DEFAULT_PATTERNS, check_pattern
from colmet.node.perf.events import DEFAULT_EVENTS, event_fault
from colmet.node.power import options as power

PROGRAM = "colmet-node"
CHECK = "check"             # the one command that it has
DESCRIPTION = "Measures the jobs of this node and sends what it finds to colmet-collector."
RETIRED = {"--zeromq-swap": "ZeroMQ has no swap any more; --zeromq-hwm bounds what waits in memory"}
WIRES = ("auto", "native", "0.6")
LONGEST_PERIOD, SHORTEST_PERIOD = 86400, 0.01       # s
MOST_BUDGET = 10000                                 # %: a hundred cores
SOURCES, TAPE = "Sources", "Recordings"
RELOADED = ("sample_period", "period", "cpu_budget", "verbose", "profile")    # besides SWITCHES
SWITCHES = ("enable-", "disable-")
_TCP = re.compile(r"tcp://(?:[^;\s]+;)?(?P<host>\[[0-9A-Fa-f:.%\w]+\]|[^\s/:;*\[\]]+):(?P<port>\d+)")
_IPC_BYTES = 107                            # of a path in sockaddr_un (unix(7)), its end left out


def number(text):
    """An int where the text is one, else a float."""
    return int(text) if text.isdigit() else float(text)


def period_fault(value):
    """A check of a period in s."""
    if not value > 0:
        return "must be above 0"
    fits = SHORTEST_PERIOD <= value <= LONGEST_PERIOD
    return "" if fits else "must be from %s to %s" % (SHORTEST_PERIOD, LONGEST_PERIOD)


def budget_fault(value):
    """A check of a budget in per cent."""
    return "" if 0 <= value <= MOST_BUDGET else "must be from 0 to %d" % MOST_BUDGET


def nice_fault(value):
    """A check of a niceness (setpriority(2))."""
    return "" if -20 <= value <= 19 else "must be from -20 to 19"


def uri_fault(text):
    """A check: "" or why nobody can connect to `text`."""
    if text.startswith("ipc://"):
        return "" if 0 < len(text[6:].encode()) <= _IPC_BYTES else "must have a path of 1 to %d bytes" % _IPC_BYTES
    match = _TCP.fullmatch(text)
    if not match:
        return "must be tcp://HOST:PORT or ipc://PATH"
    return "" if 0 < int(match.group("port")) < 65536 else "must have a port from 1 to 65535"


def name_fault(text):
    """A check of a name that goes over the wire."""
    if not text or not text.isprintable() or text.strip() != text:
        return "must be printable text"
    return "" if len(text.encode("utf-8", "replace")) <= MAX_NAME else "must be at most %d bytes" % MAX_NAME


def interface_fault(text):
    """A check of a pattern for names of interfaces, which have neither blanks nor slashes (dev_valid_name)."""
    return "" if text and not re.search(r"[\s/]", text) else "must be a name or pattern without blanks and slashes"


def one_of(*words):
    """A check: the value must be one of `words`."""
    return lambda value: "" if value in words else "must be " + " or ".join(words)


def _switches():
    for option, tables in by_switch().items():
        told = "; ".join("%s: %s" % (table.name, table.doc.strip().splitlines()[0].rstrip(".")) for table in tables)
        state = "on" if tables[0].default else "off"
        yield Option(("--enable-" + option,), "measure %s (%s by default)" % (told, state), False, bool, group=SOURCES)
        yield Option(("--disable-" + option,), "do not measure %s; goes before --enable-%s"
                     % (", ".join(table.name for table in tables), option), False, bool, group=SOURCES)


def by_switch():
    """{X of ``--enable-X``: the tables that it switches}, in the order of `TABLES`."""
    found = {}
    for table in TABLES.values():
        found.setdefault(table.option, []).append(table)
    return found


OPTIONS = (
    CONFIG,
    VERBOSE,
    Option(("-s", "--sample-period"), "time between two samples", 5, number, "seconds", "SECONDS", check=period_fault),
    Option(("--period",), "a period of its own for one source; may be given again", (), metavar="SOURCE=SECONDS",
           many="repeat"),
    Option(("--profile",), "0.6: measure by default only what 0.6 did", metavar="0.6", check=one_of("0.6")),
    Option(("--task-reader",), "how tasks are read: bpf, netlink, proc, or auto, the first of them that this machine "
           "has", AUTO, metavar="NAME", group=SOURCES, check=one_of(AUTO, *(reader.name for reader in READERS))),
    Option(("--account-pins",), "directory of a bpf file system where the account of jobs outlives colmet-node, so "
           "that a restart loses nothing; \"\": none", PINS, metavar="DIR", group=SOURCES),
    Option(("--reset-peak",), "reset the watermark of a job's memory at each sample, for memory_peak_interval of the "
           "table cgroup; with cgroup v1 whoever else reads it sees that too", False, bool, group=SOURCES),
    Option(("--blkio-rule",), "have cgroup v1 count a job's I/O: a limit that nothing meets is set in its blkio cgroup "
           "on each disk, and taken away", False, bool, group=SOURCES),
    Option(("--mapping-dir",), "directory for the files that say what the counters of 0.6's tables are: "
           "RAPL_mapping.<time>.csv and its like; by default the working directory", "", metavar="DIR", group=SOURCES),
    Option(("--cpu-budget",), "most CPU time that colmet-node may take, in per cent of one core: above it, sources "
           "that jobs can do without are left out, and come back when there is room; 0: no limit", 0, number, "%",
           "PERCENT", check=budget_fault),
    Option(("--nice",), "niceness of the thread that samples, so that a job is found and its end is read in time where "
           "all CPUs are busy; 0: as colmet-node was started, which also holds where that was not 0", -10, int,
           metavar="N", check=nice_fault),
    Option(("--hostname",), "name of this node; by default what hostname says", metavar="NAME", check=name_fault),
    Option(("--cluster",), "name of the cluster, where several share a store", "", metavar="NAME",
           check=lambda text: text and name_fault(text)),
    Option(("--root",), "root of the file system", "/", metavar="DIR", hidden=True),
    Option(("--exit-facts",), "file that tells what a job used when it ended", metavar="FILE", hidden=True),

    Option(("--record",), "directory in which to keep what all sources read, to be given again by --replay; it holds "
           "names and command lines of users", "", metavar="DIR", group=TAPE),
    Option(("--record-size",), "most that the recordings in that directory take; then no more is kept", 1024, int,
           "MiB", "MIB", group=TAPE, check=at_least(1)),
    Option(("--replay",), "make the batches of a recording again and send them, in place of measuring: its file, or "
           "the directory of the only one", "", metavar="PATH", group=TAPE),

    Option(("-c", "--cgroup"), "measure this cgroup, absolute or below a root path; may be given again", (),
           many="repeat", metavar="CGROUP", group="Jobs"),
    Option(("-p", "--pid"), "measure this process as job PID; may be given again", (), int, many="repeat",
           metavar="PID", group="Jobs", check=at_least(1)),
    Option(("-t", "--tid"), "measure this thread as job TID; may be given again", (), int, many="repeat",
           metavar="TID", group="Jobs", check=at_least(1)),
    Option(("--process-tree",), "measure this process and all its descendants as job PID; may be given again", (), int,
           many="repeat", metavar="PID", group="Jobs", check=at_least(1)),
    Option(("--cpuset_rootpath",), "directory in which jobs have their cgroups; may be given again; by default "
           + DEFAULT_ROOTS[0], (), many="repeat", metavar="DIR", group="Jobs"),
    Option(("--regex_job_id",), "how to find the job id in a cgroup's name: its first group; may be given again, the "
           "first that fits holds; by default "
           + DEFAULT_PATTERNS[0], (), many="repeat", metavar="REGEX", group="Jobs",
           check=check_pattern),
    Option(("--scheduler",), "whose jobs to find in all hierarchies of cgroups: %s, %s (all of them) or %s; by default "
           "%s, and %s where --cpuset_rootpath or --regex_job_id is given" % (", ".join(MODULES), schedulers.AUTO, NONE,
                                                                           schedulers.AUTO, NONE),
           metavar="NAME", group="Jobs", check=one_of(schedulers.AUTO, NONE, *MODULES)),
    Option(("--rule",), "path of a job's cgroup from the top of its hierarchy, each part between slashes a regular "
           "expression, with the groups job, and where known user, step, task; may be given again", (), many="repeat",
           metavar="RULE", group="Jobs", check=rule_fault),

    Option(("--zeromq-uri",), "where the collector takes messages of Colmet 0.6", "tcp://127.0.0.1:5556",
           metavar="URI", group="ZeroMQ", check=uri_fault),
    Option(("--native-uri",), "where the collector acknowledges; by default one port above --zeromq-uri, or its path "
           "with .native", metavar="URI", group="ZeroMQ", check=uri_fault),
    Option(("--wire",), "auto: native, and 0.6 where only a 0.6 collector answers; native; 0.6", "auto", group="ZeroMQ",
           check=one_of(*WIRES)),
    Option(("--wire-timeout",), "how long auto waits for the native wire before it tries that of 0.6", 30, number,
           "seconds", "SECONDS", group="ZeroMQ", check=at_least(0)),
    Option(("--zeromq-hwm",), "most batches kept in memory until the collector has them, the oldest go first; 0: as "
           "many as 32 MiB hold", 1000, int, "batches", "N", group="ZeroMQ", check=at_least(0)),
    Option(("--zeromq-linger",), "longest time that the end waits until all is sent; -1: no limit", 5000, int, "ms",
           "MS", group="ZeroMQ", check=at_least(-1)),
    *prometheus.OPTIONS,
    *_switches(),
    *power.options(SOURCES),
    Option(("--perfhw-list",), "what --enable-perfhw counts for each job, any number of counters; docs/perf.rst names "
           "them", DEFAULT_EVENTS, many="words", metavar="COUNTER", group=SOURCES, check=event_fault),
    Option(("--network-interface",), "measure this interface too, which is no hardware: a name, or a pattern as in a "
           "shell (bond0, 'vlan*', lo); may be given again", (), many="repeat", metavar="PATTERN", group=SOURCES,
           check=interface_fault),
    Option(("--omnipath",), "infinibandstats_default counts data by 8 bytes; hfi1 is known without", False, bool,
           group=SOURCES),
    Option(("--idle-power",), "power of the node's parts while nothing runs, for --enable-energy: PART is one of %s; "
           "by default what they are seen to draw at rest" % ", ".join(KINDS), (), many="words",
           metavar="PART=WATTS", group=SOURCES, check=idle.fault),
    Option(("--lustre-prefix",), "name of the Lustre file systems whose sum --enable-lustre measures; * and ? stand "
           "for any characters", "lustre", metavar="NAME", group=SOURCES),
    Option(("--beegfs-ctl",), "program that --enable-filesystem asks for what BeeGFS counts, once a minute; that is "
           "work for its servers; by default none", "", metavar="PROGRAM", group=SOURCES),
)


def settings(argv, sources, description=DESCRIPTION, more=()):
    """The options from `argv` and --config, checked; `sources` are the names that --period may give. `periods`
    are s by source; `more` are Options of a command that takes those of the node too. Raises Usage."""
    commands = (CHECK,) if more else ("", CHECK)
    values = parse(PROGRAM, description, tuple(more) + OPTIONS, argv, RETIRED, commands=commands)
    if values.record and values.replay:
        raise Usage("--record: a replay reads nothing that could be recorded; leave out one of --record and --replay")
    if values.record and values.redfish:
        raise Usage("--record: what a BMC answers by Redfish cannot be recorded; leave out one of --record and "
                    "--redfish")
    values.periods = dict(_period(text, sources) for text in values.period)
    values.hostname = values.hostname or socket.gethostname()
    old = values.cpuset_rootpath or values.regex_job_id
    values.scheduler = values.scheduler or (NONE if old else schedulers.AUTO)
    ours = old or values.scheduler in (schedulers.AUTO, oar.NAME)       # --scheduler of another: not OAR's root
    values.cpuset_rootpath = list(values.cpuset_rootpath) or (list(DEFAULT_ROOTS) if ours else [])
    values.regex_job_id = list(values.regex_job_id) or list(DEFAULT_PATTERNS)
    values.native_uri = values.native_uri or _native(values.zeromq_uri, values.wire)
    values.tables = enabled(values)
    return values


def enabled(values):
    """Names of the tables that are switched on."""
    return {table.name for tables in by_switch().values() for table in _of_profile(tables, values.profile)
            if (_default(table, values.profile) or _switch(values, "enable_", table))
            and not _switch(values, "disable_", table)}


def asked(values):
    """The first table of each ``--enable-X`` that was given."""
    return [tables[0] for tables in by_switch().values() if _switch(values, "enable_", tables[0])]


def changed(old, new):
    """Flags of the options that differ between two settings and that a running node cannot follow."""
    fixed = [option for option in OPTIONS if option.dest not in RELOADED and not option.key.startswith(SWITCHES)]
    return [option.flags[-1] for option in fixed if getattr(old, option.dest) != getattr(new, option.dest)]


def loopback(uri):
    """Whether `uri` stays on this machine."""
    match = _TCP.fullmatch(uri)
    return not match or match.group("host") in ("localhost", "[::1]") or match.group("host").startswith("127.")


def _default(table, profile):
    return table.default and (table.legacy or not profile)


def _of_profile(tables, profile):
    """Of the tables of one switch, those that it switches: with a profile only 0.6's, where it has one there."""
    return profile and [table for table in tables if table.legacy] or tables


def _switch(values, prefix, table):
    return getattr(values, (prefix + table.option).replace("-", "_"))


def _period(text, sources):
    name, equals, seconds = text.partition("=")
    if name not in sources:
        near = near_to(name, sources)
        hint = "did you mean %s?" % near if near else "there are " + ", ".join(sources)
        raise Usage("--period %s: no source %s; %s" % (text, name or "is named", hint))
    try:
        value = number(seconds)
    except ValueError:
        raise Usage("--period %s: must be SOURCE=SECONDS" % text) from None
    fault = period_fault(value)
    if fault:
        raise Usage("--period %s: %s (seconds)" % (text, fault))
    return name, value


def _native(uri, wire):
    if uri.startswith("ipc://"):
        native = uri + ".native"
    else:
        match = _TCP.fullmatch(uri)
        native = uri[:match.start("port")] + str(int(match.group("port")) + 1)
    fault = uri_fault(native)
    if fault and wire != "0.6":
        raise Usage("--zeromq-uri %s: leaves no place for the native wire (%s %s); give --native-uri"
                    % (uri, native, fault))
    return native
