"""Prometheus and the real programs: what both show while jobs run is what the files have; ill peers cost nothing."""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.parse

import pytest

import stored
from colmet.collector.main import main
from colmet.common.exposition import named
from colmet.common.metrics import TABLES
from http_peers import get, mute, say
from peers import Node, batches, push, record06
from programs import free_port, wait_for

pytest_plugins = ("harness",)
parser = pytest.importorskip("prometheus_client.parser", reason="needs prometheus-client: pip install it")
PROGRAMS = "colmet_node_programs_cpu_seconds_total"         # not known without --cpu-budget
JOBPROC, OWN = TABLES["jobprocstats_default"], TABLES["colmet"]
WORK = "import time\nfor part in range(10 ** 6): open('/proc/self/stat').read(); time.sleep(0.01)\n"
GARBAGE = [b"\0" * 10 ** 5, b"GET /metrics HTTP/1.1\r\n" + b"A: b\r\n" * 10 ** 5, os.urandom(10 ** 4),
           b"POST / HTTP/1.1\r\n"]


def scrape(port):
    """{(name, labels as sorted pairs): value} of a page."""
    status, body, _ = get(port)
    assert status == 200
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in parser.text_string_to_metric_families(body.decode()) for sample in family.samples}


def value(page, name, **labels):
    """The value of a series, None where it is not there."""
    return page.get((name, tuple(sorted(labels.items()))))


@pytest.fixture(name="job")
def _job():
    """A process that reads all the time."""
    process = subprocess.Popen([sys.executable, "-c", WORK])
    yield process
    process.kill()
    process.wait()


@pytest.fixture(name="pair")
def _pair(start, uri, job, tmp_path):
    """A node and a collector that may be scraped: (node, its port, collector, its port)."""
    ports = free_port()
    collector = start("collector", "--hdf5-filepath", tmp_path / "x", "--zeromq-bind-uri", uri, "--prometheus-jobs",
                      "--prometheus-bind", ports)
    node = start("node", "--zeromq-uri", uri, "-s", "0.2", "-p", job.pid, "--enable-jobproc", "--hostname", "n1",
                 "--cluster", "c1", "--prometheus-bind", ports + 1, "--prometheus-jobs")
    for program, port in ((collector, ports), (node, ports + 1)):
        wait_for(lambda: "http://127.0.0.1:%d/metrics" % port in program.errors(), 60, "start message")
    return node, ports + 1, collector, ports


def shown(port, job):
    """The values of the job as they are scraped, in the order of the table; [] where it is not there."""
    page = scrape(port)
    values = [value(page, each.name, host="n1", cluster="c1", job=str(job.pid)) for each in named(JOBPROC)]
    return values if None not in values else []


def scaled(row):
    """The values of a row of HDF5 as they are to be scraped."""
    return [row[metric.name] * each.times / each.over for metric, each in zip(JOBPROC.metrics, named(JOBPROC))]


def test_what_is_scraped_is_what_the_files_have(pair, job, tmp_path):
    node, node_port, collector, port = pair
    began = wait_for(lambda: shown(node_port, job), 60, "job on the node's page")
    live = wait_for(lambda: [values for values in [shown(node_port, job)] if values and values[0] > began[0]], 60,
                    "newer values")[0]
    wait_for(lambda: shown(port, job), 60, "job on the collector's page")
    assert node.stop() == 0                     # its last tick is acknowledged
    kept = [values for batch in batches(tmp_path / "x.journal") for block in batch.blocks
            if block.table.name == JOBPROC.name for _, _, *values in block]
    last = scaled(dict(zip([metric.name for metric in JOBPROC.metrics], kept[-1])))
    wait_for(lambda: shown(port, job) == last, 60, "last values on the collector's page")
    assert collector.stop() == 0
    rows = stored.rows(stored.files(tmp_path), "%d@c1" % job.pid, JOBPROC.name)
    assert scaled(rows[-1]) == last
    assert began in map(scaled, rows) and live in map(scaled, rows)


def test_both_tell_of_themselves_what_is_true(pair, tmp_path):
    node, node_port, collector, port = pair
    wait_for(lambda: (value(scrape(node_port), "colmet_node_acknowledged_total", host="n1", cluster="c1", part="node")
                      or 0) >= 5, 60, "acknowledged batches")
    page = scrape(node_port)
    assert value(page, "colmet_node_jobs", host="n1", cluster="c1") == 1
    assert value(page, "colmet_node_failures_total", host="n1", cluster="c1", part="jobproc") == 0
    resident = value(page, "colmet_node_rss_bytes", host="n1", cluster="c1", part="node")
    assert 2 ** 20 < resident < 2 ** 28
    assert node.stop() == 0
    received = sum(block.rows for batch in batches(tmp_path / "x.journal") for block in batch.blocks)
    wait_for(lambda: value(scrape(port), "colmet_collector_received_records_total") == received, 60, "all records")
    page = scrape(port)
    assert value(page, "colmet_collector_peers") == 1 and value(page, "colmet_collector_lost_batches_total") == 0
    assert value(page, "colmet_collector_syncs_total") > 0
    assert value(page, "colmet_collector_writer_lag_bytes", writer="hdf5") > 0
    assert collector.stop() == 0
    rows = sum(len(data) for path in stored.files(tmp_path) for data in stored.tables(path).values())
    word = json.loads((tmp_path / "x.journal" / "hdf5.json").read_text())
    assert received == rows == word["stored"] and word["rejected"] == 0


def test_nodes_of_0_6_are_shown_by_the_collector(start, uri, tmp_path):
    port = free_port()
    start("collector", "--hdf5-filepath", tmp_path / "x", "--zeromq-bind-uri", uri, "--prometheus-jobs",
          "--prometheus-bind", port)
    wait_for(lambda: _listens(port), 60, "page")
    push(uri, [record06(value=number) for number in (5, 6, 7)])
    name = named(JOBPROC)[0].name
    wait_for(lambda: value(scrape(port), name, host="node-6", job="3") == 7, 60, "value of a node of 0.6")


def test_without_the_option_no_job_is_shown(start, uri, job):
    port = free_port()
    start("node", "--zeromq-uri", uri, "-s", "0.2", "-p", job.pid, "--enable-jobproc", "--prometheus-bind", port)
    wait_for(lambda: _listens(port), 60, "page")
    wait_for(lambda: "colmet_node_jobs" in {name for name, _ in scrape(port)}, 60, "first tick")
    names = {name for name, _ in scrape(port)}
    assert names | {PROGRAMS} == {each.name for each in named(OWN)} | {"colmet_node_jobs"}


def test_ill_peers_cost_neither_program_anything(pair, job):
    node, node_port, collector, port = pair
    wait_for(lambda: shown(port, job), 60, "job on the collector's page")
    for each in (node_port, port):
        peers = [mute(each) for _ in range(40)]
        for data in GARBAGE:
            say(each, data)
        before = shown(each, job)
        wait_for(lambda: shown(each, job)[0] > before[0], 60, "newer values while slow peers hold on")
        for peer in peers:
            peer.close()
    assert (node.stop(), collector.stop()) == (0, 0)
    assert "Traceback" not in node.errors() + collector.errors()


def test_a_taken_port_is_one_line_and_1(start, uri, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        bind = "127.0.0.1:%d" % taken.getsockname()[1]
        programs = [start("collector", "--hdf5-filepath", tmp_path / "x", "--zeromq-bind-uri", uri, "--prometheus-bind",
                          bind), start("node", "--zeromq-uri", uri, "--prometheus-bind", bind)]
        for program in programs:
            assert program.process.wait(60) == 1
            assert "--prometheus-bind %s: Address already in use; give another" % bind in program.errors()


def test_status_of_a_running_and_of_a_killed_collector(pair, job, tmp_path, capsys):
    node, _, collector, port = pair
    wait_for(lambda: shown(port, job), 60, "job on the collector's page")
    where = ["status", "--hdf5-filepath", str(tmp_path / "x")]
    wait_for(lambda: "1 in the last 5 min" in (main(where), capsys.readouterr().out)[1], 60, "node in the status")
    assert main(where) == 0
    collector.stop(signal.SIGKILL)
    assert main(where) == 1 and "no collector runs there" in capsys.readouterr().out
    node.stop(signal.SIGKILL)


def _listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Prometheus:
    """The real server, from Debian's package, on loopback; it scrapes `ports` every second."""

    def __init__(self, folder, ports):
        self.port, self.folder = free_port(), folder
        targets = ", ".join('"127.0.0.1:%d"' % port for port in ports)
        (folder / "prometheus.yml").write_text(
            "scrape_configs:\n- job_name: colmet\n  honor_labels: true\n  scrape_interval: 1s\n"
            "  static_configs:\n  - targets: [%s]\n" % targets)
        self.log = folder / "prometheus.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [shutil.which("prometheus"), "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb",
                 "--web.listen-address=127.0.0.1:%d" % self.port], cwd=folder, stdout=log, stderr=log)

    def query(self, text):
        """{series name: {labels as sorted pairs: value}} of an instant query; {} while it does not answer."""
        if not _listens(self.port):
            return {}
        status, body, _ = get(self.port, "/api/v1/query?" + urllib.parse.urlencode({"query": text}))
        if status != 200:
            return {}
        return {tuple(sorted(each["metric"].items())): float(each["value"][1])
                for each in json.loads(body)["data"]["result"]}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


@pytest.mark.system
def test_a_real_prometheus_takes_all_of_both(pair, job, uri, tmp_path):
    if not shutil.which("prometheus"):
        pytest.skip("needs Prometheus: apt install prometheus")
    node, node_port, collector, port = pair
    wait_for(lambda: shown(port, job), 60, "job on the collector's page")
    with Node(uri[:-5] + str(int(uri[-5:]) + 1), 'x"} 1\n# \\ \x00\u2028') as hostile:
        hostile.hello()
        hostile.send(1)
        hostile.acknowledged(1)
    with Prometheus(tmp_path, [node_port, port]) as prometheus:
        wait_for(lambda: list(prometheus.query("up").values()) == [1, 1], 60, "two targets that are up")
        assert node.stop() == 0
        truth = scrape(port)
        name = named(JOBPROC)[0].name
        text = '%s{job="%d",host="n1",instance="127.0.0.1:%d"}' % (name, job.pid, port)
        wanted = value(truth, name, host="n1", cluster="c1", job=str(job.pid))
        wait_for(lambda: list(prometheus.query(text).values()) == [wanted], 60, "the value that is true")
        scraped = prometheus.query('scrape_samples_scraped{instance="127.0.0.1:%d"}' % port)
        assert list(scraped.values()) == [len(scrape(port))]
        assert len(prometheus.query('%s{job="12"}' % name)) == 1        # that of the ill-named node
        told = prometheus.query('count by (__name__) ({instance="127.0.0.1:%d"})' % port)
        assert {dict(key)["__name__"] for key in told} >= {series for series, _ in truth}
    assert "err=" not in prometheus.log.read_text()
