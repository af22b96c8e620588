"""The command line of colmet-node: what it refuses, what it goes on without, what it derives."""
import subprocess
import sys
from types import SimpleNamespace

import pytest

from colmet.common.metrics import TABLES
from colmet.common.options import Usage
from colmet.node import sources, start
from colmet.node.settings import OPTIONS, changed, loopback, settings
from colmet.node.source import Source

SOURCES = sources.names()

BAD = [
    ("--sample-period 0", "--sample-period 0: must be above 0 (seconds)"),
    ("-s -1", "--sample-period -1.0: must be above 0 (seconds)"),
    ("-s nan", "--sample-period nan: must be above 0 (seconds)"),
    ("-s 0.001", "--sample-period 0.001: must be from 0.01 to 86400 (seconds)"),
    ("-s inf", "--sample-period inf: must be from 0.01 to 86400 (seconds)"),
    ("--nice 20", "--nice 20: must be from -20 to 19"),
    ("--record d --redfish https://bmc", "--record: what a BMC answers by Redfish cannot be recorded; leave out one of "
     "--record and --redfish"),
    ("-s abc", "argument -s/--sample-period: invalid number value: 'abc'"),
    ("--zeromq-uri nonsense", "--zeromq-uri nonsense: must be tcp://HOST:PORT or ipc://PATH"),
    ("--zeromq-uri tcp://host", "--zeromq-uri tcp://host: must be tcp://HOST:PORT or ipc://PATH"),
    ("--zeromq-uri tcp://*:5556", "--zeromq-uri tcp://*:5556: must be tcp://HOST:PORT or ipc://PATH"),
    ("--zeromq-uri tcp://host:70000", "--zeromq-uri tcp://host:70000: must have a port from 1 to 65535"),
    ("--native-uri ipc://", "--native-uri ipc://: must have a path of 1 to 107 bytes"),
    ("--zeromq-uri tcp://host:65535", "--zeromq-uri tcp://host:65535: leaves no place for the native wire "
     "(tcp://host:65536 must have a port from 1 to 65535); give --native-uri"),
    ("--zeromq-hwm -1", "--zeromq-hwm -1: must be at least 0 (batches)"),
    ("--zeromq-linger -2", "--zeromq-linger -2: must be at least -1 (ms)"),
    ("--zeromq-swap 5", "--zeromq-swap was retired: ZeroMQ has no swap any more; --zeromq-hwm bounds what waits in "
     "memory"),
    ("--regex_job_id (", "--regex_job_id (: not a regular expression: missing ), unterminated subpattern at "
     "position 0"),
    ("--wire 0.5", "--wire 0.5: must be auto or native or 0.6"),
    ("--wire-timeout -1", "--wire-timeout -1.0: must be at least 0 (seconds)"),
    ("--scheduler lsf", "--scheduler lsf: must be auto or none or oar or slurm"),
    ("--rule batch/job", "--rule batch/job: needs one group (?P<job>...), in one part between slashes"),
    ("--profile 0.7", "--profile 0.7: must be 0.6"),
    ("--period taskstat=1", "--period taskstat=1: no source taskstat; did you mean taskstats?"),
    ("--period x=1", "--period x=1: no source x; there are " + ", ".join(SOURCES)),
    ("--period taskstats", "--period taskstats: must be SOURCE=SECONDS"),
    ("--period taskstats=0", "--period taskstats=0: must be above 0 (seconds)"),
    ("-p 0", "--pid 0: must be at least 1"),
    ("-t abc", "argument -t/--tid: invalid int value: 'abc'"),
    ("--network-interface a/b", "--network-interface a/b: must be a name or pattern without blanks and slashes"),
    ("--cluster \x1b", "--cluster \x1b: must be printable text"),
    ("--config nowhere.ini", "--config nowhere.ini: No such file or directory; give another"),
    ("--config /", "--config /: Is a directory; give another"),
    ("--nonsense", "--nonsense: no such option; --help lists the options"),
    ("--enable-rapl 1", "--enable-rapl: no such option; did you mean --enable-RAPL?"),
    ("--sampel-period 3", "--sampel-period: no such option; did you mean --sample-period?"),
    ("chekc", "chekc: not expected here; did you mean check?"),
]


@pytest.mark.parametrize("command, message", BAD, ids=[command for command, _ in BAD])
def test_what_is_wrong_by_itself_is_one_line_that_names_the_option(command, message):
    with pytest.raises(Usage) as error:
        settings(command.split(" "), SOURCES)
    assert str(error.value) == message


def test_wrong_usage_ends_the_program_with_2_and_one_line(tmp_path):
    done = subprocess.run([sys.executable, "-m", "colmet.node.main", "-s", "0"], cwd=tmp_path, capture_output=True,
                          text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "colmet-node: --sample-period 0: must be above 0 (seconds)\n"


def test_names_and_defaults_are_those_of_0_6():
    values = settings([], SOURCES)
    assert (values.sample_period, values.zeromq_uri, values.zeromq_hwm) == (5, "tcp://127.0.0.1:5556", 1000)
    assert values.cpuset_rootpath == ["/dev/oar_cgroups_links/cpuset/oar/"] and values.regex_job_id == [r"_(\d+)$"]
    assert values.zeromq_linger == 5000 and values.wire == "auto" and values.wire_timeout == 30
    assert values.tables == {name for name, table in TABLES.items() if table.default}
    flags = {flag for option in OPTIONS for flag in option.flags}
    assert flags >= {"-v", "--verbose", "-s", "--sample-period", "--disable-procstats", "--enable-infiniband",
                     "--enable-lustre", "--lustre-prefix", "--enable-perfhw", "--enable-jobproc", "--perfhw-list",
                     "--enable-RAPL", "--enable-temperature", "--omnipath", "--enable-ipmipower", "--ipmipower-cmd",
                     "--enable-nvidia", "-c", "--cgroup", "-p", "--pid", "-t", "--tid", "--cpuset_rootpath",
                     "--regex_job_id", "--zeromq-uri", "--zeromq-hwm", "--zeromq-linger"}


def test_every_table_can_be_switched_on_and_off():
    for table in TABLES.values():
        assert table.name in settings(["--enable-" + table.option], SOURCES).tables
        assert table.name not in settings(["--disable-" + table.option], SOURCES).tables
        both = settings(["--enable-" + table.option, "--disable-" + table.option], SOURCES)
        assert table.name not in both.tables


def test_profile_0_6_measures_what_0_6_did():
    assert settings(["--profile", "0.6"], SOURCES).tables == {"taskstats_default", "procstats_default"}
    assert "job" in settings(["--profile", "0.6", "--enable-job"], SOURCES).tables


@pytest.mark.parametrize("uri, native", [
    ("tcp://10.0.0.2:5556", "tcp://10.0.0.2:5557"), ("tcp://[::1]:9", "tcp://[::1]:10"),
    ("tcp://eth0;host:5556", "tcp://eth0;host:5557"), ("ipc:///run/c", "ipc:///run/c.native")])
def test_the_native_address_is_derived(uri, native):
    assert settings(["--zeromq-uri", uri], SOURCES).native_uri == native
    assert settings(["--zeromq-uri", uri, "--native-uri", "tcp://other:1"], SOURCES).native_uri == "tcp://other:1"


@pytest.mark.parametrize("uri, here", [("tcp://127.0.0.1:1", True), ("tcp://localhost:1", True), ("ipc://x", True),
                                       ("tcp://[::1]:1", True), ("tcp://10.0.0.1:1", False), ("tcp://node:1", False)])
def test_what_stays_on_this_machine(uri, here):
    assert loopback(uri) == here


def test_the_config_file_has_one_key_for_each_option(tmp_path):
    path = tmp_path / "colmet.ini"
    path.write_text("[colmet-node]\nsample-period = 2\nperiod = taskstats=1\n  procstats=60\nenable-jobproc = yes\n")
    values = settings(["--config", str(path)], SOURCES)
    assert values.sample_period == 2 and values.periods == {"taskstats": 1, "procstats": 60}
    assert "jobprocstats_default" in values.tables
    assert settings(["--config", str(path), "-s", "3"], SOURCES).sample_period == 3


@pytest.mark.parametrize("line, scheduler, roots", [
    ("", "auto", 1), ("--cpuset_rootpath /a --cpuset_rootpath /b", "none", 2), ("--regex_job_id (.)", "none", 1),
    ("--cpuset_rootpath /a --scheduler slurm", "slurm", 1), ("--scheduler slurm", "slurm", 0),
    ("--scheduler oar", "oar", 1), ("--scheduler none", "none", 0),
])
def test_what_is_given_as_in_0_6_is_all_where_jobs_are_looked_for(line, scheduler, roots):
    values = settings(line.split(), SOURCES)
    assert (values.scheduler, len(values.cpuset_rootpath)) == (scheduler, roots)


def test_what_needs_a_restart_is_named():
    old = settings([], SOURCES)
    new = settings(["-s", "1", "--enable-jobproc", "--disable-procstats", "-vv", "--period", "taskstats=1",
                    "--cpu-budget", "3", "--profile", "0.6", "--zeromq-hwm", "3", "-p", "1", "--reset-peak",
                    "--blkio-rule", "--task-reader", "proc", "--account-pins", "", "--perfhw-list", "cpu_cycles"],
                   SOURCES)
    assert changed(old, new) == ["--task-reader", "--account-pins", "--reset-peak", "--blkio-rule", "--pid",
                                 "--zeromq-hwm", "--perfhw-list"]


class Sender:
    """Says where it sends."""

    def where(self):
        return "tcp://10.0.0.2:5557", "acknowledged"


class Jobs:
    """Says what it watches."""

    def tried(self):
        return ["/root%d: 0 here" % number for number in range(20)]


def start_lines(off, refused, unfilled=(), ends=(), asked=()):
    """The start message of a node whose source taskstats, read by proc, has better readers that were `refused`; it was
    `asked` for more."""
    opened = sources.Sources(None)
    tasks = SimpleNamespace(reader="proc", refused=refused, unfilled=unfilled)
    opened.on = [Source("taskstats", tasks, (), 5 * 10 ** 9), Source("procstats", None, (), 10 ** 9)]
    opened.off = off
    return list(start.lines(settings(["--hostname", "dahu-12", *asked], SOURCES), Jobs(), opened, Sender(),
                            SimpleNamespace(refused=dict(ends))))


def test_the_start_message_is_a_dozen_lines_at_most():
    lines = start_lines({"jobproc": "not enabled", "cgroup": "not enabled"}, {"bpf": "needs BTF"}, ["account"],
                        {"bpf": "needs BTF", "inotify": "no more of them"})
    assert len(lines) <= 12 and lines[0].startswith("colmet-node 1.0.0 on dahu-12, kernel ")
    assert lines[1] == "jobs      /root0: 0 here"
    assert lines[4] == "          and 17 more; colmet-node check tells all"
    assert lines[5] == "sources   procstats every 1 s;  taskstats (proc) every 5 s"
    assert lines[6:10] == ["off       jobproc, cgroup: not enabled",
                           "          taskstats by bpf, job ends by bpf: needs BTF",
                           "          account: proc does not tell of it",
                           "          job ends by inotify: no more of them"]
    assert lines[10].startswith("sends to  tcp://10.0.0.2:5557 (acknowledged)")
    many = start_lines({str(number): "reason %d" % number for number in range(9)}, {})
    assert len(many) <= 12 and many[9] == "          and 6 more; colmet-node check tells all"
    assert not any(line.startswith("off") for line in start_lines({}, {}))


def test_what_was_asked_for_and_is_not_there_is_always_told():
    off = {str(number): "reason %d" % number for number in range(9)}
    lines = start_lines(dict(off, rapl="no zone; modprobe it", perfhw="no zone; modprobe it", temperature="cold"), {},
                        asked=["--enable-RAPL", "--enable-temperature"])
    assert lines[6:12] == ["off       rapl, perfhw: no zone; modprobe it",
                           "          temperature: cold",
                           "          0: reason 0", "          1: reason 1", "          2: reason 2",
                           "          and 6 more; colmet-node check tells all"]


def test_sources_that_are_off_say_why_and_come_when_they_are_asked_for(tmp_path):
    opened = sources.Sources(None)
    opened.follow(settings(["--disable-taskstats", "--disable-account", "--root", str(tmp_path)], SOURCES))
    assert opened.off["taskstats"] == "not enabled" and opened.off["jobproc"] == "not enabled"
    assert "procstats" in opened.off and opened.off["procstats"] != "not enabled"      # this root has no /proc
    opened.follow(settings(["--disable-taskstats", "--disable-account"], SOURCES))
    assert [source.name for source in opened.on] == ["procstats", "cgroup", "colmet"]
    kept = opened.on[0]
    opened.follow(settings(["--disable-" + name for name in ("taskstats", "account", "cgroup", "colmet")], SOURCES))
    assert opened.on == [kept]
    opened.close()
