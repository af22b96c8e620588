"""The guests themselves: what a script leaves comes back, also from one that does not end."""
import pytest

from lab import guest, image

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("guest")]


def test_a_script_that_does_not_end_is_killed_and_its_files_come_back(tmp_path):
    if guest.lacking():
        pytest.skip(guest.lacking())
    made = image.Image()
    made.add("/lab/greeting", b"hello")
    result = guest.Guest(tmp_path, made).run("#!/bin/sh\ncp greeting /out/\nuname -r\nsleep 1000\n", seconds=10)
    assert result.code not in (None, 0) and result.files == {"greeting": b"hello"}
    assert guest.Kernel().release in result.console


def test_modules_are_loaded_after_those_that_they_need():
    if guest.lacking():
        pytest.skip(guest.lacking())
    names = [name for name, _ in guest.Kernel().modules(["virtio_net"])]
    assert names[-1] == "virtio_net" and names.index("failover") < names.index("net_failover")
    assert guest.Kernel().modules(["of_no_kernel"]) == []
