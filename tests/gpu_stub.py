"""A stand-in for NVIDIA's library (nvml_stub.c), whose values a test moves: a plugin of pytest."""
import os
import shutil
import subprocess
from itertools import count
from pathlib import Path

import pytest

from colmet.node.gpu import nvml as library

HERE = Path(__file__).parent
_STAMPS = count(1)


@pytest.fixture(name="compiled", scope="session")
def _compiled(tmp_path_factory):
    """compiled("-DOLD") is the path of the library, built so."""
    made = {}

    def build(*flags):
        if not shutil.which("cc"):
            pytest.skip("needs cc: install gcc")
        if flags not in made:
            made[flags] = tmp_path_factory.mktemp("nvml") / "libnvidia-ml.so.1"
            subprocess.run(["cc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
                            "-Wl,-soname,libnvidia-ml.so.1", *flags, "-o", made[flags], HERE / "nvml_stub.c"],
                           check=True)
        return made[flags]
    return build


@pytest.fixture(name="stub")
def _stub(compiled, tmp_path, monkeypatch):
    """The library of a driver of today, and the file that tells it what to say: a `Stub`."""
    made = Stub(tmp_path / "nvml.txt")
    monkeypatch.setenv("NVML_STUB", str(made.path))
    monkeypatch.setattr(library, "LIBRARY", str(compiled()))
    monkeypatch.setenv("LD_LIBRARY_PATH", str(compiled().parent))       # of programs that the test starts
    return made


class Stub:
    """Lines of nvml_stub.c: `lines` are (kind, {name: value}), which a test changes, and then calls `write`."""

    def __init__(self, path):
        self.path, self.driver, self.delay, self.lines = path, "550.54.15", 0, []
        self.write()

    def add(self, kind, **values):
        """Another line; returns its values. None leaves one out: not supported."""
        self.lines.append((kind, values))
        return values

    def card(self, number, **values):
        """A GPU as the one behind 0.6's messages: returns its values."""
        usual = dict(minor=number, uuid="GPU-%08d-aaaa-bbbb-cccc-000000000000" % number, sm=87, memory=12, power=123450,
                     energy=5000 + number, temperature=61, hot=70, total=32510 << 20, used=2510 << 20, mode=0, mig=0)
        return self.add("gpu", **dict(usual, **values))

    def write(self):
        """Let the library say what the lines say."""
        text = "driver %s\n" % self.driver if self.driver else ""
        text += "delay %d\n" % self.delay if self.delay else ""
        for kind, values in self.lines:
            text += " ".join([kind, *("%s=%s" % each for each in values.items() if each[1] is not None)]) + "\n"
        fresh = self.path.with_suffix(".new")
        fresh.write_text(text)
        os.utime(fresh, ns=(0, next(_STAMPS)))      # another time for each: by it the library knows that it changed
        os.replace(fresh, self.path)
