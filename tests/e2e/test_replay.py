"""Recordings that are cut, that another release made, and that show a bug; and what a site's bug becomes."""
import re
import signal

import pytest

import heat_tree
from energy_tree import RANGE, Powercap
from programs import Program
from replays import Keeping, rows, replayed
from colmet.node.tape.recording import Reader

pytest_plugins = ("harness",)
PATIENCE = 60
OTHERS = ("--disable-taskstats", "--disable-procstats", "--disable-job", "--disable-account", "--disable-cgroup")
BUG = "import colmet.node.sensor as s; right = s.celsius; s.celsius = lambda number: right(number // 10 ** 4)"
ASKS = "from colmet.node import sensor; import os; sensor.celsius = lambda number: os.stat('/etc/other')"


def native(uri):
    """The address of the native wire."""
    return "tcp://127.0.0.1:%d" % (int(uri.rpartition(":")[2]) + 1)


@pytest.fixture(name="recording")
def _recording(uri, start, tmp_path):
    """(the file, {sequence: frames}) of a node that was killed; zones and sensors moved while it ran."""
    tree = Powercap(tmp_path / "machine", start=RANGE - 5)
    heat_tree.server(tree.root)
    (tree.root / "proc").mkdir()
    with Keeping(native(uri)) as collector:
        node = start("node", "--record", tmp_path / "kept", "--zeromq-uri", uri, "--wire", "native", "-s", "0.1",
                     "--root", tree.root, "--enable-RAPL", "--enable-temperature", "--mapping-dir", tmp_path, *OTHERS)
        for joules in range(5):
            tree.use(package_0=joules)
            before = len(collector.frames)
            collector.serve(lambda: len(collector.frames) > before + 1)
        node.stop(signal.SIGKILL)
        collector.idle(0.2)
        [path] = (tmp_path / "kept").glob("*.colmet")
        return path, collector.frames


def test_the_recording_of_a_killed_node_is_replayed_to_its_end(recording, uri):
    path, frames = recording
    again, code, said = replayed(path, uri)
    assert code == 0 and "and not with its node: that was killed" in said and ", all as recorded" in said
    assert all(again[sequence] == frames[sequence] for sequence in set(again) & set(frames))
    assert abs(len(again) - len(frames)) <= 1       # it was killed between a batch and its block, or its sending
    assert {zone: values[1] for zone, values in rows(again[max(again)], "rapl").items()}["package-0"] == 10 ** 7


def test_one_that_is_cut_is_replayed_up_to_there_and_says_so(recording, uri):
    path, frames = recording
    path.write_bytes(path.read_bytes()[:-10])
    again, code, said = replayed(path, uri)
    assert code == 0 and "what follows is not whole" in said
    assert again and all(again[sequence] == frames[sequence] for sequence in again)


def test_a_bug_in_a_parser_shows(recording, uri):
    path, frames = recording
    again, code, said = replayed(path, uri, planted=BUG)
    assert code == 0 and " of them not as recorded, the first at tick " in said
    assert {again[sequence] == frames[sequence] for sequence in set(again) & set(frames)} >= {False}
    right, wrong = (rows(found[max(again)], "temperature") for found in (frames, again))
    assert right["coretemp.0/Package id 0"][0] == 60 and wrong["coretemp.0/Package id 0"][0] == 0.006


def test_who_asks_for_something_else_is_named(recording, uri):
    _, code, said = replayed(recording[0], uri, planted=ASKS)
    assert code == 1        # the thread reads beside the ticks: whether one more began meanwhile makes no difference
    assert re.search(r": temperature, tick \d: asks for os\.stat of \('/etc/other',\), which the recording does not "
                     r"have there; next in it is ", said)


def test_texts_are_kept_as_the_kernel_gave_them(recording):
    reader, texts = Reader(recording[0]), []
    while True:
        block = reader.block()
        if block is None:
            break
        texts += [answer for _, kind, key, _, answer in block if kind == "text" and key.endswith(":0/energy_uj")]
    reader.close()
    assert texts[0] == b"%020d\n" % (RANGE - 5) and b"%020d\n" % (10 ** 7 - 5) in texts


@pytest.mark.parametrize("words, said", [
    (("--replay", "none"), "--replay none: No such file or directory; give another"),
    (("--replay", "."), "--replay .: has no recording; name the file"),
    (("--replay", "old.colmet"), "--replay old.colmet: of version 7, this colmet-node reads version 1; replay"),
    (("--replay", "x", "--record", "y"), "leave out one of --record and --replay"),
    (("--replay", "file"), "--replay file: no recording of colmet-node; name one that --record made"),
    (("--record", "file"), "--record file: File exists; give another"),
    (("--record", "/proc/kept"), "--record /proc/kept: No such file or directory; give another"),
    (("--record", "file/kept"), "--record file/kept: Not a directory; give another")])
def test_what_cannot_be_is_one_line(tmp_path, running, words, said):
    (tmp_path / "file").write_text("")
    if "old.colmet" in words:
        (tmp_path / "old.colmet").write_bytes(b"colmet recording 7\n")
    running.append(Program("colmet.node.main", words, tmp_path))
    assert running[-1].process.wait(PATIENCE) == (2 if "y" in words else 1)
    assert said in running[-1].errors() and running[-1].errors().count("\n") == 1
