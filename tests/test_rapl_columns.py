"""The 24 columns that 0.6 has of RAPL, against the messages that it sent, and the file that says what they are."""
import gzip
import json
from pathlib import Path

from colmet.common import wire06
from colmet.common.batch import Batch, pack_rows
from colmet.common.metrics import TABLES
from energy_tree import RANGE, ZONES, Powercap, columns, zones

pytest_plugins = ("energy_node",)
GOLDEN = Path(__file__).parent / "golden" / "0.6" / "hardware"


def golden():
    """[{column: value}] of the messages of 0.6, and the bytes of these records."""
    decoded = json.loads((GOLDEN / "messages.json").read_text())["messages"]
    records = [[record for record in message if record["metric_backend"] == "RAPLstats_default"][0]
               for message in decoded]
    raw = [gzip.decompress(path.read_bytes()) for path in sorted(GOLDEN.glob("*.bin.gz"))]
    places = [message.index(b"RAPLstats_default") for message in raw]
    return records, [message[place:place + 8910] for message, place in zip(raw, places)]


def test_the_inputs_behind_0_6s_messages_give_its_records_byte_for_byte(tmp_path, opened, clock):
    tree, (records, raw) = Powercap(tmp_path, start=RANGE // 3), golden()
    for name in ZONES:
        tree.set(name, 10 ** 9)
    backend = opened(tmp_path, tmp_path)
    for number, (record, expected) in enumerate(zip(records, raw)):
        clock.wait(1)
        for place, name in enumerate(sorted(ZONES)):
            if number:
                tree.set(name, tree.values[name] + (1 + place % 3) * 10 ** 6)
        if number == 2:
            tree.set("package-0", tree.values["package-0"] - 10 ** 6 - 400)
        batch = Batch(record["hostname"], 1, 1, record["timestamp"] * 10 ** 9, 0)
        batch.jobs += [{"job": str(job)} for job in json.loads(record["involved_jobs"])]
        batch.blocks.append(pack_rows(TABLES["RAPLstats_default"], [(0, 0, columns(backend))]))
        assert wire06.encode(batch)[0] == expected
    [path] = tmp_path.glob("RAPL_mapping.*.csv")
    assert path.read_text() == (GOLDEN / "RAPL_mapping.csv").read_text()
    assert float(path.name[len("RAPL_mapping."):-len(".csv")]) > 0


def test_what_the_hardware_has_not_is_0_and_what_has_no_column_is_not_sent(tmp_path, opened):
    Powercap(tmp_path, {"package-0": "intel-rapl:0", "package-0/core": "intel-rapl:0:0",
                        "package-0/uncore": "intel-rapl:0:1"})
    backend = opened(tmp_path, tmp_path)
    assert columns(backend) == [0, RANGE, 0, RANGE, 0, 0] + [None] * 18
    [path] = tmp_path.glob("RAPL_mapping.*.csv")
    assert path.read_text().splitlines()[3:7] == [
        "counter_4,max_energy_range_microjoule,package-0,zone_core", "counter_5,counter_not_supported_by_hardware,,",
        "counter_6,counter_not_supported_by_hardware,,", "counter_7,no_counter,,"]


def test_a_fifth_package_has_rows_and_no_columns(tmp_path, opened):
    Powercap(tmp_path, {"package-%d" % number: "intel-rapl:%d" % number for number in range(5)})
    backend = opened(tmp_path)
    assert len(columns(backend)) == 24 and columns(backend)[22:] == [0, 0]
    assert len(zones(backend)) == 5


def test_only_the_tables_that_are_on_are_made(tmp_path, opened):
    Powercap(tmp_path)
    assert set(opened(tmp_path, tables={"rapl"}).sample([])) == {"rapl"}
    assert set(opened(tmp_path, tables={"RAPLstats_default"}).sample([])) == {"RAPLstats_default"}


def test_a_folder_that_takes_no_file_is_told_once_and_costs_nothing(tmp_path, opened, caplog):
    Powercap(tmp_path)
    backend = opened(tmp_path, str(tmp_path / "absent"))
    assert columns(backend) == columns(backend)
    [line] = [record.getMessage() for record in caplog.records]
    assert "absent/RAPL_mapping." in line and "--mapping-dir" in line
