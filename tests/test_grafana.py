"""The committed dashboards: fresh, valid by Grafana's own schema, a question to a panel, declared metrics only."""
import importlib
import json
import re
import sys
import typing
from enum import Enum

import pytest

from checkout import CHECKOUT
from colmet.common.metrics import TABLES
from colmet.common.schema import COUNTER

FOLDER = CHECKOUT / "graph" / "grafana"
BOARDS = {path.stem: json.loads(path.read_text(encoding="utf-8"))
          for path in sorted((FOLDER / "dashboards").glob("*.json"))}
NAMES = sorted(BOARDS)
OURS = ("build", "panels", "queries", "questions")
PIPELINES = ("derivative", "bucket_script")         # of other metrics, not of fields
RATIO = ["max"] * 2 + ["derivative"] * 2 + ["bucket_script"]
OF_EVERY_DOCUMENT = {"job.keyword", "hostname.keyword", "timestamp"}


@pytest.fixture(name="build")
def _build(monkeypatch):
    """The generator as a module."""
    monkeypatch.syspath_prepend(FOLDER)
    for name in OURS:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module("build")
    for name in OURS:
        sys.modules.pop(name, None)


def queries():
    """(board, panel, query, its table) of all there are."""
    for board in BOARDS.values():
        for panel in board["panels"]:
            for target in panel["targets"]:
                name = re.match(r"_index:\(\$\{prefix\}(\w+) OR \.ds-\$\{prefix\}\1-\*\)", target["query"])[1]
                yield board, panel, target, TABLES[name]


def test_the_dashboards_are_what_the_generator_writes(build, capsys):
    assert build.main(["--check"]) == 0 and capsys.readouterr().out == ""
    assert NAMES == ["colmet-job", "colmet-jobs", "colmet-node", "colmet-self"]


def test_a_dashboard_that_is_stale_is_named_and_written(build, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(build, "HERE", tmp_path)
    (tmp_path / "dashboards").mkdir()
    (tmp_path / "dashboards" / "gone.json").write_text("{}")
    assert build.main(["--check"]) == 1
    assert [line.split()[0].rpartition("/")[2] for line in capsys.readouterr().out.splitlines()] == sorted(
        [name + ".json" for name in NAMES] + ["gone.json"])
    assert build.main([]) == 0 and build.main(["--check"]) == 0
    assert sorted(path.stem for path in (tmp_path / "dashboards").iterdir()) == NAMES


def test_what_a_table_would_answer_is_left_out_without_it(build):
    few = {name: table for name, table in TABLES.items() if name != "jobprocstats_default"}
    assert build.files({"x": TABLES["cpu"]}) == {}
    assert sorted(build.files(few)) == [name + ".json" for name in NAMES]
    assert all("jobprocstats" not in text for text in build.files(few).values())
    assert any("jobprocstats" in text for text in build.files().values())


@pytest.mark.slow           # so that it runs on the Python for which make test installs the package
@pytest.mark.parametrize("name", NAMES)
def test_a_dashboard_is_valid_by_grafanas_schema(name):
    sdk = "grafana_foundation_sdk"
    pytest.importorskip(sdk, reason="needs grafana-foundation-sdk on Python 3.11 or newer: make test installs it")
    plugins, encoder, models = (importlib.import_module(sdk + "." + part)
                                for part in ("cog.plugins", "cog.encoder", "models.dashboard"))
    plugins.register_default_plugins()
    model = models.Dashboard.from_json(BOARDS[name])
    again = json.loads(encoder.JSONEncoder().encode(model))
    assert lost(BOARDS[name], again) == []      # what the schema does not know does not come back
    assert list(wrong(model, models.Dashboard, name)) == []
    model.panels[0].grid_pos.w, model.tags = "wide", ["colmet", 7]
    assert len(list(wrong(model, models.Dashboard, name))) == 2
    kinds = {type(target).__module__ for panel in model.panels for target in panel.targets}
    assert kinds == {sdk + ".models.elasticsearch"}


def lost(ours, back, path=""):
    """Paths of all that is in `ours` and not the same in `back`."""
    if isinstance(ours, dict) and isinstance(back, dict):
        return [each for key in ours for each in
                (lost(ours[key], back[key], path + "/" + key) if key in back else [path + "/" + key])]
    if isinstance(ours, list) and isinstance(back, list) and len(ours) == len(back):
        return [each for place, pair in enumerate(zip(ours, back)) for each in lost(*pair, "%s/%d" % (path, place))]
    return [] if ours == back else [path]


def wrong(value, hint, path):
    """Paths below a value of the schema's classes whose type is not the declared one."""
    choices = [each for each in (typing.get_args(hint) if typing.get_origin(hint) is typing.Union else [hint])
               if fits(value, each)]
    if not choices:
        yield "%s: %r is no %s" % (path, value, hint)
    elif isinstance(value, list):
        for each in value:
            yield from wrong(each, (typing.get_args(choices[0]) or (typing.Any,))[0], path + "[]")
    elif type(value).__module__.startswith("grafana_foundation_sdk.models"):
        for name, kind in typing.get_type_hints(type(value)).items():
            yield from wrong(getattr(value, name), kind, path + "/" + name)


def fits(value, hint):
    """Whether the schema takes `value` where it wants `hint`."""
    origin = typing.get_origin(hint) or hint
    if origin is typing.Literal:
        return value in typing.get_args(hint)
    if isinstance(origin, type) and issubclass(origin, Enum):
        return value in [each.value for each in origin]
    if origin is float:
        return isinstance(value, (int, float))
    return origin is typing.Any or not isinstance(origin, type) or isinstance(value, origin)


def test_every_panel_asks_one_question_and_says_what_it_shows():
    for board, panel, target, table in queries():
        assert panel["title"].endswith("?") and panel["title"].count("?") == 1
        fields = [one.get("field") for one in target["metrics"]]
        described = [metric for metric in table.metrics if metric.name in fields]
        for metric in described:
            assert metric.doc in panel["description"], panel["title"]
        assert "Table `%s`" % table.name in panel["description"]
        assert table.default or "--enable-" + table.option in panel["description"]
    for board in BOARDS.values():
        titles = [panel["title"] for panel in board["panels"]]
        assert len(titles) == len(set(titles))


def test_queries_name_fields_that_documents_have():
    for _, panel, target, table in queries():
        declared = {metric.name for metric in table.metrics} | OF_EVERY_DOCUMENT
        declared |= {table.instance + ".keyword"} if table.instance else set()
        fields = {bucket["field"] for bucket in target["bucketAggs"]}
        fields |= {one["field"] for one in target["metrics"] if one["type"] not in PIPELINES}
        fields |= {field for one in target["metrics"] for field in re.findall(r"doc\['(.+?)'\]", json.dumps(one))}
        assert fields <= declared, panel["title"]


def test_counters_are_drawn_as_differences_and_gauges_as_they_are():
    for _, panel, target, table in queries():
        [metric] = [each for each in table.metrics if each.name == target["metrics"][0]["field"]] or [None]
        if panel["type"] != "table" and metric:
            kinds = [one["type"] for one in target["metrics"]]
            drawn = [["max", "derivative"], RATIO] if metric.kind == COUNTER else [["max"]]
            assert kinds in drawn, panel["title"]


def test_what_is_drawn_together_has_one_unit(build):
    panels, questions = importlib.import_module("panels"), importlib.import_module("questions")
    for board in questions.boards(TABLES):
        for panel in board.panels:
            if isinstance(panel, questions.Panel):
                assert len({panels.unit(TABLES, series) for series in panel.series}) == 1, panel.question


def test_units_follow_the_declarations():
    units = {(board["uid"], panel["title"]): panel["fieldConfig"]["defaults"].get("unit")
             for board in BOARDS.values() for panel in board["panels"]}
    assert units["colmet-job", "Does its memory grow?"] == "kbytes"
    assert units["colmet-job", "How much does it read, and how much of it from storage?"] == "binBps"
    assert units["colmet-node", "How much does it read and write?"] == "KiBs"
    assert units["colmet-self", "How much memory does it take on the nodes?"] == "bytes"
    scales = {(table.name, target["metrics"][0]["field"]): target["metrics"][0].get("settings", {}).get("script")
              for _, panel, target, table in queries() if panel["type"] != "table"}
    assert scales["taskstats_default", "cpu_run_virtual_total"] == "_value / 1e9"
    assert scales["taskstats_default", "ac_utime"] == "_value / 1e6"
    assert scales["procstats_default", "stat_cpu_user"] == "_value / 100.0"
    assert scales["taskstats_default", "read_bytes"] is None


def test_panels_lie_side_by_side_and_not_on_each_other():
    for board in BOARDS.values():
        cells = [(place["x"] + across, place["y"] + down) for place in [panel["gridPos"] for panel in board["panels"]]
                 for across in range(place["w"]) for down in range(place["h"])]
        assert len(cells) == len(set(cells)) and max(x for x, _ in cells) < 24
        numbers = [panel["id"] for panel in board["panels"]]
        assert len(numbers) == len(set(numbers))


def test_variables_are_declared_where_they_are_used():
    for board in BOARDS.values():
        declared = {variable["name"] for variable in board["templating"]["list"]}
        used = set(re.findall(r"\$\{?([a-z]+)\b", json.dumps([board["panels"], board["templating"]])))
        assert used == declared
        assert {"datasource", "prefix", "interval", "host"} <= declared


def test_links_lead_to_dashboards_that_are_there():
    text = "".join(json.dumps(board) for board in BOARDS.values())
    linked = set(re.findall(r"/d/([\w-]+)\?", text))
    assert linked <= {board["uid"] for board in BOARDS.values()} and linked == {"colmet-job", "colmet-node"}


def test_the_files_for_grafana_name_what_the_dashboards_ask_for():
    source = (FOLDER / "provisioning" / "datasources" / "colmet.yaml").read_text(encoding="utf-8")
    assert 'index: "colmet_*"' in source and "timeField: timestamp" in source and "type: elasticsearch" in source
    provider = (FOLDER / "provisioning" / "dashboards" / "colmet.yaml").read_text(encoding="utf-8")
    folder = re.search(r"path: (\S+)", provider)[1]
    assert folder in (FOLDER / "README.rst").read_text(encoding="utf-8")
