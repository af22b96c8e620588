"""The one guest of the tests on cgroup v2, as a plugin of pytest.

It does it all (``inside/battery.py``): jobs as OAR 3 and Slurm make them, which three nodes measure at once, each by
another reader of tasks, and a fourth that samples seldom. The collector is here.
"""
import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from bombs import compiled
from checkout import CHECKOUT
from lab import guest
from lab.image import PYTHON, Image
from programs import Program, free_port, wait_for

SECONDS = 900               # patience; it takes 90 where nothing else runs
INSIDE = Path(__file__).with_name("inside")
E2E = CHECKOUT / "tests" / "e2e"
LOADED = ("battery", "colmet.node._account", "colmet.node._files", "colmet.node._taskstats", "colmet.node.check")
MORE = ("colmet.collector.main", "colmet.collector.child", "colmet.collector.hdf5.writer", "colmet.view.run")


@pytest.fixture(name="lab", scope="session")
def _lab(tmp_path_factory):
    """What the guest gave: `truth`, `result` (`guest.Result`) and `path` of the file of the collector."""
    reason = guest.lacking() or ("" if shutil.which("make") else "needs make")
    if reason:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("guest")
    image = Image()
    image.tree(CHECKOUT / "colmet")
    more = os.environ.get("LAB")
    image.program(shutil.which("make"))
    image.program(compiled(folder, "burn"), "/tmp/burn")
    path = image.python(*LOADED, *(MORE if more else ()), path=[INSIDE, E2E, CHECKOUT])
    uri, port = "tcp://%s:%d", free_port()
    with Program("colmet.collector.main", ["--zeromq-bind-uri", uri % ("127.0.0.1", port), "--hdf5-filepath",
                                           folder / "new.hdf5"], folder) as collector:
        wait_for(lambda: "listens" in collector.errors(), 60, "start of the collector")
        result = guest.Guest(folder, image).run("#!/bin/sh\nexport PYTHONPATH=%s\nexec %s -S -B %s %s %s\n" % (
            ":".join(path), PYTHON, INSIDE / "battery.py", uri % (guest.HOST, port), "more" if more else ""), SECONDS)
        assert result.code == 0, result.console
        assert collector.stop() == 0
    return SimpleNamespace(result=result, truth=json.loads(result.files["truth.json"]), path=folder / "new.hdf5")
