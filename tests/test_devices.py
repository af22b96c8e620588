"""Devices whose files stay open: which of them are, and what the others say."""
import errno
from contextlib import closing

import pytest

from colmet.node import compiled
from colmet.node.devices import Devices, Files
from loads import descriptors


@pytest.fixture(name="devices")
def _devices():
    """None so far."""
    with closing(Devices(compiled.load("_files"))) as made:
        yield made


def test_files_are_opened_once_and_closed_when_nobody_wants_them(tmp_path, devices):
    for name in ("one", "two", "state"):
        (tmp_path / name).write_text("1\n")
    before = descriptors()
    both = {name: Files((tmp_path / name, None), tmp_path / "state") for name in ("one", "two")}
    devices.keep(both)
    assert descriptors() == before
    for _ in range(2):
        assert devices.read() == {"one": [(1, 0), (None, 0)], "two": [(1, 0), (None, 0)]}
        assert descriptors() == before + 3              # the state that they share once
    devices.lose("one")
    assert list(devices.read()) == ["two"] and descriptors() == before + 2
    devices.keep({})
    assert devices.read() == {} and descriptors() == before


def test_what_cannot_be_opened_says_why_until_it_can(tmp_path, devices):
    (tmp_path / "there").write_text("5\n")
    devices.keep({"a": Files((tmp_path / "there", tmp_path / "later")),
                  "b": Files((tmp_path / "there",), tmp_path / "later")})
    absent = None, errno.ENOENT
    assert [devices.read() for _ in range(2)] == [{"a": [(5, 0), absent], "b": [absent]}] * 2
    (tmp_path / "later").write_text("6\n")
    assert devices.read() == {"a": [(5, 0), (6, 0)], "b": [(5, 0)]}


def test_what_was_removed_is_gone_until_it_is_kept_anew(tmp_path, devices):
    path = tmp_path / "number"
    path.write_text("5\n")
    kept = {"a": Files((path,))}
    devices.keep(kept)
    devices.read()
    path.unlink()
    path.write_text("6\n")
    assert devices.read() == {"a": [(None, errno.ENODEV)]}
    devices.lose("a")
    devices.keep(kept)
    assert devices.read() == {"a": [(6, 0)]}


def test_files_that_are_read_once_do_not_stay_open(tmp_path, devices):
    (tmp_path / "limit").write_text("-40000\n")
    before = descriptors()
    assert devices.once([tmp_path / "limit", None, tmp_path / "absent", tmp_path]) == [-40000, None, None, None]
    assert descriptors() == before
