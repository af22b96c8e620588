"""The command line of colmet-collector: what is wrong is said in one line, at start; what is right has its effect."""
import os
import re
import resource
import socket
import subprocess
import sys

import pytest

from colmet.collector import main, place
from colmet.collector.settings import OPTIONS, default_native, settings, size
from colmet.common.journal import Journal
from colmet.common.options import Usage
from e2e.programs import free_port

LOOPBACK = "tcp://127.0.0.1:%d"
STDOUT = ["--enable-stdout-backend"]
HDF5 = ["--hdf5-filepath"]
USAGE = [       # command, beginning of the line that it must print (... stands for anything), exit code 2
    ([], "nowhere to store: give --hdf5-filepath PATH, --elastic-host HOST or --enable-stdout-backend"),
    (STDOUT + ["--nonsense"], "--nonsense: no such option; --help lists the options"),
    (STDOUT + ["--zeromq-bnid-uri=x"], "--zeromq-bnid-uri: no such option; did you mean --zeromq-bind-uri?"),
    (["stauts"], "stauts: not expected here; did you mean status?"),
    (STDOUT + ["-s", "0"], "--sample-period 0.0: must be above 0 (s)"),
    (STDOUT + ["-s", "-1"], "--sample-period -1.0: must be above 0 (s)"),
    (STDOUT + ["-s", "nan"], "--sample-period nan: must be above 0 (s)"),
    (STDOUT + ["-s", "abc"], "argument -s/--sample-period: invalid float value: 'abc'"),
    (STDOUT + ["--buffer-size", "0"], "--buffer-size 0: must be above 0 (records)"),
    (STDOUT + ["--buffer-size", "many"], "argument --buffer-size: invalid int value: 'many'"),
    (STDOUT + ["--zeromq-hwm", "-1"], "--zeromq-hwm -1: must be at least 0 (messages)"),
    (STDOUT + ["--zeromq-linger", "-2"], "--zeromq-linger -2: must be at least -1 (ms)"),
    (STDOUT + ["--zeromq-swap", "5"], "--zeromq-swap was retired: ...--zeromq-hwm"),
    (STDOUT + ["--zeromq-bind-uri", "nonsense"],
     "--zeromq-bind-uri nonsense: must be tcp://ADDRESS:PORT or ipc://PATH"),
    (STDOUT + ["--zeromq-bind-uri", "tcp://*:70000"], "--zeromq-bind-uri ...: must have a port from 1 to 65535"),
    (STDOUT + ["--zeromq-bind-uri", "tcp://*:0"], "--zeromq-bind-uri ...: must have a port from 1 to 65535"),
    (STDOUT + ["--native-bind-uri", "udp://*:5"], "--native-bind-uri ...: must be tcp://ADDRESS:PORT or ipc://PATH"),
    (HDF5 + ["c", "--hdf5-complevel", "99"], "--hdf5-complevel 99: must be from 0 to 9"),
    (HDF5 + ["c", "--hdf5-complib", "nonsense"], "--hdf5-complib nonsense: no such compressor; there are zlib, lzo"),
    (HDF5 + ["c", "--hdf5-window", "0"], "--hdf5-window 0.0: must be above 0 (s)"),
    (HDF5 + ["c", "--hdf5-max-size", "big"], "--hdf5-max-size big: must be a number of bytes, with K, M, G or T"),
    (STDOUT + ["--journal-size", "5K"], "--journal-size 5K: must be at least 1048576"),
    (STDOUT + ["--journal-size", "1X"], "--journal-size 1X: must be a number of bytes, with K, M, G or T"),
    (["--elastic-host", "ftp://x:9200"], "--elastic-host ftp://x:9200: must be ADDRESS:PORT or http(s)://ADDRESS:PORT"),
    (["--elastic-host", "x:70000"], "--elastic-host x:70000: must be ADDRESS:PORT or http(s)://ADDRESS:PORT"),
    (["--elastic-host", "http://al:secret@x y"], "--elastic-host ***@x y: must be ADDRESS:PORT or http(s)://"),
    (["--elastic-host", ","], "--elastic-host: names no host; give ADDRESS:PORT or a URL"),
    (STDOUT + ["--elastic-index-prefix", "Colmet_"], "--elastic-index-prefix Colmet_: cannot begin the name"),
    (STDOUT + ["--elastic-index-prefix", "_x"], "--elastic-index-prefix _x: cannot begin the name"),
    (STDOUT + ["--elastic-bulk-size", "lots"], "--elastic-bulk-size lots: must be a number of bytes, with K, M"),
    (STDOUT + ["--elastic-retention", "3 months"], "--elastic-retention 3 months: must be a number and d, h, m or s"),
    (["--elastic-host", "x", "--elastic-plain-index", "--elastic-time-series"],
     "--elastic-time-series: needs data streams, which --elastic-plain-index forbids; give one of them"),
    (["--elastic-host", "x", "--elastic-ca", "c", "--no-check-certificates"],
     "--elastic-ca: verifies certificates, --no-check-certificates does not; give one of them"),
    (STDOUT + ["--config", "missing.ini"], "--config missing.ini: No such file or directory; give another"),
    (STDOUT + ["--config", "binary.ini"], "--config binary.ini: not text in UTF-8; give another"),
    (STDOUT + ["--config", "text.hdf5"], "--config text.hdf5: File contains no section headers...; correct it"),
    (STDOUT + ["--config", "bad.ini"], "--config bad.ini: bufer-size: no such option; did you mean buffer-size?"),
]
REFUSED = [     # the same with exit code 1
    (HDF5 + ["missing/c"], "--hdf5-filepath missing/c: no directory missing; make it, or give another path"),
    (HDF5 + ["missing/c.hdf5"], "--hdf5-filepath missing/c.hdf5: no directory missing"),
    (HDF5 + ["text.hdf5"], 'text.hdf5 is not an HDF5 file (starts with "hello"); nothing was changed'),
    (HDF5 + ["folder.hdf5"], "--hdf5-filepath folder.hdf5: is a directory"),
    (HDF5 + ["/proc/c"], "...; give "),
    (HDF5 + ["/proc/c", "--journal-dir", "j"], "--hdf5-filepath /proc/c: ...; give another path"),
    (HDF5 + ["/proc/c.hdf5", "--journal-dir", "j"], "--hdf5-filepath /proc/c.hdf5: ...; give another path"),
    (["--elastic-host", "x", "-P", "missing"], "--http-credentials missing: No such file or directory; give another"),
    (["--elastic-host", "x", "-P", "bad.ini"], "--http-credentials bad.ini: must hold USER:PASSWORD or ApiKey KEY, in"),
    (["--elastic-host", "x", "--elastic-ca", "missing"], "--elastic-ca missing: No such file or directory; give"),
    (["--elastic-host", "x", "--elastic-ca", "bad.ini"], "--elastic-ca bad.ini: holds no certificate; it must be PEM"),
    (STDOUT + ["--journal-dir", "text.hdf5"], "the journal text.hdf5 cannot be used: ...; give --journal-dir"),
    (STDOUT + ["--journal-dir", "/proc/j"], "the journal /proc/j cannot be used: ...; give --journal-dir"),
    (STDOUT + ["--zeromq-bind-uri", "tcp://192.0.2.1:5556"],
     "--zeromq-bind-uri tcp://192.0.2.1:5556: not an address of this machine; give another"),
    (STDOUT + ["--zeromq-bind-uri", "tcp://nosuchinterface0:5556"],
     "--zeromq-bind-uri ...: no such address or interface"),
    (STDOUT + ["--zeromq-bind-uri", "ipc://missing/x"], "--zeromq-bind-uri ipc://missing/x: ...; give another"),
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory, with files that are not what a collector wants."""
    (tmp_path / "text.hdf5").write_text("hello")
    (tmp_path / "folder.hdf5").mkdir()
    (tmp_path / "binary.ini").write_bytes(bytes(range(128, 256)))
    (tmp_path / "bad.ini").write_text("[colmet-collector]\nbufer-size = 3\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


@pytest.fixture
def collector(folder, monkeypatch, capfd):
    """collector(arguments): (exit code, stderr) of a collector, here in this process, that is expected to refuse."""
    def refused(arguments):
        code = main.main(arguments)
        out, errors = capfd.readouterr()
        assert out == ""
        return code, errors
    monkeypatch.setattr(main.Collector, "run", lambda self: pytest.fail("it was not refused"))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield refused
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def line(message):
    """A pattern of the one line that says `message`."""
    return "colmet-collector: %s.*\n" % re.escape(message).replace(re.escape("..."), ".*")


@pytest.mark.parametrize("command, message, code", [row + (2,) for row in USAGE] + [row + (1,) for row in REFUSED],
                         ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_bad_input_is_one_line_and_an_exit_code(command, message, code, folder, collector):
    if code == 1 and "--zeromq-bind-uri" not in command:
        command = command + ["--zeromq-bind-uri", LOOPBACK % free_port()]
    found, errors = collector(command)
    assert re.fullmatch(line(message), errors), errors
    assert found == code
    assert (folder / "text.hdf5").read_text() == "hello"


@pytest.mark.parametrize("row, code", [(USAGE[0], 2), (USAGE[7], 2), (REFUSED[0], 1)])
def test_the_program_ends_with_that_line_and_that_code(row, code, folder):
    command, message = row
    done = subprocess.run([sys.executable, "-m", "colmet.collector.main"] + command, cwd=folder, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    assert (done.returncode, done.stdout) == (code, "")
    assert re.fullmatch(line(message), done.stderr), done.stderr


def test_a_port_in_use_names_its_holder(collector):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, errors = collector(STDOUT + ["--zeromq-bind-uri", LOOPBACK % port])
        assert (code, errors) == (1, "colmet-collector: port %d is in use by process %d (%s); stop it or give "
                                  "--zeromq-bind-uri\n" % (port, os.getpid(), open("/proc/self/comm").read().strip()))
        given = ["--zeromq-bind-uri", LOOPBACK % free_port(), "--native-bind-uri", LOOPBACK % port]
        code, errors = collector(STDOUT + given)
        assert code == 1 and errors.count("\n") == 1 and errors.endswith("give --native-bind-uri\n")


def test_an_ipc_path_on_which_a_process_listens_is_not_taken_from_it(folder, collector):
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(folder / "s"))
        other.listen()
        code, errors = collector(STDOUT + ["--zeromq-bind-uri", "ipc://%s/s" % folder])
    expected = "colmet-collector: ipc://%s/s is in use by another process; stop it or give --zeromq-bind-uri\n" % folder
    assert (code, errors) == (1, expected)


def test_two_collectors_never_share_a_journal(folder, collector):
    journal = Journal(folder / "j")
    given = ["--journal-dir", "j", "--zeromq-bind-uri", LOOPBACK % free_port()]
    code, errors = collector(STDOUT + given)
    journal.close()
    assert (code, errors) == (1, "colmet-collector: the journal j is in use by another collector; stop it or give "
                              "--journal-dir\n")


def test_every_option_has_help_with_unit_and_default(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as end:
        main.main(["--help"])
    assert end.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for option in OPTIONS:
        assert all(flag in text for flag in option.flags) and option.help
    assert "(default: tcp://0.0.0.0:5556)" in text and "(default: 5 s)" in text and "(default: 100 records)" in text


def test_every_option_of_0_6_is_there_with_its_default():
    values = settings(STDOUT)
    assert (values.sample_period, values.buffer_size, values.zeromq_bind_uri) == (5, 100, "tcp://0.0.0.0:5556")
    assert (values.zeromq_hwm, values.zeromq_linger) == (1000, 0)
    assert (values.hdf5_filepath, values.hdf5_complevel, values.hdf5_complib) == (None, 1, "zlib")   # level was 0
    values = settings(["--hdf5-filepath", "c", "--hdf5-complib", "blosc2:zstd", "--hdf5-complevel", "0"])
    assert (values.hdf5_complib, values.hdf5_complevel) == ("blosc2:zstd", 0)


def test_the_configuration_file_has_one_key_per_option_and_the_command_line_goes_first(tmp_path):
    path = tmp_path / "c.ini"
    path.write_text("[colmet-collector]\nenable-stdout-backend = yes\nbuffer-size = 7\n"
                    "sample-period = 0.5\njournal-size = 2M\n")
    values = settings(["--config", str(path), "-s", "3"])
    assert (values.enable_stdout_backend, values.buffer_size, values.sample_period) == (True, 7, 3.0)
    assert values.journal_size == 2 * 2 ** 20


@pytest.mark.parametrize("line", ["buffer-size = 0", "sample-period = x", "enable-stdout-backend = maybe",
                                  "zeromq-hwm = -1"])
def test_a_configuration_that_is_wrong_is_a_usage_error(tmp_path, line):
    (tmp_path / "c.ini").write_text("[colmet-collector]\n%s\n" % line)
    with pytest.raises(Usage) as caught:
        settings(STDOUT + ["--config", str(tmp_path / "c.ini")])
    assert line.split()[0] in str(caught.value)


def test_the_native_wire_is_one_port_above_or_beside_its_path():
    assert default_native("tcp://0.0.0.0:5556") == "tcp://0.0.0.0:5557"
    assert default_native("tcp://[::1]:5556") == "tcp://[::1]:5557"
    assert default_native("ipc:///run/x") == "ipc:///run/x.native"
    assert default_native("tcp://*:65535") == ""


def test_sizes_have_binary_suffixes():
    found = [size(text) for text in ("1000", "64K", "1.5G", "2 MiB", "1t")]
    assert found == [1000, 65536, 3 * 2 ** 29, 2 ** 21, 2 ** 40]


def test_the_journal_lies_beside_the_file_else_in_a_state_directory():
    def where(*argv, **environ):
        return str(place.directory(settings(list(argv)), environ))
    assert where("--hdf5-filepath", "d/c.hdf5", "--journal-dir", "j") == "j"
    assert where("--hdf5-filepath", "d/c.hdf5", STATE_DIRECTORY="/s") == "d/c.hdf5.journal"
    assert where(*STDOUT, STATE_DIRECTORY="/s:/t", XDG_STATE_HOME="/x") == "/s"
    assert where(*STDOUT, XDG_STATE_HOME="/x") == "/x/colmet-collector"
    assert where(*STDOUT) == os.path.expanduser("~/.local/state/colmet-collector")
