"""Panels of Grafana: how an answer looks, in which unit, and what its description says."""
from questions import DISTINCT, INCREASE, RATE, Listing, Ratio
from queries import SOURCE, TEXT, heading, how, listing, metric, target

RATES = {"bytes": "binBps", "kB": "KiBs", "KiB": "KiBs", "count": "cps", "pages": "suffix: pages/s", "uJ": "watt"}
VALUES = {"bytes": "bytes", "kB": "kbytes", "KiB": "kbytes", "ns": "ns", "us": "\u00b5s", "s": "s",   # kB of /proc: KiB
          "Celsius": "celsius"}
HEIGHT = 8
TO_JOB = ("/d/colmet-job?var-job=${__value.raw}&${datasource:queryparam}&${prefix:queryparam}"
          "&${__url_time_range}")
TO_NODE = ("/d/colmet-node?var-host=${__value.raw}&${datasource:queryparam}&${prefix:queryparam}"
           "&${__url_time_range}")
LINKS = {"job": ("Job", "What did this job do?", TO_JOB), "hostname": ("Node", "What did this node do?", TO_NODE)}


def unit(tables, series):
    """Grafana's id of the unit in which `series` is drawn."""
    if isinstance(series, Ratio):
        return series.unit
    kind, declared = how(tables, series), metric(tables, series)
    if kind in (DISTINCT, INCREASE):
        return "short"
    return (RATES if kind == RATE else VALUES).get(declared.unit, "short")


def description(tables, panel):
    """What is drawn, from the declarations: metric, meaning, unit, table, and the switch where it is off."""
    lines = [panel.note] if panel.note else []
    names = [(panel.table, column.metric) for column in panel.columns] if isinstance(panel, Listing) else [
        (series.table, series.metric) for series in panel.series]
    for table in dict.fromkeys(name for name, _ in names):
        declared = {one.name: one for one in tables[table].metrics}
        lines += ["`%s`: %s (%s, %s)" % (name, declared[name].doc, declared[name].kind, declared[name].unit)
                  for where, name in names if where == table and name in declared]
        switch = "" if tables[table].default else ", by `colmet-node --enable-%s`" % tables[table].option
        lines.append("Table `%s`%s." % (table, switch))
    return "\n\n".join(lines)


def steps(alarm):
    """Thresholds: green, and red from `alarm`."""
    found = [{"color": "green", "value": None}]
    return {"mode": "absolute", "steps": found + ([{"color": "red", "value": alarm}] if alarm else [])}


def graph(tables, panel, number, variables):
    """A panel of lines over time."""
    units = {unit(tables, series) for series in panel.series}
    custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 30 if panel.stack else 10, "showPoints": "auto",
              "spanNulls": False, "axisLabel": panel.label, "axisSoftMax": 1 if panel.alarm == 1 else None,
              "stacking": {"mode": "normal" if panel.stack else "none", "group": "A"},
              "thresholdsStyle": {"mode": "line" if panel.alarm else "off"}}
    return {
        "id": number, "type": "timeseries", "title": panel.question, "description": description(tables, panel),
        "datasource": SOURCE, "interval": "$interval",
        "targets": [target(tables, panel, place, variables) for place in range(len(panel.series))],
        "fieldConfig": {"defaults": {
            "unit": units.pop() if len(units) == 1 else "short", "min": 0, "thresholds": steps(panel.alarm),
            "color": {"mode": "palette-classic"},
            "custom": {key: value for key, value in custom.items() if value not in (None, "")}}, "overrides": []},
        "options": {"legend": {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []},
                    "tooltip": {"mode": "multi", "sort": "desc"}},
    }


def table(tables, panel, number, variables):
    """A panel with a list."""
    declared = {one.name: one for one in tables[panel.table].metrics}
    name, title, url = LINKS[panel.by]
    overrides = [override(TEXT[panel.by], name, links=[{"title": title, "url": url}])]
    for column in panel.columns:
        found = {"unit": VALUES.get(declared[column.metric].unit, "short")} if column.metric in declared else {}
        overrides.append(override(heading(panel, column), column.title, **found))
    return {
        "id": number, "type": "table", "title": panel.question, "description": description(tables, panel),
        "datasource": SOURCE, "targets": [listing(panel, variables)],
        "fieldConfig": {"defaults": {"thresholds": steps(0)}, "overrides": overrides},
        "options": {"showHeader": True, "sortBy": [{"displayName": panel.columns[0].title, "desc": True}]},
    }


def override(column, title, **properties):
    """How one column is called and drawn."""
    found = dict({"displayName": title}, **properties)
    return {"matcher": {"id": "byName", "options": column},
            "properties": [{"id": name, "value": value} for name, value in found.items()]}


def placed(tables, board):
    """The panels of `board`, placed from left to right, then down; 24 columns are one row."""
    found, left, top = [], 0, 0
    for number, panel in enumerate(board.panels, 1):
        if left + panel.width > 24:
            left, top = 0, top + HEIGHT
        make = table if isinstance(panel, Listing) else graph
        made = make(tables, panel, number, board.variables)
        made["gridPos"] = {"x": left, "y": top, "w": panel.width, "h": HEIGHT}
        found.append(made)
        left += panel.width
    return found
