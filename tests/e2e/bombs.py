"""Programs in C for the tests; and processes that end at once, as many a second as the machine bears (bomb.c)."""
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def compiled(folder, name="bomb"):
    """The program `name`, made in `folder`; skips where nothing compiles."""
    if not shutil.which("cc"):
        pytest.skip("needs cc: install gcc")
    words = ["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", folder / name, HERE / (name + ".c")]
    subprocess.run([str(word) for word in words], check=True)
    return folder / name


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
