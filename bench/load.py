"""Messages as many nodes send them: jobs of cumulative, plausible taskstats, on either wire."""
import numpy

from colmet.common import wire, wire06
from colmet.common.batch import Batch, Block
from colmet.common.metrics import TABLES

TASKSTATS = TABLES["taskstats_default"]
JOBS_OF_A_NODE = 10
PERIOD, START = 5, 1_700_000_000        # s
STEPS = {   # (most that a counter grows by in a period, what it is a multiple of); all others stay 0, as mostly they do
    "cpu_count": (4000, 1), "cpu_delay_total": (50_000_000, 1), "cpu_run_real_total": (20_000_000_000, 4_000_000),
    "cpu_run_virtual_total": (20_000_000_000, 1), "ac_utime": (19_000_000, 4000), "ac_stime": (1_000_000, 4000),
    "ac_minflt": (3000, 1), "coremem": (9_000_000, 1), "virtmem": (30_000_000, 1), "nvcsw": (2000, 1),
    "nivcsw": (300, 1),
    "read_char": (4_000_000, 1024), "write_char": (1_000_000, 1024), "write_bytes": (500_000, 4096),
}
SAME = {"ac_utimescaled": "ac_utime", "ac_stimescaled": "ac_stime", "cpu_scaled_run_real_total": "cpu_run_real_total"}


def cells(jobs, rounds, seed=1):
    """int64 cells (round, job, metric): counters that grow by a random step for each job and round."""
    dice = numpy.random.default_rng(seed)
    made = numpy.zeros((rounds, jobs, len(TASKSTATS.metrics)), "<i8")
    names = [metric.name for metric in TASKSTATS.metrics]
    for column, metric in enumerate(TASKSTATS.metrics):
        if metric.name in STEPS:
            most, unit = STEPS[metric.name]
            steps = (dice.random((rounds, jobs)) * dice.integers(1, most, jobs)).astype("<i8")
            made[:, :, column] = steps.cumsum(axis=0) // unit * unit
        elif metric.name in SAME:
            made[:, :, column] = made[:, :, names.index(SAME[metric.name])]
        elif metric.name == "ac_btime":
            made[:, :, column] = START - dice.integers(0, 86400, jobs)
        elif metric.name == "ac_etime":
            made[:, :, column] = (numpy.arange(1, rounds + 1) * PERIOD * 10 ** 6)[:, None]
    return made


def batches(jobs, rounds):
    """Batch after batch: in each round one from every node, of at most `JOBS_OF_A_NODE` jobs."""
    made = cells(jobs, rounds)
    for tick in range(rounds):
        for node, first in enumerate(range(0, jobs, JOBS_OF_A_NODE)):
            mine = made[tick, first:first + JOBS_OF_A_NODE]
            places = numpy.zeros((len(mine), 2), "<i8")
            places[:, 0] = range(1, len(mine) + 1)
            ids = [str(10000 + first + place) for place in range(len(mine))]
            entries = [{"job": "0"}] + [{"job": job, "user": "alice"} for job in ids]
            block = Block(TASKSTATS, numpy.hstack([places, mine]).tobytes())
            time = (START + tick * PERIOD) * 10 ** 9
            yield Batch("node-%d" % node, node + 1, tick + 1, time, tick + 1, entries, blocks=[block])


def native(batch):
    """Frames of a batch message of the native wire."""
    return wire.message("batch", wire.pack(batch), session=batch.session, sequence=batch.sequence, oldest=1)


def hello(batch):
    """Frames of the hello that goes before the first batch of a node."""
    return wire.message("hello", version=wire.PROTOCOL, node=batch.node, cluster="", session=batch.session,
                        sequence=1, oldest=1, schemas=wire.schemas([TASKSTATS]))


def legacy(batch):
    """The message of 0.6."""
    return wire06.encode(batch)[0]
