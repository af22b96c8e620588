"""Writes the dashboards from the declared tables: ``python graph/grafana/build.py``, or ``--check`` to compare only.

`questions.py` says what is asked, `queries.py` how Elasticsearch is asked, `panels.py` how the answer looks;
names, kinds, units and descriptions come from `colmet.common.metrics.TABLES`.
"""
import json
import sys
from pathlib import Path

from colmet.common.metrics import TABLES
from panels import placed
from queries import FILTERS, SOURCE, TEXT, index
from questions import NODE, TASKS, boards

HERE = Path(__file__).resolve().parent
SCHEMA = 39                                         # of Grafana 10 and 11
ON_RANGE = 2                                        # asks again when the time range is another
PREFIX = "colmet_"                                  # of colmet-collector's --elastic-index-prefix, since 0.6
MOST = 5000                                         # values of a variable
SEVERAL = {"multi": True, "includeAll": True, "allValue": "*",
           "current": {"selected": True, "text": ["All"], "value": ["$__all"]}}
NEWEST_FIRST, BY_NAME = 4, 1                        # orders of Grafana's lists: numbers, the greatest first; text
PERIODS = ("10s", "30s", "1m", "5m", "15m", "1h")   # the first is twice the period of colmet-node


def terms(field, query=""):
    """A query for all values of a field, as the data source takes it."""
    return json.dumps(dict({"find": "terms", "field": field, "size": MOST}, **({"query": query} if query else {})))


def ask(name, label, query, **more):
    """A variable whose values Elasticsearch gives."""
    return dict({"type": "query", "name": name, "label": label, "datasource": SOURCE, "query": query,
                 "refresh": ON_RANGE, "sort": BY_NAME, "regex": "", "multi": False, "includeAll": False}, **more)


def variables(board):
    """The variables of a dashboard, in the order in which they are chosen."""
    chosen = {"selected": True, "text": PERIODS[0], "value": PERIODS[0]}
    return [
        {"type": "datasource", "name": "datasource", "label": "Source", "query": "elasticsearch", "regex": "",
         "refresh": 1, "multi": False, "includeAll": False},
        ask("prefix", "Prefix", terms("_index"), regex="/^(?:\\.ds-)?(.*)%s(?:-.*)?$/" % TASKS,
            current={"selected": True, "text": PREFIX, "value": PREFIX}),
    ] + [VARIABLES[name](board) for name in board.variables] + [
        {"type": "custom", "name": "interval", "label": "Points at least", "query": ",".join(PERIODS),
         "current": chosen, "multi": False, "includeAll": False,
         "options": [{"text": period, "value": period, "selected": period == PERIODS[0]} for period in PERIODS]},
    ]


def job(_):
    """The variable that chooses one job."""
    return ask("job", "Job", terms(TEXT["job"], index(TASKS)), sort=NEWEST_FIRST)


def host(board):
    """The variable that chooses a node, or several where the board can show them together."""
    if "job" in board.variables:
        return ask("host", "Node", terms(TEXT["hostname"], index(TASKS) + " AND " + FILTERS["job"]), **SEVERAL)
    return ask("host", "Node", terms(TEXT["hostname"], index(NODE)), **({} if board.one_node else SEVERAL))


VARIABLES = {"job": job, "host": host}


def dashboard(tables, board):
    """The dashboard as Grafana's JSON."""
    return {
        "uid": board.uid, "title": board.title, "description": board.doc, "tags": ["colmet"],
        "schemaVersion": SCHEMA, "editable": True, "graphTooltip": 1, "timezone": "browser", "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "links": [{"type": "dashboards", "title": "Colmet", "tags": ["colmet"], "asDropdown": False, "icon": "",
                   "includeVars": True, "keepTime": True, "targetBlank": False, "tooltip": "", "url": ""}],
        "templating": {"list": variables(board)}, "annotations": {"list": []}, "panels": placed(tables, board),
    }


def files(tables=None):
    """{name of the file: its text} of all dashboards."""
    tables = tables or TABLES
    return {board.uid + ".json": json.dumps(dashboard(tables, board), indent=1, sort_keys=True) + "\n"
            for board in boards(tables)}


def main(arguments):
    """Write, or with --check only name what is stale; the exit code."""
    folder, stale = HERE / "dashboards", []
    made = files()
    for name in sorted({path.name for path in folder.glob("*.json")} | set(made)):
        path = folder / name
        if (path.read_text(encoding="utf-8") if path.exists() else None) != made.get(name):
            stale.append(name)
    if "--check" in arguments:
        for name in stale:
            print("graph/grafana/dashboards/%s is stale: run python graph/grafana/build.py" % name)
        return 1 if stale else 0
    folder.mkdir(exist_ok=True)
    for name in stale:
        if name in made:
            (folder / name).write_text(made[name], encoding="utf-8")
        else:
            (folder / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
