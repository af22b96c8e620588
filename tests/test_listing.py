"""Whether devices came or went: asked of the kernel's count of what it told, and of their folders."""
import re

import pytest

from colmet.node import listing as module
from colmet.node.listing import EVENTS, SELDOM, Listing
from heat_tree import write

FOLDER = "sys/class/hwmon"


@pytest.fixture(name="now")
def _now(monkeypatch):
    """[CLOCK_BOOTTIME], which a test moves."""
    now = [10 ** 12]
    monkeypatch.setattr(module, "boottime", lambda: now[0])
    return now


@pytest.fixture(name="listing")
def _listing(tmp_path):
    """That of two chips."""
    for number in (0, 1):
        write(tmp_path / FOLDER / ("hwmon%d" % number) / "temp1_input", 1)
    return Listing(tmp_path, (FOLDER, re.compile(r"hwmon\d+")))


def test_folders_are_asked_where_the_kernel_counts_nothing(tmp_path, listing):
    chip = tmp_path / FOLDER / "hwmon1"
    assert listing.changed() and not listing.changed()
    write(chip / "temp2_input", 1)
    assert listing.changed() and not listing.changed()
    for path in chip.iterdir():
        path.unlink()
    chip.rmdir()
    assert listing.changed() and not listing.changed()
    write(tmp_path / FOLDER / "other" / "name", "x")
    assert not listing.changed()
    listing.forget()
    assert listing.changed() and not listing.changed()


def test_folders_are_asked_when_the_kernel_told_of_a_device_and_else_seldom(tmp_path, listing, now):
    write(tmp_path / EVENTS, 41)
    assert listing.changed() and not listing.changed()
    write(tmp_path / FOLDER / "hwmon2" / "temp1_input", 1)
    now[0] += SELDOM - 1
    assert not listing.changed()
    write(tmp_path / EVENTS, 42)
    assert listing.changed()
    write(tmp_path / EVENTS, 43)                # of a device that is none of these
    assert not listing.changed()
    write(tmp_path / FOLDER / "hwmon2" / "temp2_input", 1)
    now[0] += SELDOM
    assert listing.changed()
    listing.forget()
    assert listing.changed() and not listing.changed()
