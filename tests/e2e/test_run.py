"""`colmet run` from outside: what it measures, and that the command does not notice it."""
import os
import re
import signal
import subprocess
import sys
import time

from programs import wait_for
from runs import job_row, line, unfolded

pytest_plugins = ("harness",)

MIB = 2 ** 20
LOAD = """
import os, sys, time
held = bytearray(os.urandom(1 << 20)) * 64
with open("data", "wb") as file:
    file.write(held[:8 << 20]); file.flush(); os.fsync(file.fileno())
os.remove("data")
for _ in range(2):
    pid = os.fork()
    if pid == 0:
        while time.process_time() < 0.75: pass
        os._exit(0)
for _ in range(2): os.wait()
print(sys.stdin.read(), end=""); print("to stderr", file=sys.stderr)
sys.exit(7)
"""


def test_a_known_load_is_found_back_in_the_account_and_the_file(place):
    with open(place.folder / "in", "w") as file:
        file.write("through stdin\n")
    with open(place.folder / "in") as stdin:
        code, out, err = place.colmet("run", "-s", "0.05", "--", sys.executable, "-c", LOAD, stdin=stdin)
    assert (code, out) == (7, "through stdin\n")
    assert err.splitlines()[0] == "to stderr"           # the command's own, and nothing of ours before it
    job, row = job_row(place.file())
    assert row["cpu"] >= 1.5e9 and row["wall"] >= 0.75e9 and row["end"] - row["start"] == row["wall"]
    assert row["peak_memory"] >= 64 * MIB and row["samples"] >= 2
    assert "exit 7" in line(err, "wall") and " s " in line(err, "CPU") and "MiB peak" in line(err, "memory")
    assert line(err, "complete") and place.file().name in line(err, "saved in")
    assert max(map(len, err.splitlines())) <= 80


def test_exit_codes_are_those_of_the_command(place):
    code, _, err = place.colmet("run", "-o", "x.hdf5", "sh", "-c", "kill -9 $$")
    assert code == 137 and "exit 137 (SIGKILL)" in line(err, "wall")
    code, _, err = place.colmet("run", "-o", "x.hdf5", "true")
    assert code == 0 and "x.hdf5 (continued)" in line(err, "saved in")
    assert os.listdir(place.cwd) == ["x.hdf5"]


def test_where_colmet_fails_the_command_is_not_started(place):
    (place.cwd / "x.hdf5").write_bytes(b"PK not ours")
    code, _, err = place.colmet("run", "-o", "x.hdf5", "touch", "started")
    assert code == 125 and "x.hdf5" in err and "touch was not started" in err and "Traceback" not in err
    assert os.listdir(place.cwd) == ["x.hdf5"] and (place.cwd / "x.hdf5").read_bytes() == b"PK not ours"


def signals(status):
    """{what is done: mask of signals} from the text of /proc/PID/status."""
    fields = dict(text.split(":", 1) for text in status.splitlines())
    return {name: int(fields[name], 16) for name in ("SigIgn", "SigBlk", "SigCgt")}


def test_the_environment_and_the_signals_are_the_commands_own(place):
    code, out, _ = place.colmet("run", sys.executable, "-c", "import os, signal; print(sorted(os.environ.items()));"
                                "print(signal.pthread_sigmask(signal.SIG_BLOCK, []))")
    assert code == 0
    environ, mask = out.splitlines()
    given = {name: value for name, value in place.environ.items() if name != "LC_CTYPE"}
    assert {name: value for name, value in eval(environ) if name != "LC_CTYPE"} == given
    assert mask == "set()"
    status = place.colmet("run", "cat", "/proc/self/status")[1]
    plain = subprocess.check_output(["cat", "/proc/self/status"], universal_newlines=True)
    assert signals(status) == signals(plain) and signals(plain)["SigBlk"] == 0


def test_a_signal_is_passed_on_and_the_account_still_printed(place):
    with place.start("run", "sh", "-c", "trap 'exit 5' TERM; touch ready; while :; do sleep 0.1; done") as process:
        wait_for((place.cwd / "ready").exists, 60, "command")
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    (place.cwd / "ready").unlink()
    assert process.returncode == 5 and "exit 5" in line(err, "wall") and "complete" in err


def test_a_signal_before_the_command_starts_ends_all(place):
    with place.start("run", "sh", "-c", "trap '' TERM; touch started") as process:
        place.daemon("collector")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode in (143, 0)               # 0 where it was quicker than the signal
    if process.returncode == 143:
        assert not (place.cwd / "started").exists()


def test_a_killed_node_costs_figures_but_neither_command_nor_file(place):
    script = "touch ready; while [ ! -e go ]; do sleep 0.1; done; echo done; exit 4"
    with place.start("run", "-s", "0.2", "sh", "-c", script) as process:
        wait_for((place.cwd / "ready").exists, 60, "command")
        wait_for(place.samples, 60, "sample")           # else there is nothing for a file
        os.kill(place.daemon("node"), signal.SIGKILL)
        time.sleep(0.3)
        (place.cwd / "go").touch()
        out, err = process.communicate(timeout=60)
    for name in ("ready", "go"):
        (place.cwd / name).unlink()
    assert (process.returncode, out) == (4, "done\n")
    err = unfolded(err)
    assert "killed by signal 9" in err and re.search(r"wall \d", err) and "exit 4" in err
    assert "the file has no account" in err and "CPU and I/O from wait4" in err.replace("CPU, memory", "CPU")
    assert place.file().exists()                        # with the samples until then


def test_a_killed_collector_costs_nothing(place):
    script = "touch ready; while [ ! -e go ]; do sleep 0.1; done; exit 4"
    with place.start("run", "-s", "0.2", "sh", "-c", script) as process:
        wait_for((place.cwd / "ready").exists, 60, "command")
        first = place.daemon("collector")
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: [pid for pid in place.processes("colmet.collector.main") if pid != first], 60, "new collector")
        (place.cwd / "go").touch()
        _, err = process.communicate(timeout=90)
    for name in ("ready", "go"):
        (place.cwd / name).unlink()
    assert process.returncode == 4
    assert line(err, "complete") and job_row(place.file())[1]["samples"] >= 2


def test_a_killed_colmet_leaves_the_file_and_the_next_one_takes_the_rest_away(place):
    with place.start("run", "-s", "0.2", "sh", "-c", "echo $$; exec sleep 1000 > /dev/null 2>&1") as process:
        pid = int(process.stdout.readline())
        node = place.daemon("node")
        process.kill()
        process.communicate(timeout=60)
    os.kill(pid, 0)                                     # the command goes on
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not place.processes() and not os.path.exists("/proc/%d" % pid), 60, "end of all processes")
    assert place.file().exists() and len(os.listdir(place.temporary)) == 1 and node
    assert place.colmet("run", "-o", "next.hdf5", "true")[0] == 0
    assert os.listdir(place.temporary) == []


def test_a_process_that_outlives_the_command_is_told_and_not_killed(place):
    code, out, err = place.colmet("run", "sh", "-c", "sleep 1000 > /dev/null 2>&1 & echo $!")
    left = int(out)
    try:
        assert code == 0
        os.kill(left, 0)
        if "process tree" not in unfolded(err):
            assert "1 process is still running" in err
    finally:
        os.kill(left, signal.SIGKILL)


def test_live_numbers_without_a_terminal_are_plain_lines(place):
    code, _, err = place.colmet("run", "--live", "-s", "0.3", sys.executable, "-c",
                                "import time\nwhile time.process_time() < 2.5: pass")
    before = err[:err.index("colmet ─")] if "colmet ─" in err else err[:err.index("colmet -")]
    live = [text for text in before.splitlines() if " s " in text]
    assert code == 0 and len(live) >= 2 and "CPU" in live[-1] and "mem" in live[-1] and "\x1b" not in err


def test_runs_at_the_same_time_in_one_folder_write_two_files(place):
    processes = [place.start("run", "true") for _ in range(3)]
    assert [process.communicate(timeout=120)[0] for process in processes] == ["", "", ""]
    names = os.listdir(place.cwd)
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(names) == 3 and all(name.endswith(".hdf5") for name in names)
