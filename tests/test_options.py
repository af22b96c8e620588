"""Options declared as data: command line over file over default, and one clear line for what is wrong."""
import pytest

from colmet.common.options import CONFIG, VERBOSE, Option, Usage, above, at_least, build, parse

OPTIONS = (
    VERBOSE, CONFIG,
    Option(("-s", "--sample-period"), "time between samples", 5.0, float, "s", check=above(0)),
    Option(("--enable-RAPL",), "read RAPL", False, bool),
    Option(("--cpuset_rootpath",), "where jobs are", [], many="repeat", metavar="DIR"),
    Option(("--perfhw-list",), "counters", ["instructions", "page_faults"], many="words"),
    Option(("--zeromq-hwm",), "most messages kept", 1000, int, check=at_least(0), group="Zeromq"),
    Option(("--root",), "file system read", "/", hidden=True),
)
RETIRED = {"--zeromq-swap": "use --zeromq-hwm"}


def values(*argv):
    return parse("colmet-x", "for tests", OPTIONS, list(argv), RETIRED)


def fault(*argv):
    with pytest.raises(Usage) as caught:
        values(*argv)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.fixture
def config(tmp_path):
    def write(text):
        path = tmp_path / "colmet.ini"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)
    return write


def test_defaults():
    got = values()
    assert (got.sample_period, got.enable_RAPL, got.zeromq_hwm, got.root, got.verbose) == (5.0, False, 1000, "/", 0)
    assert got.cpuset_rootpath == [] and got.perfhw_list == ["instructions", "page_faults"]


def test_the_command_line():
    got = values("-vv", "-s", ".5", "--enable-RAPL", "--cpuset_rootpath", "/a", "--cpuset_rootpath", "/b",
                 "--perfhw-list", "cycles", "dummy")
    assert (got.sample_period, got.enable_RAPL, got.verbose) == (0.5, True, 2)
    assert got.cpuset_rootpath == ["/a", "/b"] and got.perfhw_list == ["cycles", "dummy"]


def test_a_repeatable_option_never_grows_its_default():
    values("--cpuset_rootpath", "/a")
    assert values().cpuset_rootpath == []


def test_the_file_has_a_key_for_each_option_and_the_command_line_goes_first(config):
    path = config("[colmet-x]\nsample-period = 2\nenable-RAPL = yes\ncpuset_rootpath =\n  /a\n  /b c\n"
                  "perfhw-list = cycles dummy\nzeromq-hwm = 7\n[colmet-y]\nnonsense = 1\n")
    got = values("--config", path, "--zeromq-hwm", "9")
    assert (got.sample_period, got.enable_RAPL, got.zeromq_hwm) == (2.0, True, 9)
    assert got.cpuset_rootpath == ["/a", "/b c"] and got.perfhw_list == ["cycles", "dummy"]


def test_a_switch_of_the_file_can_be_no(config):
    assert values("--config", config("[colmet-x]\nenable-RAPL = no\n")).enable_RAPL is False


def test_a_percent_sign_is_only_that(config):
    assert values("--config", config("[colmet-x]\ncpuset_rootpath = /%d%(x)s\n")).cpuset_rootpath == ["/%d%(x)s"]


@pytest.mark.parametrize("argv, words", [
    (["--sample-period", "0"], ["--sample-period 0", "above 0", "(s)"]),
    (["-s", "abc"], ["sample-period", "abc"]),
    (["--zeromq-hwm", "-1"], ["--zeromq-hwm -1", "at least 0"]),
    (["--zeromq-swap", "10"], ["--zeromq-swap", "--zeromq-hwm"]),
    (["--zeromq-swap=10"], ["--zeromq-swap", "--zeromq-hwm"]),
    (["--nonsense"], ["--nonsense"]),
    (["--config", "no-such-file.ini"], ["no-such-file.ini", "No such file"]),
], ids=lambda value: " ".join(value))
def test_a_wrong_command_line_is_one_line_that_names_the_option(argv, words):
    text = fault(*argv)
    assert all(word in text for word in words), text


@pytest.mark.parametrize("text, words", [
    ("[colmet-x]\nsample-periot = 1\n", ["sample-periot", "did you mean sample-period?"]),
    ("[colmet-x]\nsample-period = abc\n", ["sample-period = abc", "float"]),
    ("[colmet-x]\nsample-period = -1\n", ["sample-period -1", "above 0"]),
    ("[colmet-x]\nenable-RAPL = maybe\n", ["enable-RAPL = maybe", "yes or no"]),
    ("no section\n", ["colmet.ini", "no section headers", "; correct it"]),
    ("[colmet-x]\nzeromq-hwm = 1\nzeromq-hwm = 2\n", ["zeromq-hwm", "already exists"]),
    (b"[colmet-x]\nroot = \xff\n", ["colmet.ini: not text in UTF-8; give another"]),
])
def test_a_wrong_file_is_one_line_that_names_file_and_key(config, text, words):
    got = fault("--config", config(text))
    assert all(word in got for word in words), got


def test_a_folder_is_no_configuration_file(tmp_path):
    assert fault("--config", str(tmp_path)) == "--config %s: Is a directory; give another" % tmp_path


def test_help_states_default_and_unit_and_leaves_hidden_options_out():
    text = " ".join(build("colmet-x", "for tests", OPTIONS).format_help().split())
    assert "time between samples (default: 5.0 s)" in text
    assert "counters (default: instructions page_faults)" in text
    assert "--root" not in text
    assert "Zeromq" in text


def test_version_is_printed(capsys):
    with pytest.raises(SystemExit) as caught:
        values("--version")
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("colmet-x 1.")
