"""CPU time for each document of taskstats_default that goes to Elasticsearch, beside 0.6.10 and the client's helpers.

The server is a stub in a process of its own, which keeps nothing; only the client's CPU time counts. Ours: the writer's
process, journal reading included, and all processes of the collector, from ready to the last document. 0.6.10: its
collector. The client of Elasticsearch (elasticsearch.helpers.bulk) is given documents that are already made. With
ES_URL=URL our writer also fills a real server, and the documents a second that it takes are told.
"""
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.pop(0)     # this folder, in which this file has the name of the client's package
import importlib.util   # noqa: E402
sys.path.append(str(Path(__file__).resolve().parent))

import load                                                                 # noqa: E402
from collector import push_legacy, push_native                              # noqa: E402
from common import cpu, machine, old_programs, say, show                    # noqa: E402
from old import OldProgram                                                  # noqa: E402
from programs import Program, free_port, wait_for                           # noqa: E402

JOBS, ROUNDS = 1000, 60         # documents: their product
OLD_ROUNDS = 20                 # for 0.6.10
WINDOWS = 3                     # runs of each; the least counts
PATIENCE = 600
CHUNK = 1000                    # documents of a request of the client's helpers


class Stub:
    """The stub, in its process."""

    def __enter__(self):
        script = Path(__file__).with_name("elasticsearch_stub.py")
        self._process = subprocess.Popen([sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         universal_newlines=True)
        self.url = "http://127.0.0.1:%d" % int(self._process.stdout.readline())
        return self

    def taken(self):
        """How many documents it took."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait()


def child(pid):
    """The pid of the only child of `pid`."""
    [found] = [int(each) for task in Path("/proc/%d/task" % pid).iterdir()
               for each in (task / "children").read_text().split()]
    return found


def ours(url, taken, rounds, *options):
    """(us of the writer, us of all, documents a second) for each document, of our collector."""
    with tempfile.TemporaryDirectory(prefix="colmet-bench-") as folder:
        port = free_port()
        given = ["--zeromq-bind-uri", "tcp://127.0.0.1:%d" % port, "--elastic-host", url, "-s", "1", "--journal-dir",
                 Path(folder) / "j", *options]
        with Program("colmet.collector.main", given, Path(folder)) as program:
            wait_for(lambda: "limits" in program.errors(), 60, "start of the collector")
            time.sleep(1)
            before, all_before = cpu(child(program.pid)), cpu(program.pid)
            begin = time.monotonic()
            count = taken() + JOBS * rounds
            push_native("tcp://127.0.0.1:%d" % (port + 1), JOBS, rounds)
            wait_for(lambda: time.sleep(0.1) or taken() >= count, PATIENCE, "all documents")
            spent, all_spent = cpu(child(program.pid)) - before, cpu(program.pid) - all_before
            took = time.monotonic() - begin
            assert program.stop() == 0, program.errors()
            assert taken() == count
    documents = JOBS * rounds
    return spent / 1e3 / documents, all_spent / 1e3 / documents, documents / took


def old(stub):
    """us for each document of the collector of 0.6.10."""
    with tempfile.TemporaryDirectory(prefix="colmet-bench-") as folder:
        uri = "tcp://127.0.0.1:%d" % free_port()
        given = ["-vv", "-s", "0.1", "--buffer-size", "100000", "--zeromq-bind-uri", uri, "--elastic-host", stub.url]
        with OldProgram(old_programs(), "colmet-collector", given, Path(folder)) as program:
            wait_for(lambda: "Starting" in program.errors(), 60, "start of the collector")
            time.sleep(1)
            before = cpu(program.pid)
            count = stub.taken() + JOBS * OLD_ROUNDS
            push_legacy(uri, JOBS, OLD_ROUNDS)
            wait_for(lambda: time.sleep(0.1) or stub.taken() >= count, PATIENCE, "all documents")
            return (cpu(program.pid) - before) / 1e3 / (JOBS * OLD_ROUNDS)


def helpers(stub):
    """us for each document of elasticsearch.helpers.bulk; None where that package is not there."""
    if importlib.util.find_spec("elasticsearch") is None:
        return None
    from elasticsearch import Elasticsearch
    from elasticsearch.helpers import bulk
    names = [metric.name for metric in load.TASKSTATS.metrics]
    documents = [dict(zip(names, row[2:]), _op_type="create", _index="colmet_taskstats_default", _id="%d-%d" % place,
                      hostname=batch.node, job_id=row[0], timestamp=batch.time // 10 ** 9)
                 for first, batch in enumerate(load.batches(JOBS, OLD_ROUNDS))
                 for place, row in ((((first, second)), row) for second, row in enumerate(batch.blocks[0]))]
    client = Elasticsearch(stub.url)
    before = time.process_time()
    bulk(client, documents, chunk_size=CHUNK)
    return (time.process_time() - before) * 1e6 / len(documents)


def main():
    """Measure everything, print the tables."""
    rows = []
    with Stub() as stub:
        say("ours ...")
        runs = [ours(stub.url, stub.taken, ROUNDS) for _ in range(WINDOWS)]
        writer = min(run[0] for run in runs)
        rows.append(["ours, the writer", "%.1f" % writer, ""])
        rows.append(["ours, all processes", "%.1f" % min(run[1] for run in runs), ""])
        say("ours, compressed ...")
        rows.append(["ours, the writer with --elastic-gzip",
                     "%.1f" % min(ours(stub.url, stub.taken, ROUNDS, "--elastic-gzip")[0] for _ in range(WINDOWS)), ""])
        say("0.6.10 ...")
        spent = min(old(stub) for _ in range(WINDOWS))
        rows.append(["0.6.10", "%.1f" % spent, "%.1f" % (spent / writer)])
        say("the client's helpers ...")
        spent = helpers(stub)
        rows.append(["elasticsearch.helpers.bulk", "%.1f" % spent if spent else "not installed: pip install "
                     "'elasticsearch<9'", "%.1f" % (spent / writer) if spent else ""])
    print(machine())
    show("CPU us a document, on a stub", ["client", "us", "times ours"], rows)
    if os.environ.get("ES_URL"):
        real(os.environ["ES_URL"])


def real(url):
    """Fill a real server and print how fast that was."""
    import requests
    prefix = "bench%d_" % os.getpid()

    def taken():
        requests.post("%s/%s*/_refresh" % (url, prefix), timeout=60)
        answer = requests.get("%s/%s*/_count" % (url, prefix), timeout=60)
        return answer.json().get("count", 0)
    say("a real server ...")
    writer, whole, speed = ours(url, taken, ROUNDS, "--elastic-index-prefix", prefix)
    version = requests.get(url, timeout=60).json()["version"]
    show("Into a real server (%s %s)" % (version.get("distribution", "elasticsearch"), version["number"]),
         ["documents a second", "CPU us a document, the writer", "all our processes"],
         [["%.0f" % speed, "%.1f" % writer, "%.1f" % whole]])


if __name__ == "__main__":
    main()
