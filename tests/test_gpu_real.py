"""NVIDIA's own library and a real GPU, where this machine has them: what it says agrees with nvidia-smi."""
import shutil
import subprocess
from pathlib import Path

import pytest

from colmet.node.backends import Unavailable
from gpu_machine import backend, sampled

FIELDS = ("index", "memory.total", "temperature.gpu", "power.draw")
SLACK = {"temperature.gpu": 15, "power.draw": 150}      # between two readings of a GPU that nobody uses


def told(text):
    """The number that nvidia-smi prints, None for "[N/A]"."""
    try:
        return float(text)
    except ValueError:
        return None


def test_a_real_gpu_says_what_nvidia_smi_says():
    try:
        source = backend(Path("/"))
    except Unavailable as reason:
        pytest.skip("needs an NVIDIA GPU: %s" % reason)
    if source.reader.split()[0] != "NVML" or not shutil.which("nvidia-smi"):
        pytest.skip("needs an NVIDIA GPU: no nvidia-smi here")
    command = ["nvidia-smi", "--query-gpu=" + ",".join(FIELDS), "--format=csv,noheader,nounits"]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, universal_newlines=True).stdout.splitlines()
    first, found = sampled(source), sampled(source)
    cards = {device.index: device.name for device in source.gpus.read([]) if device.name == device.card}
    assert len(cards) == len(lines)
    for line in lines:
        said = dict(zip(FIELDS, map(told, line.split(", "))))
        name = cards[int(said["index"])]
        row = found[None, name]
        assert row["memory_total"] // 2 ** 20 == said["memory.total"]
        for field, metric in (("temperature.gpu", "temperature"), ("power.draw", "power")):
            assert (row[metric] is None) == (said[field] is None)
            assert said[field] is None or abs(row[metric] - said[field]) <= SLACK[field]
        assert row["energy"] is None or row["energy"] >= first[None, name]["energy"] == 0
        assert row["since"] == first[None, name]["since"]
    source.close()
