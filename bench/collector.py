"""CPU time, memory and file of colmet-collector for each record, socket to renamed HDF5 file, beside that of 0.6.10.

Every run starts a collector, pushes all records of taskstats_default over the wire as fast as it takes them, ends it
with SIGTERM, and adds up the CPU time of all its processes from when it was ready, less that of a run without records.
"""
import os
import signal
import tempfile
import time
from pathlib import Path

import zmq

import load
from colmet.common import wire
from common import cpu, machine, old_programs, say, show
from old import OldProgram
from programs import Program, free_port, wait_for

JOBS, ROUNDS = (10, 100, 1000, 10000), (10, 64)
FEW = 1000              # records below which the start of the processes varies by more than they cost
OLD_MOST = 20000            # records for 0.6.10, which needs a minute for more
IDLE = 1.0                  # s after which a collector that is ready has come to rest
PATIENCE = 600
HEADS = ["jobs", "collector", "CPU us a record", "bytes a record", "MiB at most"]


class Run:
    """One collector from start to end: `spent` s of CPU time, `peak` MiB of its largest process, `size` bytes in
    its files."""

    def __init__(self, kind, jobs, rounds):
        with tempfile.TemporaryDirectory(prefix="colmet-bench-") as folder:
            self._folder, port = Path(folder), free_port()
            uri = "tcp://127.0.0.1:%d" % port
            with self._start(kind, uri) as program:
                wait_for(lambda: self._ready(kind, program, uri), 60, "start of the collector")
                time.sleep(IDLE)
                before = cpu(program.pid) / 1e9
                if jobs:
                    push = push_native if kind == "ours, native" else push_legacy
                    push("tcp://127.0.0.1:%d" % (port + 1) if kind == "ours, native" else uri, jobs, rounds)
                    wait_for(lambda: self._taken(kind, program) >= jobs * rounds, PATIENCE, "all records")
                os.kill(program.pid, signal.SIGTERM)
                _, status, usage = os.wait4(program.pid, 0)
                program.process.returncode = status
                assert status == 0, program.errors()
            self.spent = usage.ru_utime + usage.ru_stime - before
            self.peak = usage.ru_maxrss / 1024
            self.size = sum(path.stat().st_size for path in self._folder.glob("bench*.hdf5"))

    def _start(self, kind, uri):
        target = ["--zeromq-bind-uri", uri, "--hdf5-filepath", self._folder / "bench"]
        if kind == "0.6.10":
            quick = ["-vv", "-s", "0.1", "--buffer-size", "100000"]
            return OldProgram(old_programs(), "colmet-collector", quick + target, self._folder)
        return Program("colmet.collector.main", ["-vvv"] + target, self._folder)

    @staticmethod
    def _ready(kind, program, uri):
        return ("Starting" if kind == "0.6.10" else uri) in program.errors()

    @staticmethod
    def _taken(kind, program):
        mark = "Pushed" if kind == "0.6.10" else "records received"
        lines = [line.split() for line in program.errors().splitlines() if mark in line]
        return sum(int(line[line.index("Pushed") + 1] if kind == "0.6.10" else line[1]) for line in lines)


def push_legacy(uri, jobs, rounds):
    """Push 0.6's messages; returns when ZeroMQ has handed over all of them."""
    context = zmq.Context()
    socket = context.socket(zmq.PUSH)
    socket.connect(uri)
    for batch in load.batches(jobs, rounds):
        socket.send(load.legacy(batch))
    socket.close(linger=PATIENCE * 1000)
    context.term()


def push_native(uri, jobs, rounds):
    """Send all batches of all nodes over one connection; returns when all are acknowledged."""
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.connect(uri)
    waiting = {}
    for batch in load.batches(jobs, rounds):
        if batch.session not in waiting:
            socket.send_multipart(load.hello(batch))
            waiting[batch.session] = 0
        socket.send_multipart(load.native(batch))
        hear(socket, waiting, rounds)
    while waiting:
        assert socket.poll(PATIENCE * 1000), "no acknowledgement"
        hear(socket, waiting, rounds)
    context.destroy(linger=0)


def hear(socket, waiting, rounds):
    """Take the acknowledgements that are there; who has all is not waited for."""
    while socket.poll(0):
        fields, _ = wire.parse(socket.recv_multipart())
        assert fields["type"] in ("hello", "ack"), fields
        if fields["upto"] == rounds:
            waiting.pop(fields["session"], None)


def main():
    """Measure everything, print a table for each number of rows."""
    idle = {kind: min(Run(kind, 0, 0).spent for _ in range(3)) for kind in ("ours, native", "ours, legacy", "0.6.10")}
    tables = []
    for rounds in ROUNDS:
        rows = []
        for jobs in JOBS:
            for kind in idle:
                if jobs * rounds > OLD_MOST and kind != "ours, native":
                    continue
                say("%s: %d jobs x %d rows ..." % (kind, jobs, rounds))
                runs = [Run(kind, jobs, rounds) for _ in range(3 if jobs * rounds < 200000 and kind != "0.6.10" else 1)]
                records = jobs * rounds
                spent = (min(run.spent for run in runs) - idle[kind]) * 1e6 / records
                rows.append([jobs, kind, "%.1f" % spent if records >= FEW else "too few to tell",
                             "%.0f" % (runs[0].size / records), "%.0f" % max(run.peak for run in runs)])
        tables.append((rounds, rows))
    print(machine())
    for rounds, rows in tables:
        show("%d rows a table" % rounds, HEADS, rows)


if __name__ == "__main__":
    main()
