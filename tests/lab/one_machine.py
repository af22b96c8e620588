"""The one guest with hardware (``hardware.py``), as a plugin of pytest: it does all of ``inside/parts.py``."""
import json
from pathlib import Path

import pytest

from checkout import CHECKOUT
from lab import hardware
from lab.image import PYTHON, Image

INSIDE = Path(__file__).with_name("inside")
LOADED = ("parts", "colmet.node._files", "colmet.node._rapl")
START = "#!/bin/sh\nexport PYTHONPATH=%s\nexec %s -S -B %s\n"


class Machine:
    """What the guest left: `files` {name: bytes}."""

    def __init__(self, result):
        self.files = result.files

    def found(self, part):
        """What a part wrote."""
        return json.loads(self.files[part + ".json"])


@pytest.fixture(name="machine", scope="session")
def _machine(tmp_path_factory):
    """The `Machine`."""
    if hardware.lacking():
        pytest.skip(hardware.lacking())
    image = Image()
    path = image.python(*LOADED, path=[INSIDE, CHECKOUT])
    result = hardware.equipped(tmp_path_factory.mktemp("machine"), image).run(
        START % (":".join(path), PYTHON, INSIDE / "parts.py"))
    assert result.code == 0, result.console
    return Machine(result)
