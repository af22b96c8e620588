"""Writes the pages that follow from the declarations: ``python docs/build.py``, or ``--check`` to compare only.

metrics.rst comes from `colmet.common.metrics.TABLES`, options.rst from the options of the programs.
"""
import re
import sys
from pathlib import Path

from colmet.common.metrics import TABLES
from colmet.common.schema import JOB
from colmet.node.backends import NAMES, load

HERE = Path(__file__).resolve().parent
NOTICE = ".. Written by docs/build.py from the declarations; change those, then run it again.\n\n"
MISSING_06 = "-1 stands for \"not known\"."
MISSING = "%s stands for \"not known\" (the attribute ``missing`` of the HDF5 table says so)."
CELLS = {"q": "-2^63", "d": "NaN"}      # that, by code


def title(text, line):
    """A heading underlined with `line`."""
    return "%s\n%s\n\n" % (text, line * len(text))


def grid(header, rows):
    """A list-table whose cells are one line each."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in [header] + rows:
        lines += [("   %s %s" % ("  -" if place else "* -", cell)).rstrip() for place, cell in enumerate(row)]
    return "\n".join(lines) + "\n\n"


def plain(text):
    """`text` in one line, in which reStructuredText sees no markup of its own."""
    return re.sub(r"([\\*|]|_\b)", r"\\\1", " ".join(text.split()))


def metrics():
    """The text of metrics.rst."""
    text = NOTICE + title("Metrics", "=")
    text += ("Every table that Colmet knows, in the order of the wire. Counters only grow while what they count "
             "lives;\nthey are stored as read, and whoever shows them takes differences. *Joined by* says how "
             "tasks, or jobs that\nshare a number, become one row.\n\n")
    made = sources()
    text += grid(("table", "holds", "switch", "read by"), [
        ("`%s`_" % table.name, plain(table.doc), switch(table), made.get(table.name, "no source yet"))
        for table in TABLES.values()])
    return text + "".join(section(table, made) for table in TABLES.values())


def sources():
    """Which module of colmet/node makes a table, by the table's name."""
    made = {table.name: "``backends/%s.py``" % name for name in NAMES for table in load(name).TABLES}
    return dict({"colmet": "``sampler.py``", "job": "``jobs/ending.py``"}, **made)


def missing(table):
    """What stands for "not known" in a table of this release."""
    return " or ".join(cell for code, cell in CELLS.items() if code in table.codes)


def switch(table):
    """How the table is switched on or off."""
    return "on; ``--disable-%s``" % table.option if table.default else "``--enable-%s``" % table.option


def section(table, made):
    """The text about one table."""
    rows = "a row per job and sample" if table.scope == JOB else "rows of job 0, the node itself"
    instance = ", one for each ``%s``" % table.instance if table.instance else ""
    text = title(table.name, "-") + plain(table.doc) + "\n\n"
    text += "Scope: %s%s. %s. " % (rows, instance, switch(table).capitalize() if table.default else switch(table))
    text += (MISSING_06 if table.legacy else MISSING % missing(table)) + "\n"
    if table.name not in made:
        text += "This release decodes and stores the table, but has no source that makes it.\n"
    if table.involved_jobs:
        where = "on the wire and in the file" if table.involved_jobs == "wire" else "in the file only"
        text += "Column ``involved_jobs`` (%s): the jobs present on the node, as a JSON list.\n" % where
    return text + "\n" + grid(("metric", "unit", "kind", "meaning", "joined by"), [
        ("``%s``" % metric.name, plain(metric.unit), metric.kind, plain(metric.doc), metric.fold)
        for metric in table.metrics])


def options():
    """The text of options.rst."""
    text = NOTICE + title("Options", "=")
    text += ("Each long option of colmet-node and colmet-collector is also a key of the file that ``--config`` names, "
             "without its\ndashes and under the section of its program; the command line goes first. A switch is yes "
             "or no there, and an\noption that may be given again has one value per line.\n\n")
    for program, declared in programs().items():
        text += title(program, "-")
        groups = dict.fromkeys(option.group for option in declared)
        for group in groups:
            rows = [row(option) for option in declared if option.group == group and not option.hidden]
            text += title(group, "~") if group else ""
            text += grid(("option", "default", "meaning"), rows)
    return text


def programs():
    """The declared options of each program, by its name."""
    from colmet.collector import overview
    from colmet.collector.settings import OPTIONS as collector
    from colmet.node import check
    from colmet.node.settings import OPTIONS as node
    from colmet.view import attach, run
    return {"colmet-node": node, "colmet-node check": check.OPTIONS, "colmet-collector": collector,
            "colmet-collector status": overview.OPTIONS, "colmet run": run.OPTIONS, "colmet attach": attach.OPTIONS}


def row(option):
    """The cells about one option."""
    flags = ", ".join("``%s``" % flag for flag in option.flags)
    words = isinstance(option.default, (list, tuple))
    default = " ".join(map(str, option.default)) if words else "" if option.default is None else str(option.default)
    if option.kind is bool or option.many == "count":
        default = "off"
    unit = " " + option.unit if option.unit and default else ""
    return flags, "``%s``%s" % (default, unit) if default else "", plain(option.help)


PAGES = {"metrics.rst": metrics, "options.rst": options}


def stale():
    """The names of the pages whose text is no longer what the declarations give."""
    return [name for name, page in PAGES.items()
            if not (HERE / name).exists() or (HERE / name).read_text(encoding="utf-8") != page()]


def main(argv):
    """Write the pages, or with ``--check`` exit 1 naming those that are stale."""
    names = stale()
    if argv == ["--check"]:
        for name in names:
            print("docs/%s is stale: run python docs/build.py" % name)
        return 1 if names else 0
    for name in names:
        (HERE / name).write_text(PAGES[name](), encoding="utf-8")
        print("wrote docs/%s" % name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
