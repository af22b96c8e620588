"""Every query of every dashboard, as Grafana sends it, to real servers that the collector filled from real jobs:
what comes back is what the jobs really did.

Derivatives, and the scripts that come with them, are asked of OpenSearch: the build of Elasticsearch that tests can
fetch has neither. COLMET_PICTURES=FILE takes longer and leaves the answers there for graph/grafana/pictures.py.
"""
import json
import os
import re

import pytest

import grafana
import grafana_truth as truth
from checkout import CHECKOUT
from grafana_stand import BUILDER, HOSTS, PERIOD, PLAN, SOLVER, STAGER, Stand
from jobs import lacking
from shapes import HELD, PIECE, STEPS

pytest_plugins = ("harness", "elastic.fixtures")
pytestmark = [pytest.mark.root, pytest.mark.xdist_group("servers")]
PICTURES = os.environ.get("COLMET_PICTURES")
SECONDS = 150 if PICTURES else 12                       # that the jobs work
BUCKETS = (5 if PICTURES else 2) * PERIOD * 1000        # ms
BOARDS = {path.stem: json.loads(path.read_text(encoding="utf-8"))
          for path in sorted((CHECKOUT / "graph" / "grafana" / "dashboards").glob("*.json"))}
COUNTED = {"instructions": "page_faults", "cpu_cycles": "task_clock", "cache_misses": "page_faults",
           "cache_references": "task_clock"}            # what the kernel counts instead where there is no PMU


def counted(target):
    """The query with what every kernel counts in the place of what a processor does."""
    text = json.dumps(target)
    for name, other in COUNTED.items():
        text = re.sub(r"\b%s\b" % name, other, text)
    return json.loads(text)


PANELS = [(board, panel) for board in BOARDS.values() for panel in board["panels"]]
TARGETS = [pytest.param(board, panel, counted(target), id="%s-%d%s" % (board["uid"], panel["id"], target["refId"]))
           for board, panel in PANELS for target in panel["targets"]]
PLAIN = [each for each in TARGETS if all(one["type"] != "derivative" for one in each.values[2]["metrics"])]
LINES = [each for each in TARGETS if each.values[1]["type"] == "timeseries"]
VARIABLES = [pytest.param(board, variable, id="%s-%s" % (board["uid"], variable["name"]))
             for board in BOARDS.values() for variable in board["templating"]["list"] if variable["type"] == "query"]


@pytest.fixture(name="stand", scope="module")
def _stand(_elasticsearch, _opensearch, tmp_path_factory):
    """A `Stand` that has measured into both servers."""
    if lacking():
        pytest.skip(lacking())
    servers = {"opensearch": _opensearch} if PICTURES else {"elasticsearch": _elasticsearch, "opensearch": _opensearch}
    stand = Stand(servers, "g%d_" % os.getpid(), tmp_path_factory.mktemp("grafana"), SECONDS).measure()
    if PICTURES:
        with open(PICTURES, "w", encoding="utf-8") as file:
            json.dump(picture(stand), file, indent=1)
    return stand


def chosen(board, stand):
    """The values of the variables of `board`: as they are when it is opened, and the job of two nodes."""
    return {"prefix": stand.prefix, "job": SOLVER, "host": HOSTS[0] if board["uid"] == "colmet-node" else ["$__all"]}


def span(stand, interval=BUCKETS):
    """The time of the measurement."""
    return grafana.Range(stand.start, stand.end, interval)


def answer(stand, name, board, target, values=None):
    """The answer of the server `name` to a query of a panel."""
    body = grafana.body(target, dict(chosen(board, stand), **(values or {})), span(stand))
    [found] = grafana.ask(stand.servers[name], stand.prefix + "*", [body])
    return found


def file_rows(stand, name, target):
    """The rows of the file from which the answer can be made again."""
    return [truth.row(job, row) for job, row in stand.rows(name, truth.table(target))]


def check(stand, name, board, panel, target, values=None):
    """Compare the answer with the rows of the file; the lines or the list."""
    values = dict(chosen(board, stand), **(values or {}))
    found = answer(stand, name, board, target, values)
    rows = file_rows(stand, name, target)
    if panel["type"] == "table":
        wanted = truth.listed(target, rows, values)
        listed = grafana.rows(target, found)
        [field] = truth.keys(target)
        assert {row.pop(field): list(row.values()) for row in listed} == wanted and wanted
        return wanted
    wanted = truth.expected(target, rows, values, span(stand))
    lines = grafana.lines(target, found)
    assert {tuple(line.labels[field] for field in truth.keys(target)) for line in lines} == set(wanted)
    for line in lines:
        points = wanted[tuple(line.labels[field] for field in truth.keys(target))]
        drawn = {at: value for at, value in line.points if value is not None}
        trimmed = [at for at, _ in line.points]
        points = {at: value for at, value in points.items() if trimmed[0] <= at <= trimmed[-1]}
        if target["metrics"][0]["type"] == "cardinality":
            drawn = {at: value for at, value in drawn.items() if value}     # a bucket without documents counts 0
        # 1e-7: what is a float of 32 bits in the file, as loadavg is
        assert drawn == {at: pytest.approx(value, rel=1e-7, abs=1e-6) for at, value in points.items()}
    return {line.name: line.points for line in lines}


@pytest.mark.parametrize("board, panel, target", PLAIN)
def test_elasticsearch_answers_what_the_file_says(stand, board, panel, target):
    assert check(stand, "elasticsearch", board, panel, target)


@pytest.mark.parametrize("board, panel, target", TARGETS)
def test_opensearch_answers_what_the_file_says(stand, board, panel, target):
    assert check(stand, "opensearch", board, panel, target)


@pytest.mark.parametrize("board, variable", VARIABLES)
@pytest.mark.parametrize("name", ["elasticsearch", "opensearch"])
def test_a_variable_offers_what_there_is(stand, name, board, variable):
    offered = grafana.choices(stand.servers[name], "g*", variable, chosen(board, stand), span(stand))
    jobs = sorted({job for plan in PLAN.values() for job in plan}, reverse=True)
    assert offered == {"prefix": [stand.prefix], "job": jobs, "host": list(HOSTS)}[variable["name"]]


def panel_of(uid, question):
    """(board, panel, its first query)."""
    [panel] = [each for each in BOARDS[uid]["panels"] if each["title"] == question]
    return BOARDS[uid], panel, panel["targets"][0]


def total(lines):
    """What rates of one bucket each come to, by name of the line."""
    return {line: sum(value for _, value in points if value is not None) * BUCKETS / 1000
            for line, points in lines.items()}


def test_the_list_of_a_job_has_what_the_kernel_accounted_to_it(stand):
    board, panel, target = panel_of("colmet-job", "What did it use in all, on each node?")
    for row in grafana.rows(target, answer(stand, "elasticsearch", board, target)):
        exact = stand.exact[SOLVER, row["hostname.keyword"]]
        assert row["Sum cpu"] == exact["accounted"] and row["Sum write_bytes"] >= exact["write_bytes"]
        assert row["Max peak_memory"] >= STEPS * HELD and row["Max wall"] >= SECONDS * 1e9


def test_the_rates_of_cpu_come_to_what_the_scheduler_counted(stand):
    board, panel, target = panel_of("colmet-job", "Is it using its CPUs?")
    lines = total(check(stand, "opensearch", board, panel, target))
    assert set(lines) == set(HOSTS)
    for host in HOSTS:
        used = stand.exact[SOLVER, host]["cpu"] / 1e9
        assert used * 0.6 <= lines[host] <= used        # what came before the end of the first bucket is not drawn


def test_one_job_and_one_node_of_several_can_be_chosen(stand):
    board, panel, target = panel_of("colmet-job", "Is it using its CPUs?")
    assert set(check(stand, "opensearch", board, panel, target, {"host": [HOSTS[1]]})) == {HOSTS[1]}
    assert set(check(stand, "opensearch", board, panel, target, {"job": BUILDER})) == {HOSTS[1]}


def test_the_job_that_does_the_io_of_a_node_is_named(stand):
    board, panel, _ = panel_of("colmet-node", "Which job does most of the I/O on this node?")
    lines = total(check(stand, "opensearch", board, panel, panel["targets"][1]))
    written = stand.exact[STAGER, HOSTS[0]]["write_bytes"]
    assert written >= STEPS * PIECE and max(lines, key=lines.get) == "written: " + STAGER
    assert written * 0.6 <= lines["written: " + STAGER] <= written
    assert lines["written: " + SOLVER] <= stand.exact[SOLVER, HOSTS[0]]["write_bytes"]


def test_the_memory_of_a_job_is_seen_to_grow_to_what_it_held(stand):
    board, panel, target = panel_of("colmet-job", "Does its memory grow?")
    for host, points in check(stand, "elasticsearch", board, panel, target).items():
        held = [value for _, value in points if value]
        assert abs(max(held) - stand.exact[SOLVER, host]["VmRSS"]) <= 256       # kB; the kernel adds up when it likes
        assert max(held) - held[0] >= (STEPS // 2) * HELD // 1024


def picture(stand):
    """{board: {panel: its lines by query, or its list}}, for the pictures of the docs."""
    found = {}
    for board, panel in PANELS:
        answers = [answer(stand, "opensearch", board, target) for target in panel["targets"]]
        make = grafana.rows if panel["type"] == "table" else grafana.lines
        found.setdefault(board["uid"], {})[panel["id"]] = [
            make(target, each) for target, each in zip(panel["targets"], answers)]
    return found
