"""The file of a recording: private, bounded, whole up to where it ends, and refused in words."""
import os
import struct

import pytest

from colmet.node.tape.recording import Reader, Unreadable, Writer
from test_tape import recorded, replayed


def blocks(path):
    """(all blocks, whether the file was cut)."""
    reader, found = Reader(path), []
    while True:
        block = reader.block()
        if block is None:
            reader.close()
            return found, reader.cut
        found.append(block)


@pytest.fixture(name="path")
def _path(tmp_path):
    """A recording of three blocks."""
    writer = Writer(str(tmp_path / "kept"), 1, ["-s", "2"])
    for number in range(3):
        assert writer.write([[0, "kind", [number, "k\udcff"], 0, os.urandom(100)],
                             [1, "kind", None, 1, ["OSError", 2]]])
    writer.close()
    return writer.path


def test_it_is_private_and_says_what_it_is_of(path):
    assert os.stat(path).st_mode & 0o777 == 0o600 and os.stat(os.path.dirname(path)).st_mode & 0o777 == 0o700
    reader = Reader(path)
    assert reader.head["argv"] == ["-s", "2"]
    reader.close()
    found, cut = blocks(path)
    assert [block[0][2] for block in found] == [[number, "k\udcff"] for number in range(3)] and not cut
    assert all(isinstance(block[0][4], bytes) and len(block[0][4]) == 100 for block in found)


def test_cut_anywhere_it_is_whole_up_to_there(path):
    whole = open(path, "rb").read()
    sizes = set()
    for size in range(len(whole)):
        with open(path, "wb") as file:
            file.write(whole[:size])
        try:
            found, cut = blocks(path)
        except Unreadable as fault:
            why = "no recording of colmet-node; name one that --record made"
            if size >= len("colmet recording 1\n"):
                why = "ends within its head; name another"
            assert str(fault) == "--replay %s: %s" % (path, why)
            continue
        sizes.add((len(found), cut))
    assert sizes == {(0, False), (0, True), (1, False), (1, True), (2, False), (2, True)}


def test_damage_is_an_end(path):
    whole = bytearray(open(path, "rb").read())
    whole[-30] ^= 1
    with open(path, "wb") as file:
        file.write(whole)
    found, cut = blocks(path)
    assert (len(found), cut) == (2, True)


def test_another_version_is_refused_in_words(path):
    whole = open(path, "rb").read()
    with open(path, "wb") as file:
        file.write(whole.replace(b"colmet recording 1\n", b"colmet recording 2\n"))
    with pytest.raises(Unreadable, match="^--replay .*: of version 2, this colmet-node reads version 1; replay"):
        Reader(path)


@pytest.mark.parametrize("content", [b"", b"\n", b"HDF5", bytes(range(256)), b"colmet recording 1",
                                     b"colmet recording 1\n" + struct.pack("<II", 2 ** 32 - 1, 0)])
def test_what_is_no_recording_is_refused(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(Unreadable, match="no recording of colmet-node; name|ends within its head; name"):
        Reader(tmp_path / "file")


def test_of_several_one_must_be_named(path):
    folder = os.path.dirname(path)
    os.rename(path, os.path.join(folder, "b.colmet"))
    Writer(folder, 1, []).close()
    with pytest.raises(Unreadable, match="has 2 recordings: .*b.colmet; name the file"):
        Reader(folder)
    with pytest.raises(Unreadable, match="has no recording"):
        Reader(os.path.dirname(folder))


def test_it_takes_no_more_than_it_may(tmp_path, caplog):
    def work():
        return [os.urandom(1 << 16) for _ in range(40)]
    recorded(tmp_path, work, most=1)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 1 << 20
    assert "--record-size 1 (MiB) is reached: what comes now is not recorded" in caplog.text
    with pytest.raises(SystemExit):
        replayed(tmp_path, work)
