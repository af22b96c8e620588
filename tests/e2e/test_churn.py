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
TICKS = 3       # that begin while a job runs: it is known at the second, which has read its tasks before the third
BURN = """import os, sys, time
begin, end = time.time_ns(), time.monotonic() + float(sys.argv[2])
while time.process_time() < 0.02: pass
time.sleep(max(0, end - time.monotonic()))
os.write(1, b"%d %d %d\\n" % (int(sys.argv[1]), begin, time.time_ns()))"""


def plan(dice):
    """(start, life) of each job in s, sorted by start; a fifth of them begin together in bursts."""
    starts = [dice.uniform(0, WITHIN) for _ in range(JOBS * 4 // 5)]
    for _ in range(JOBS // 5 // BURST):
        starts += [dice.uniform(0, WITHIN)] * BURST
    return [(start, dice.uniform(SHORTEST, LONGEST)) for start in sorted(starts)]


def live(root, plans, lives):
    """Start and remove the jobs as `plans` say; removed as a scheduler does, right after the last process ended. Each
    writes its id and the Unix times in ns between which it surely ran to the file `lives`."""
    begin, running, number = time.monotonic(), [], 0
    while plans or running:
        now = time.monotonic() - begin
        while plans and plans[0][0] <= now:
            _, life = plans.pop(0)
            number += 1
            job = root.job(1000 + number)
            running.append((job.run(sys.executable, "-S", "-E", "-c", BURN, 1000 + number, life, stdout=lives),
                            job))
        for entry in [entry for entry in running if entry[0].poll() is not None]:
            running.remove(entry)
            entry[1].remove()
        time.sleep(0.01)


def seen_for_sure(ticks, lives):
    """Ids of the jobs at whose tasks the node looked while they ran, whatever kept it waiting in between."""
    return {job for job, begin, end in lives if sum(int(begin) <= tick <= int(end) for tick in ticks) >= TICKS}


def test_200_jobs_within_a_minute_all_have_records(root, uri, start, tmp_path):
    collector = start("collector", "-vvv", "-s", "0.5", "--zeromq-bind-uri", uri, "--hdf5-filepath", tmp_path / "new",
                      "--hdf5-window", "10")
    node = start("node", "--cpuset_rootpath", root.path, "-s", "1", "--zeromq-uri", uri, "--enable-jobproc",
                 "--zeromq-linger", "20000")
    wait_for(lambda: "records received" in collector.errors(), PATIENCE, "records of the node")
    with open(tmp_path / "lives", "ab") as lives:
        live(root, plan(random.Random(SEED)), lives)
    time.sleep(2)
    assert node.stop() == 0 and collector.stop() == 0
    files = stored.files(tmp_path)
    expected = {str(1000 + number) for number in range(1, JOBS + 1)}
    assert stored.jobs(files) == expected
    rows = [(job, name, data) for path in files for (job, name), data in stored.tables(path).items() if len(data)]
    having = {table: {job for job, name, _ in rows if name == table and job != "0"}
              for table in ("job", "account", "taskstats_default")}
    assert having["job"] == having["account"] == expected
    assert sum(len(data) for _, name, data in rows if name == "job") == JOBS
    ticks = {time for _, name, data in rows if name == "account" for time in data["time"].tolist()}
    ran = [line.split() for line in (tmp_path / "lives").read_text().splitlines()]
    seen = seen_for_sure(ticks, ran)
    assert len(ran) == JOBS and len(seen) >= JOBS // 10 and seen - having["taskstats_default"] == set()
    assert "reached no collector" not in node.errors()
