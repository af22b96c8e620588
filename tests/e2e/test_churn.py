"""200 jobs come and go within a minute, at a period of 1 s: each of them has records, and both programs end well."""
import random
import sys
import time

import pytest

import stored
from programs import wait_for

pytest_plugins = ("harness",)
pytestmark = [pytest.mark.root, pytest.mark.slow]
JOBS, WITHIN = 200, 40              # s, until the last of them begins
SHORTEST, LONGEST = 0.3, 5.0        # s that a job lives
BURST = 10                          # jobs that a scheduler starts at one moment, now and then
SEED = 20261121
PATIENCE = 60
BURN = "import sys, time\nend = time.monotonic() + float(sys.argv[1])\nwhile time.process_time() < 0.02: pass\n" \
       "time.sleep(max(0, end - time.monotonic()))"


def plan(dice):
    """(start, life) of each job in s, sorted by start; a fifth of them begin together in bursts."""
    starts = [dice.uniform(0, WITHIN) for _ in range(JOBS * 4 // 5)]
    for _ in range(JOBS // 5 // BURST):
        starts += [dice.uniform(0, WITHIN)] * BURST
    return [(start, dice.uniform(SHORTEST, LONGEST)) for start in sorted(starts)]


def live(root, plans):
    """Start and remove the jobs as `plans` say; removed as a scheduler does, right after the last process ended."""
    begin, running, number = time.monotonic(), [], 0
    while plans or running:
        now = time.monotonic() - begin
        while plans and plans[0][0] <= now:
            _, life = plans.pop(0)
            number += 1
            job = root.job(1000 + number)
            running.append((job.run(sys.executable, "-S", "-E", "-c", BURN, life), job))
        for entry in [entry for entry in running if entry[0].poll() is not None]:
            running.remove(entry)
            entry[1].remove()
        time.sleep(0.01)


def test_200_jobs_within_a_minute_all_have_records(root, uri, start, tmp_path):
    collector = start("collector", "-vvv", "-s", "0.5", "--zeromq-bind-uri", uri, "--hdf5-filepath", tmp_path / "new",
                      "--hdf5-window", "10")
    node = start("node", "--cpuset_rootpath", root.path, "-s", "1", "--zeromq-uri", uri, "--enable-jobproc")
    wait_for(lambda: "records received" in collector.errors(), PATIENCE, "records of the node")
    live(root, plan(random.Random(SEED)))
    time.sleep(2)
    assert node.stop() == 0 and collector.stop() == 0
    files = stored.files(tmp_path)
    expected = {str(1000 + number) for number in range(1, JOBS + 1)}
    assert stored.jobs(files) == expected
    for table in ("taskstats_default", "job"):
        having = {job for job in expected if stored.rows(files, job, table)}
        assert expected - having == set(), (SEED, table)
    assert all(len(stored.rows(files, job, "job")) == 1 for job in expected)
    assert "reached no collector" not in node.errors()
