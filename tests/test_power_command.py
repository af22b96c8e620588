"""Power by --ipmipower-cmd, as Colmet 0.6 took it: output of real tools, and programs that fail, hang or never end."""
import gzip
import json
import sys
import threading
from pathlib import Path

import pytest

from colmet.common import wire06
from colmet.common.batch import Batch, pack_rows
from colmet.common.metrics import TABLES
from colmet.node.backends import Unavailable, power
from colmet.node.power import command
from colmet.node.power.command import Command, parse
from colmet.node.power.reading import Silent
from loads import executable
from programs import wait_for
from power_tree import NAME_06, Cray, close, options

GOLDEN = Path(__file__).parent / "golden" / "0.6" / "hardware"
PRINTS = "import sys, time; %s"
# What is behind the messages of 0.6.
DELL = """Power Statistics for System Power

Average Power  : 231 W
"""
DCMI = """
    Instantaneous power reading:                   345 Watts
    Minimum during sampling period:                120 Watts
    Average power reading over sample period:      300 Watts
"""


def run(code):
    """The reading of a Python program."""
    return Command([sys.executable, "-c", PRINTS % code]).read()["ipmipower-cmd"].watts


@pytest.mark.parametrize("text, watts", [
    (DELL, 231), ("Power : 5 W, later : 7 W\n", 7), ("a: 1 W\nb: 2 W\n", 1), ("Power: 231\n", None),
    ("", None), ("Power : -1 W", None), ("Power : 2.5 W", None), (DCMI, None), ("x: %s W" % ("9" * 5000), None),
    ("x: 2000000 W", None), ("\0: 3 \xff", 3)])
def test_output_is_parsed_as_0_6_did(text, watts):
    assert parse(text) == watts


def test_the_program_behind_0_6s_messages_gives_its_records_byte_for_byte(tmp_path):
    source = power.Backend(tmp_path, options(ipmipower_cmd=["printf", "%s", DELL], tables={NAME_06}))
    [(_, _, values)] = wait_for(lambda: [row for row in source.sample([])[NAME_06] if row[2] != [None]], 60, "watts")
    close(source)
    decoded = json.loads((GOLDEN / "messages.json").read_text())["messages"]
    for message, path in zip(decoded, sorted(GOLDEN.glob("*.bin.gz"))):
        [record] = [record for record in message if record["metric_backend"] == NAME_06]
        raw = gzip.decompress(path.read_bytes())
        batch = Batch(record["hostname"], 1, 1, record["timestamp"] * 10 ** 9, 0)
        batch.jobs += [{"job": str(job)} for job in json.loads(record["involved_jobs"])]
        batch.blocks.append(pack_rows(TABLES[NAME_06], [(0, 0, values)]))
        made = wire06.encode(batch)[0]
        assert made == raw[raw.index(NAME_06.encode()):][:len(made)] and len(made) == 8726


def test_no_shell_sees_the_words():
    source = Command(["printf", "%s: 4 W", "$HOME; echo"])
    assert source.read()["ipmipower-cmd"].watts == 4


@pytest.mark.parametrize("code, words", [
    ("sys.exit(3)", "it ended with 3"), ("print('Power: ?')", "it printed no power"),
    ("print('x: 5 W'); sys.exit(1)", "it ended with 1")])
def test_a_program_that_fails_is_told(code, words):
    with pytest.raises(Silent, match=words):
        run(code)


@pytest.mark.parametrize("code", ["time.sleep(600)", "sys.stdout.close(); time.sleep(600)",
                                  "print('x: 5 W', flush=True); time.sleep(600)"])
def test_a_program_that_hangs_is_ended_at_its_deadline(code, monkeypatch):
    monkeypatch.setattr(command, "DEADLINE", 1)
    with pytest.raises(Silent, match="it did not end within 1 s"):
        run(code)


def test_a_program_that_prints_for_ever_is_ended():
    with pytest.raises(Silent, match="it printed more than 64 KiB"):
        run("[sys.stdout.write('y' * 4096) for _ in iter(int, 1)]")


def test_nothing_of_a_program_outlives_the_source(tmp_path):
    """Neither itself nor what it started."""
    numbers = tmp_path / "numbers"
    source = Command(["sh", "-c", "sleep 600 & echo $$ $! > %s.new; mv %s.new %s; wait" % (numbers, numbers, numbers)])
    faults = []

    def read():
        try:
            source.read()
        except Silent as fault:
            faults.append(fault)
    thread = threading.Thread(target=read)
    thread.start()
    wait_for(numbers.exists, 60, "start of the program")
    source.stop()
    thread.join(60)
    assert not thread.is_alive() and "it ended with -9" in str(faults[0])
    wait_for(lambda: all(state(pid) in "ZX" for pid in numbers.read_text().split()), 60, "end of both")
    assert parse(source._output().decode()) is None        # and none begins


def state(pid):
    """Of a process, X when it is gone."""
    try:
        return Path("/proc", pid, "stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return "X"


def test_a_program_that_is_not_there_is_told_and_costs_no_other_meter(tmp_path):
    with pytest.raises(Unavailable, match="--ipmipower-cmd no-such-tool: no such program.*; give its whole path"):
        Command(["no-such-tool"])
    Cray(tmp_path)
    source = power.Backend(tmp_path, options(ipmipower_cmd=["no-such-tool"]))
    assert "no-such-tool" in source.lacks["ipmipower-cmd"] and "ipmi" in source.lacks
    assert list(source.sample([])) == ["power"]
    source.close()


def test_0_6s_tool_does_where_there_is_no_bmc_to_ask(tmp_path):
    tool = tmp_path / "usr" / "sbin" / "ipmi-oem"
    executable(tool, '#!/bin/sh\necho "$* : 77 W"\n')
    source = power.Backend(tmp_path, options())
    assert source.reader == "ipmipower-cmd"
    wait_for(lambda: source.sample([])[NAME_06][0][2] == [77], 60, "watts")
    close(source)
