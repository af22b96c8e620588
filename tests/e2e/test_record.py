"""What a node read is kept, and makes the same batches again: elsewhere, by somebody else, when the jobs are gone."""
import json
import shutil
import signal

import pytest

import heat_tree
from colmet.node.backends import NAMES, load
from energy_tree import Powercap
from replays import Keeping, replayed

pytest_plugins = ("harness",)
ALL = ("--enable-jobproc", "--enable-RAPL", "--enable-temperature", "--enable-perfhw", "--perfhw-list", "task_clock",
       "page_faults", "context_switches")


@pytest.fixture(name="machine")
def _machine(tmp_path):
    """A root with the cgroups and processes of this machine, and made-up zones and sensors."""
    tree = Powercap(tmp_path / "machine")
    heat_tree.server(tree.root)
    (tree.root / "proc").symlink_to("/proc")
    (tree.root / "sys" / "fs").symlink_to("/sys/fs")
    return tree


def native(uri):
    """The address of the native wire."""
    return "tcp://127.0.0.1:%d" % (int(uri.rpartition(":")[2]) + 1)


def only(folder):
    """The one recording there."""
    [path] = folder.glob("*.colmet")
    return path


def recorded(start, root, machine, uri, folder, *arguments):
    """{sequence: frames} of a node that was recorded while jobs came, worked and went."""
    with Keeping(native(uri)) as collector:
        node = start("node", "--record", folder, "--zeromq-uri", uri, "--wire", "native", "-s", "0.2", "--root",
                     machine.root, "--cpuset_rootpath", root.path, *ALL, *arguments)
        first = root.job(71)
        first.run("sh", "-c", "while :; do :; done")
        collector.serve(lambda: any(each["job"] == "71" for each in collector.jobs))
        machine.use(package_0=12.5, package_1=3)
        second = root.job(72, "bob")
        second.run("sleep", "1000")
        collector.serve(lambda: any(each["job"] == "72" for each in collector.jobs))
        heat_tree.write(machine.root.joinpath(*heat_tree.HWMON, "hwmon0", "temp1_input"), 71500)
        first.remove()
        collector.serve(lambda: any(each.get("gone") for each in collector.jobs))
        before = len(collector.frames)
        collector.serve(lambda: len(collector.frames) > before + 3)
        node.process.terminate()
        collector.serve(lambda: node.process.poll() is not None)        # its last batch comes at its end
        assert node.process.returncode == 0, node.errors()
        assert sorted(collector.frames) == list(range(1, max(collector.frames) + 1))
        second.remove()
        return collector.frames, node.errors()


@pytest.mark.root
@pytest.mark.parametrize("reader", ["bpf", "netlink", "proc"])
def test_a_replay_makes_the_same_batches_without_the_machine(root, machine, uri, start, tmp_path, reader):
    frames, said = recorded(start, root, machine, uri, tmp_path / "kept", "--task-reader", reader)
    assert "rapl (powercap)" in said and "taskstats (%s)" % reader in said
    path = only(tmp_path / "kept")
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o777 == 0o700
    assert len(frames) > 5
    shutil.rmtree(machine.root)
    for _ in range(2):
        again, code, said = replayed(path, uri, forbidden=[machine.root])
        assert code == 0 and "%d batches in " % len(frames) in said and ", all as recorded\n" in said, said
        assert again == frames


def everything():
    """Each switch of a source that there is."""
    tables = [table for name in NAMES for table in load(name).TABLES]
    return ["--enable-" + option for option in dict.fromkeys(table.option for table in tables)]


@pytest.mark.root
def test_whatever_source_there_is_reads_by_the_tape(root, machine, uri, start, tmp_path):
    config = tmp_path / "node.conf"
    config.write_text("[colmet-node]\nsample-period = 0.2\nenable-temperature = yes\n")
    root.job(73).run("sleep", "1000")
    with Keeping(native(uri)) as collector:
        node = start("node", "--config", config, "--record", tmp_path / "kept", "--zeromq-uri", uri, "--wire", "native",
                     "--root", machine.root, "--cpuset_rootpath", root.path, "--cpu-budget", "1000", "--period",
                     "budget=0.2", "--reset-peak", "--blkio-rule", *everything())
        collector.serve(lambda: len(collector.frames) > 3)
        config.write_text("[colmet-node]\nsample-period = 0.1\ndisable-temperature = yes\n")
        node.process.send_signal(signal.SIGHUP)
        collector.serve(lambda: node.errors().count("sources ") == 2)
        before = len(collector.frames)
        collector.serve(lambda: len(collector.frames) > before + 3)
        node.process.terminate()
        collector.serve(lambda: node.process.poll() is not None)
        frames = collector.frames
    config.unlink()
    shutil.rmtree(machine.root)
    again, code, said = replayed(only(tmp_path / "kept"), uri, forbidden=[tmp_path / "machine", config])
    assert code == 0 and ", all as recorded\n" in said, said
    assert again == frames
    named = [{name for name, _, _ in json.loads(frames[sequence][0])["blocks"]} for sequence in sorted(frames)]
    assert any("temperature" in each for each in named) and "temperature" not in named[-1]
