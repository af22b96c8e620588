"""The columns that 0.6 has of perfquery, against the messages that it sent."""
import gzip
import json
import shutil
from pathlib import Path

from colmet.common import wire06
from colmet.common.batch import Batch, pack_rows
from colmet.common.metrics import TABLES
from network_tree import GOLDEN as SAID
from network_tree import Network, backend, columns

GOLDEN = Path(__file__).parent / "golden" / "0.6" / "hardware"
NAME, BYTES = "infinibandstats_default", 8750


def test_the_machine_behind_0_6s_messages_gives_its_records_byte_for_byte(tmp_path):
    Network(tmp_path)
    source = backend(tmp_path)
    decoded = json.loads((GOLDEN / "messages.json").read_text())["messages"]
    for message, path in zip(decoded, sorted(GOLDEN.glob("*.bin.gz"))):
        [record] = [record for record in message if record["metric_backend"] == NAME]
        raw = gzip.decompress(path.read_bytes())
        batch = Batch(record["hostname"], 1, 1, record["timestamp"] * 10 ** 9, 0)
        batch.jobs += [{"job": str(job)} for job in json.loads(record["involved_jobs"])]
        batch.blocks.append(pack_rows(TABLES[NAME], [(0, 0, columns(source))]))
        assert wire06.encode(batch)[0] == raw[raw.index(NAME.encode()):][:BYTES]
    source.close()


def test_data_by_4_bytes_by_8_of_hfi1_and_with_omnipath(tmp_path):
    tree = Network(tmp_path)
    for omnipath, unit in ((False, 4), (True, 8)):
        source = backend(tmp_path, omnipath=omnipath)
        assert columns(source) == [unit * SAID[0], unit * SAID[1], *SAID[2:]]
        source.close()
    shutil.rmtree(tree.classes / "infiniband" / "mlx5_0")
    tree.adapter("hfi1_0", *SAID)
    for omnipath in (False, True):
        source = backend(tmp_path, omnipath=omnipath)
        assert columns(source) == [8 * SAID[0], 8 * SAID[1], *SAID[2:]]
        source.close()


def test_the_port_is_that_of_perfquery_and_stays(tmp_path):
    """The first that is up, InfiniBand before Ethernet; another only when it is not up any more."""
    tree = Network(tmp_path)
    tree.adapter("mlx4_0", 1, 1, 1, 1, link_layer="Ethernet")
    tree.adapter("mlx5_0", 2, 2, 2, 2, state="1: DOWN")
    tree.adapter("mlx5_0", 3, 3, 3, 3, port=2)
    tree.adapter("mlx5_1", 4, 4, 4, 4)
    source = backend(tmp_path)
    assert columns(source) == [12, 12, 3, 3]
    tree.adapter("mlx5_0", 2, 2, 2, 2)
    assert columns(source) == [12, 12, 3, 3]
    tree.adapter("mlx5_0", port=2, state="1: DOWN")
    assert columns(source) == [8, 8, 2, 2]
    for device in ("mlx5_0", "mlx5_1"):
        shutil.rmtree(tree.classes / "infiniband" / device)
    assert columns(source) == [4, 4, 1, 1]
    shutil.rmtree(tree.classes / "infiniband" / "mlx4_0")
    assert columns(source) == [None] * 4            # -1 in 0.6's table
    source.close()


def test_what_perfquery_would_not_tell_is_missing(tmp_path):
    Network(tmp_path).adapter("mlx5_0", "N/A (no PMA)", 2 ** 32 - 1)
    source = backend(tmp_path)
    assert columns(source) == [None, None, *SAID[2:]]
    source.close()


def test_only_the_tables_that_are_on_are_made(tmp_path):
    tree = Network(tmp_path)
    for tables in ({"network"}, {NAME}, {"network", NAME}):
        source = backend(tmp_path, tables=tables)
        assert set(source.sample([])) == tables and not source.unfilled
        source.close()
    shutil.rmtree(tree.classes / "infiniband")
    source = backend(tmp_path)
    assert source.unfilled == (NAME,) and set(source.sample([])) == {"network"}
    source.close()
