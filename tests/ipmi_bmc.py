"""A made-up BMC that is preloaded into programs (``ipmi_device.c``): a plugin of pytest."""
import os
import shutil
import subprocess
from pathlib import Path

import pytest


class Bmc:
    """A BMC below `root` for programs that are started with `environment`; `library` is ``ipmi_device.c`` compiled."""

    def __init__(self, root, library):
        (root / "dev").mkdir(parents=True)
        (root / "dev" / "ipmi0").touch()
        self.root, self._says = root, root / "bmc"
        self.environment = dict(os.environ, LD_PRELOAD=str(library), COLMET_BMC=str(self._says))
        self.say("watts 345")

    def say(self, text):
        """What it answers from now on (``ipmi_device.c`` has the words)."""
        whole = self._says.with_name("bmc.new")
        whole.write_text(text + "\n")
        whole.replace(self._says)

    def asked(self):
        """How many requests it got."""
        path = self._says.with_name("bmc.asked")
        return path.stat().st_size if path.exists() else 0


@pytest.fixture(name="bmc_library", scope="session")
def _bmc_library(tmp_path_factory):
    """``ipmi_device.c``, compiled."""
    if not shutil.which("cc"):
        pytest.skip("needs cc: install gcc")
    made = tmp_path_factory.mktemp("bmc") / "ipmi_device.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-o", str(made),
                    str(Path(__file__).with_name("ipmi_device.c")), "-ldl"], check=True)
    return made


@pytest.fixture(name="bmc")
def _bmc(tmp_path, bmc_library):
    return Bmc(tmp_path / "machine", bmc_library)
