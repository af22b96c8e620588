"""The queries of the dashboard that came with Colmet 0.6, as Grafana sends them, to what our collector stores: in the
data streams that it makes, and in plain indices that 0.6 made. Messages of 0.6 are sent; their numbers come back.
"""
import gzip
import json
import struct

import pytest
import zmq

import grafana
from checkout import CHECKOUT
from colmet.common import wire06
from colmet.common.metrics import TABLES
from programs import wait_for

pytest_plugins = ("harness", "elastic.fixtures")
pytestmark = pytest.mark.xdist_group("servers")         # one worker has them, and what they hold
GOLDEN = CHECKOUT / "tests" / "golden" / "0.6"
SAMPLE = json.loads((GOLDEN / "grafana_queries.json").read_text(encoding="utf-8"))
MAPPING = {"mappings": {"properties": {"timestamp": {"type": "date", "format": "epoch_second"}}}}   # all that 0.6 gives
SECOND = 1000       # ms
MADE = ("perfhwstats_default", "infinibandstats_default")
MADE_TICKS, PATIENCE = 4, 60


def recorded():
    """(messages, their records as dicts) of real jobs, as a node of 0.6.10 sent them."""
    folder = GOLDEN / "jobs"
    decoded = json.loads((folder / "messages.json").read_text())["messages"]
    return ([gzip.decompress(path.read_bytes()) for path in sorted(folder.glob("*.bin.gz"))],
            [record for message in decoded for record in message])


def made(begin):
    """The same, made up, for the tables that need hardware: counter number n grows by n thousand each second."""
    messages, records = [], []
    for tick in range(MADE_TICKS):
        for name in MADE:
            layout = wire06.layout(TABLES[name])
            values = [tick * 1000 * number for number in range(1, len(layout.metrics) + 1)]
            jobs = b"[1001, 1002]"
            body = struct.pack(layout.body.format, *values, *([jobs] if name == MADE[1] else []))
            job = 1001 if name == MADE[0] else 0
            messages.append(wire06.HEADER.pack(name.encode(), b"vm", job, begin + tick) + body)
            records.append(dict(zip((metric.name for metric in layout.metrics), values), metric_backend=name,
                                hostname="vm", job_id=job, timestamp=begin + tick))
    return messages, records


@pytest.fixture(name="fill")
def _fill(start, uri, tmp_path, prefix):
    """fill(server) has our collector store all of it there; the records, and the time that they span."""
    def fill(server):
        sent, records = recorded()
        begin = min(record["timestamp"] for record in records)
        more, made_up = made(begin)
        collector = start("collector", "--zeromq-bind-uri", uri, "-s", "0.3", "-vv", "--hdf5-filepath",
                          tmp_path / "all", "--elastic-host", server.url, "--elastic-index-prefix", prefix)
        with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
            socket.connect(uri)
            for message in sent + more:
                socket.send(message)
            wait_for(lambda: server.count(prefix + "*") == len(records) + len(made_up), PATIENCE, "documents")
        assert collector.stop() == 0
        records += made_up
        last = max(record["timestamp"] for record in records)
        return records, grafana.Range((begin - 2) * SECOND, (last + 2) * SECOND, SECOND)
    return fill


def expected(target, records, jobs):
    """{ms: number} of the one line of a query: what `records` of these jobs come to in each second."""
    chosen = [record for record in records if record["metric_backend"] == target["table"]
              and (record["job_id"] in jobs or target["table"] == MADE[1])]
    first, *rest = target["metrics"]
    scale = float((first["settings"].get("script") or {"inline": "_value/1"})["inline"].rpartition("/")[2])
    groups = {}
    for record in chosen:
        groups.setdefault(record["timestamp"] * SECOND, []).append(record[first["field"]] / scale)
    fold = {"max": max, "avg": lambda values: sum(values) / len(values)}[first["type"]]
    folded = {at: fold(values) for at, values in groups.items()}
    if not rest:
        return folded
    step = {"1ms": SECOND, "1s": 1}[rest[0]["settings"]["unit"]]
    return {at: (value - folded[at - SECOND]) / step for at, value in folded.items() if at - SECOND in folded}


def check(server, prefix, target, records, span, jobs):
    """Whether one query gives what the records say."""
    values = {"Job_ID": [str(job) for job in jobs] if jobs else [grafana.ALL]}
    known = jobs or {record["job_id"] for record in records}
    [answer] = grafana.ask(server, prefix + target["table"], [grafana.body(target, values, span)])
    [line] = grafana.lines(target, answer)
    drawn = {at: value for at, value in line.points if value is not None}
    wanted = expected(target, records, known)
    assert line.labels == {"hostname.keyword": "vm"} and wanted
    assert drawn == {at: pytest.approx(value) for at, value in wanted.items()}, target["title"]


@pytest.mark.parametrize("old_indices", [False, True], ids=["data-streams", "indices-of-0.6"])
def test_opensearch_answers_every_query_of_the_dashboard_of_0_6(opensearch, prefix, fill, old_indices):
    for name in {target["table"] for target in SAMPLE["queries"]} if old_indices else ():
        opensearch.ask("PUT", "/" + prefix + name, MAPPING)
    records, span = fill(opensearch)
    for target in SAMPLE["queries"]:
        check(opensearch, prefix, target, records, span, [])
        check(opensearch, prefix, target, records, span, [1001])
    plain = sorted(index for index in opensearch.indices("*") if index.startswith(prefix))
    assert bool(plain) == old_indices
    offered = grafana.choices(opensearch, prefix + "taskstats_default", SAMPLE["variable"], {}, span)
    jobs = {record["job_id"] for record in records if record["metric_backend"] == "taskstats_default"}
    assert offered == [str(job) for job in sorted(jobs, reverse=True)]


def test_elasticsearch_answers_those_without_a_pipeline(elasticsearch, prefix, fill):
    records, span = fill(elasticsearch)
    plain = [target for target in SAMPLE["queries"] if len(target["metrics"]) == 1]
    assert len(plain) == 4
    for target in plain:
        check(elasticsearch, prefix, target, records, span, [1001])


def test_our_dashboard_draws_what_is_in_an_index_of_0_6(opensearch, prefix, fill):
    board = json.loads((CHECKOUT / "graph" / "grafana" / "dashboards" / "colmet-job.json").read_text(encoding="utf-8"))
    opensearch.ask("PUT", "/%staskstats_default" % prefix, MAPPING)
    records, span = fill(opensearch)
    [panel] = [each for each in board["panels"] if each["title"] == "Is it using its CPUs?"]
    target = dict(panel["targets"][0], bucketAggs=[
        dict(each, settings=dict(each["settings"], trimEdges="0")) for each in panel["targets"][0]["bucketAggs"]])
    body = grafana.body(target, {"prefix": prefix, "job": "1001", "host": [grafana.ALL]}, span)
    [answer] = grafana.ask(opensearch, prefix + "*", [body])
    [line] = grafana.lines(target, answer)
    used = {record["timestamp"] * SECOND: record["cpu_run_virtual_total"] / 1e9 for record in records
            if record["metric_backend"] == "taskstats_default" and record["job_id"] == 1001}
    wanted = {at: pytest.approx(value - used[at - SECOND]) for at, value in used.items() if at - SECOND in used}
    assert {at: value for at, value in line.points if value is not None} == wanted and wanted
