"""colmet-collector with Elasticsearch (a stub): the documents of 0.6, a server that is away, kills at any moment."""
import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import elastic_stub as stubs
import stored
from checkout import CHECKOUT
from e2e.peers import Collector, Node, push, record06
from programs import wait_for

GOLDEN = CHECKOUT / "tests" / "golden" / "0.6"
RECORDED = ("jobs/000", "jobs/001", "hardware/002")
PATIENCE = 60
ADDED = {"@timestamp", "job"}
INDEX = "colmet_jobprocstats_default"


def children(pid):
    """The pids of the children of `pid`."""
    return [int(each) for task in Path("/proc/%d/task" % pid).iterdir()
            for each in (task / "children").read_text().split()]


def as_json(documents):
    """Documents in one order."""
    return sorted(json.dumps(each, sort_keys=True) for each in documents)


def recorded():
    """What 0.6.10 sent for `RECORDED`."""
    for line in (GOLDEN / "es_requests.jsonl").read_text().splitlines():
        request = json.loads(line)
        if request["path"] == "/_bulk/":
            yield from [json.loads(each) for each in request["body"].splitlines()[1::2]]


def test_messages_of_0_6_arrive_as_the_documents_of_0_6(tmp_path):
    with stubs.Stub() as stub, Collector(tmp_path, "-s", "0.2", "--elastic-host", stub.url) as collector:
        push(collector.legacy, [gzip.decompress((GOLDEN / (name + ".bin.gz")).read_bytes()) for name in RECORDED])
        wait_for(lambda: len(stub.documents()) >= 19, PATIENCE, "documents")
        assert collector.stop() == 0, collector.errors()
        old = [{name: value for name, value in each.items() if name not in ADDED} for each in stub.documents()]
        assert as_json(old) == as_json(recorded())
        assert stub.url + "/colmet_*" in collector.errors()


def test_a_server_that_is_away_holds_up_nobody(tmp_path):
    with stubs.Stub() as stub:
        port, url = stub.port, stub.url
    given = ("-s", "0.2", "--elastic-host", url, "--hdf5-filepath", tmp_path / "h.hdf5")
    with Collector(tmp_path, *given) as collector, Node(collector.native) as node:
        node.hello()
        for sequence in range(1, 21):
            node.send(sequence)
        node.acknowledged(20)
        wait_for(lambda: "connection refused" in collector.errors(), PATIENCE, "a line")
        os.kill(collector.pid, signal.SIGHUP)           # HDF5 writes at once
        wait_for((tmp_path / "h.hdf5").exists, PATIENCE, "the file")
        assert len(stored.rows(tmp_path / "h.hdf5", "12", "jobprocstats_default")) == 20
        with stubs.Stub(port=port) as stub:
            wait_for(lambda: len(stub.documents(INDEX)) == 20, 2 * PATIENCE, "documents")
            wait_for(lambda: "stores again; nothing was lost" in collector.errors(), PATIENCE, "a line")
            assert collector.stop() == 0, collector.errors()
    assert collector.errors().count("until then the journal keeps what comes") == 1


def test_what_could_not_be_stored_at_the_end_is_stored_by_the_next(tmp_path):
    with stubs.Stub() as stub:
        port, url = stub.port, stub.url
    with Collector(tmp_path, "-s", "0.2", "--elastic-host", url) as collector:
        push(collector.legacy, [record06(value=place) for place in range(9)])
        wait_for(lambda: collector.printed() == 9, PATIENCE, "records")
        assert collector.stop(timeout=PATIENCE) == 1
        assert "keeps it for the next start" in collector.errors()
    with stubs.Stub(port=port) as stub, Collector(tmp_path, "-s", "0.2", "--elastic-host", url) as collector:
        wait_for(lambda: len(stub.documents(INDEX)) == 9, PATIENCE, "documents")
        assert collector.stop() == 0 and sorted(each["rchar"] for each in stub.documents(INDEX)) == list(range(9))


def test_kills_at_any_moment_lose_nothing_and_double_nothing(tmp_path):
    dice, sent = random.Random(3), 0
    faults = [stubs.cut, stubs.page, lambda: stubs.status(503), lambda: stubs.page(502, stored=True)]
    with stubs.Stub() as stub:
        given = ("-s", "0.05", "--elastic-host", stub.url, "--elastic-bulk-size", "4K")
        for _ in range(5):
            with Collector(tmp_path, *given) as collector:
                with Node(collector.native) as node:
                    node.hello()
                    for sent in range(sent + 1, sent + 61):
                        node.send(sent, rows=3)
                        if dice.random() < 0.1:
                            stub.script.append(dice.choice(faults)())
                    node.acknowledged(sent)
                for writer in children(collector.pid)[:1]:
                    time.sleep(dice.random() / 4)
                    os.kill(writer, signal.SIGKILL)
                stub.roll(INDEX)
                time.sleep(dice.random())
                collector.process.kill()
                collector.process.wait()
        stub.script.clear()
        with Collector(tmp_path, "-s", "0.05", "--elastic-host", stub.url) as collector:
            wait_for(lambda: len(stub.ids()) >= 3 * sent, PATIENCE, "all documents")
            assert collector.stop() == 0, collector.errors()
        assert sorted(stub.ids()) == sorted("node-1-7-%d-0-%d" % (sequence, row) for sequence in range(1, sent + 1)
                                            for row in range(3))
        assert stub.doubles == 0


def test_sighup_gives_the_writer_other_options(tmp_path):
    config = tmp_path / "c.ini"
    with stubs.Stub() as stub:
        text = "[colmet-collector]\nelastic-host = %s\nsample-period = 0.1\nelastic-gzip = %s\n"
        config.write_text(text % (stub.url, "no"))
        with Collector(tmp_path, "--config", config) as collector:
            push(collector.legacy, [record06()])
            wait_for(lambda: stub.sizes, PATIENCE, "a document")
            config.write_text(text % (stub.url, "yes"))
            [before] = children(collector.pid)
            os.kill(collector.pid, signal.SIGHUP)
            wait_for(lambda: [each for each in children(collector.pid) if each != before], PATIENCE, "another writer")
            push(collector.legacy, [record06(), record06()])
            wait_for(lambda: len(stub.documents()) == 3, PATIENCE, "documents")
            assert collector.stop() == 0
        assert stub.sizes[0][0] == stub.sizes[0][1] and stub.sizes[-1][0] < stub.sizes[-1][1]


def test_the_process_that_receives_does_not_import_requests():
    program = "import sys, colmet.collector.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, universal_newlines=True, check=True)
    assert "requests" not in done.stdout.split()
