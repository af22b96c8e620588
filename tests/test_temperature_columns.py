"""The six columns that 0.6 has of the thermal zones, against the messages that it sent, and the file that says what
they are."""
import gzip
import json
from pathlib import Path

from colmet.common import wire06
from colmet.common.batch import Batch, pack_rows
from colmet.common.metrics import TABLES
from heat_tree import backend, chip, columns, degrees, server, write, zone

GOLDEN = Path(__file__).parent / "golden" / "0.6" / "hardware"
NAME, BYTES = "temperaturestats_default", 574


def test_the_machine_behind_0_6s_messages_gives_its_records_byte_for_byte(tmp_path):
    source = backend(server(tmp_path), tmp_path)
    decoded = json.loads((GOLDEN / "messages.json").read_text())["messages"]
    for message, path in zip(decoded, sorted(GOLDEN.glob("*.bin.gz"))):
        [record] = [record for record in message if record["metric_backend"] == NAME]
        raw = gzip.decompress(path.read_bytes())
        batch = Batch(record["hostname"], 1, 1, record["timestamp"] * 10 ** 9, 0)
        batch.blocks.append(pack_rows(TABLES[NAME], [(0, 0, columns(source))]))
        assert wire06.encode(batch)[0] == raw[raw.index(NAME.encode()):][:BYTES]
    [path] = tmp_path.glob("temperature_mapping.*.csv")
    assert path.read_text() == (GOLDEN / "temperature_mapping.csv").read_text()
    assert float(path.name[len("temperature_mapping."):-len(".csv")]) > 0
    assert source.described[NAME].mapping == ("x86_pkg_temp_0", "acpitz_1", "pch_skylake_2") + ("no counter",) * 3
    source.close()


def test_degrees_are_whole_towards_0_and_a_zone_is_where_its_number_is(tmp_path):
    for number, value in ((0, -1999), (2, 1999), (5, 51500), (6, 66000)):
        zone(tmp_path, number, "z", value)
    source = backend(tmp_path, tmp_path)
    assert columns(source) == [-1, None, 1, None, None, 51]
    assert len(degrees(source)) == 4
    [path] = tmp_path.glob("temperature_mapping.*.csv")
    assert path.read_text().splitlines() == ["counter_1, z_0", "counter_2, no counter ", "counter_3, z_2",
                                             "counter_4, no counter ", "counter_5, no counter ", "counter_6, z_5"]
    source.close()


def test_a_zone_that_fails_or_goes_is_missing_and_the_others_are_not(tmp_path):
    folders = [zone(tmp_path, number, "z%d" % number, 1000 * number) for number in range(3)]
    source = backend(tmp_path)
    assert columns(source) == [0, 1, 2, None, None, None]
    write(folders[1] / "temp", "N/A")
    (folders[0] / "temp").unlink()
    assert columns(source) == [None, None, 2, None, None, None]
    write(folders[0] / "temp", 9000)
    source._due = 0
    assert columns(source) == [9, None, 2, None, None, None]
    source.close()


def test_without_a_zone_there_is_no_record_and_no_file(tmp_path):
    chip(tmp_path, 0, "k10temp", "pci0000:00/0000:00:18.3", temp1_input=40000)
    source = backend(tmp_path, tmp_path)
    assert (source.reader, source.unfilled) == ("hwmon", (NAME,))
    assert set(source.sample([])) == {"temperature"} and not list(tmp_path.glob("*.csv"))
    source.close()


def test_only_the_tables_that_are_on_are_made(tmp_path):
    server(tmp_path)
    for tables in ({"temperature"}, {NAME}, {"temperature", NAME}):
        source = backend(tmp_path, tables=tables)
        assert set(source.sample([])) == tables
        source.close()


def test_a_folder_that_takes_no_file_is_told_once_and_costs_nothing(tmp_path, caplog):
    source = backend(server(tmp_path), str(tmp_path / "absent"))
    assert columns(source) == columns(source) == [45, 27, 51, None, None, None]
    [line] = [record.getMessage() for record in caplog.records]
    assert "absent/temperature_mapping." in line and "--mapping-dir" in line
    source.close()
