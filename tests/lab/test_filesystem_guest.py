"""NFS as the kernel's own client and server show it, in a guest: a known load is found back (``inside/shared.py``)."""
import json
from pathlib import Path

import pytest

from checkout import CHECKOUT
from lab import guest
from lab.image import PYTHON, Image
from lab.inside.shared import FILES, SIZE

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("guest")]
INSIDE = Path(__file__).with_name("inside")
NAME = "nfs:/mnt/a folder"


@pytest.fixture(name="result", scope="module")
def _result(tmp_path_factory):
    """The `Result` of the guest."""
    if guest.lacking():
        pytest.skip(guest.lacking())
    image = Image()
    path = image.python("shared", path=[INSIDE, CHECKOUT])
    image.copy(INSIDE / "shared.py")
    result = guest.Guest(tmp_path_factory.mktemp("guest"), image, ("nfsd", "nfsv4")).run(
        "#!/bin/sh\nexport PYTHONPATH=%s\nexec %s -S -B %s\n" % (":".join(path), PYTHON, INSIDE / "shared.py"))
    assert result.code == 0, result.console
    return result


def test_what_programs_moved_by_nfs_is_found_back(result):
    found = json.loads(result.files["shared.json"])
    assert found["nothing"][0] == {} and "mounts" in found["nothing"][1]
    began, mounted, done = found["mounted"]
    before, after = mounted[NAME], found["moved"][NAME]
    assert began - 2 * 10 ** 9 <= before["since"] <= done and before["since"] == after["since"]
    moved = {metric: after[metric] - before[metric] for metric in after if after[metric] is not None}
    assert moved["bytes_written"] == moved["bytes_read"] == FILES * SIZE
    assert moved["server_bytes_written"] == moved["server_bytes_read"] == FILES * SIZE
    assert moved["closes"] == 2 * FILES and after["opens"] is None
    assert moved["metadata"] > FILES and moved["requests"] > moved["metadata"] and moved["errors"] > 0
    assert moved["request_time"] > 0 and moved["retransmissions"] >= 0 and after["reads"] is None


def test_a_second_mount_of_the_same_is_not_counted_again_and_what_is_unmounted_goes(result):
    found = json.loads(result.files["shared.json"])
    assert set(found["mounted"][1]) == set(found["moved"]) == set(found["bound"]) == {NAME}
    assert found["unmounted"] == {}
    assert result.files["mountstats"].count(b" with fstype nfs4 statvers=1.1\n") == 2
