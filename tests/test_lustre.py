"""0.6's columns of Lustre, against the messages that it sent, and the file systems that --lustre-prefix names."""
import gzip
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from colmet.common import wire06
from colmet.common.batch import NODE_JOB, Batch, pack_rows
from colmet.common.metrics import TABLES
from colmet.node.backends import Unavailable, lustre
from mounts_tree import LUSTRE_2_5, LUSTRE_2_12, LUSTRE_2_15, Machine, put

GOLDEN = Path(__file__).parent / "golden" / "0.6" / "hardware"
NAME, BYTES = "lustrestats_default", 8750


@pytest.fixture(name="opened")
def _opened():
    """opened(root, prefix) makes the source."""
    made = []

    def make(root, prefix="lustre"):
        made.append(lustre.Backend(root, SimpleNamespace(lustre_prefix=prefix)))
        return made[-1]
    yield make
    for each in made:
        each.close()


def columns(source):
    """The four values."""
    [(job, instance, values)] = source.sample([])[NAME]
    assert (job, instance) == (None, "")
    return values


@pytest.mark.parametrize("version", [LUSTRE_2_5, LUSTRE_2_12, LUSTRE_2_15])
def test_the_machine_behind_0_6s_messages_gives_its_records_byte_for_byte(version, tmp_path, opened):
    machine = Machine(tmp_path)
    machine.lustre("lustre-ffff88017d1b6800", version, read=(17996, 30994606834), write=(9007, 31008331389), open=9)
    machine.lustre("lustre-ffff88017d1b7000", version, read=(4, 4096), write=(2, 2048))
    machine.lustre("scratch-ffff88017d1b7800", version, read=(1, 1), write=(1, 1))
    source = opened(tmp_path)
    decoded = json.loads((GOLDEN / "messages.json").read_text())["messages"]
    for message, path in zip(decoded, sorted(GOLDEN.glob("*.bin.gz"))):
        [record] = [record for record in message if record["metric_backend"] == NAME]
        jobs = [dict(NODE_JOB)] + [{"job": str(job)} for job in json.loads(record["involved_jobs"])]
        batch = Batch(record["hostname"], 1, 1, record["timestamp"] * 10 ** 9, 0, jobs)
        batch.blocks.append(pack_rows(TABLES[NAME], [(0, 0, columns(source))]))
        raw = gzip.decompress(path.read_bytes())
        assert wire06.encode(batch)[0] == raw[raw.index(NAME.encode()):][:BYTES]


@pytest.mark.parametrize("prefix, total", [("lustre", 1), ("scratch", 6), ("*", 15), ("l*", 1), ("home?", 8)])
def test_the_prefix_names_the_file_systems(prefix, total, tmp_path, opened):
    machine = Machine(tmp_path)
    for number, name in enumerate(("lustre", "scratch", "scratch", "home1")):
        machine.lustre("%s-ffff88017d1b680%d" % (name, number), read=(1 << number, 10 << number), write=(0, 0))
    source = opened(tmp_path, prefix)
    assert not source.lacks and columns(source) == [total, 10 * total, 0, 0]


def test_a_prefix_that_fits_none_gives_no_row_and_says_which_there_are(tmp_path, opened):
    machine = Machine(tmp_path)
    machine.lustre("scratch-ffff88017d1b6800", read=(1, 1))
    machine.lustre("home-ffff88017d1b6801", read=(1, 1))
    source = opened(tmp_path)
    assert source.lacks == {"lustre": "the file systems of this node are home, scratch; say which by --lustre-prefix, "
                                      "'*' for all"}
    assert source.sample([]) == {}


def test_of_a_sum_that_lacks_a_part_nothing_is_known(tmp_path, opened):
    machine = Machine(tmp_path)
    machine.lustre("lustre-ffff88017d1b6800", read=(1, 1))
    path = machine.lustre("lustre-ffff88017d1b6801", read=(2, 2))
    source = opened(tmp_path)
    assert columns(source) == [3, 3, 0, 0]
    put(path, "N/A\n")
    assert columns(source) == [None] * 4
    machine.lustre("lustre-ffff88017d1b6801", read=(5, 5))
    assert columns(source) == [6, 6, 0, 0]


def test_a_machine_without_lustre_says_so(tmp_path):
    with pytest.raises(Unavailable) as error:
        lustre.Backend(tmp_path, SimpleNamespace(lustre_prefix="lustre"))
    assert str(error.value) == ("no Lustre client in %s/proc/fs/lustre/llite, %s/sys/kernel/debug/lustre/llite, "
                                "%s/sys/fs/lustre/llite; mount Lustre, then start colmet-node again or send it SIGHUP"
                                % ((tmp_path,) * 3))
