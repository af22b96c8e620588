"""Processes that end at once, as many a second as the machine bears (bomb.c), in a job."""
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("bomb.c")


def compiled(folder):
    """The program, made in `folder`; skips where nothing compiles."""
    if not shutil.which("cc"):
        pytest.skip("needs cc: install gcc")
    subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(folder / "bomb"), str(SOURCE)], check=True)
    return folder / "bomb"


def explode(job, program, seconds, workers=2, rate=0, meanwhile=None):
    """How many processes ended in `job`, and how many a second; `meanwhile()` is called again and again."""
    process = job.run(program, seconds, workers, rate, stdout=subprocess.PIPE)
    while process.poll() is None:
        if meanwhile:
            meanwhile()
        try:
            process.wait(0.5)
        except subprocess.TimeoutExpired:
            continue
    assert process.returncode == 0
    count, took = process.stdout.read().split()
    return int(count), int(count) / float(took)
