"""The real colmet-node under a budget that it cannot keep: what it leaves out, says and sends."""
import os
from contextlib import closing

from colmet.common.metrics import TABLES
from e2e.collectors import Native
from e2e.programs import Program

ORDER = ("jobproc", "procstats")      # of those that are on here
SHED = [metric.name for metric in TABLES["colmet"].metrics].index("shed")


def shed(batch):
    """{part: value of the column `shed`} in one batch."""
    return {batch.strings[row[1]]: row[2 + SHED] for block in batch.blocks if block.table.name == "colmet"
            for row in block}


def test_a_budget_that_cannot_be_kept_costs_what_jobs_can_do_without(tmp_path):
    with closing(Native("ipc://%s/c.native" % tmp_path)) as peer, \
         Program("colmet.node.main", ["--zeromq-uri", "ipc://%s/c" % tmp_path, "-s", 0.1, "--cpu-budget", 0.001,
                                      "--period", "budget=0.5", "--enable-jobproc", "--account-pins", "",
                                      "-p", os.getpid()], tmp_path) as node:
        peer.serve(lambda: peer.batches and shed(peer.batches[-1][1]).get("node") == len(ORDER))
        peer.serve(lambda: "nothing is left" in node.errors())
        before = len(peer.batches)
        peer.serve(lambda: len(peer.batches) >= before + 3)
        os.kill(node.pid, 15)
        peer.serve(lambda: node.process.poll() is not None)
        assert node.process.returncode == 0
    assert shed(peer.batches[0][1]).get("node") == 0
    last = peer.batches[-1][1]
    assert {name: shed(last)[name] for name in ORDER} == dict.fromkeys(ORDER, 1) and shed(last)["taskstats"] == 0
    first_tables, last_tables = ({block.table.name for block in batch.blocks} for batch in (peer.batches[0][1], last))
    assert {"jobprocstats_default", "procstats_default", "taskstats_default"} <= first_tables
    assert "taskstats_default" in last_tables and not {"jobprocstats_default", "procstats_default"} & last_tables
    told = [line for line in node.errors().splitlines() if "--cpu-budget" in line]
    assert len(told) == len(ORDER) + 1
    assert ["%s is left out" % name in line for name, line in zip(ORDER, told)] == [True] * len(ORDER)
