"""Draws the dashboards as pictures, from answers of a real server: ``python graph/grafana/pictures.py ANSWERS FOLDER``.

ANSWERS is the file that the tests leave: ``COLMET_PICTURES=ANSWERS pytest tests/e2e/test_grafana_answers.py``. Titles,
places, units, stacking and thresholds are those of the committed JSON; drawn with matplotlib, in the manner of Grafana.
"""
import io
import json
import math
import sys
from pathlib import Path

import matplotlib
from matplotlib import pyplot
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator
from PIL import Image

HERE = Path(__file__).resolve().parent
COLUMN, ROW = 0.44, 0.29                # inches that one column and one row of Grafana's grid take
DPI, SHADES = 80, 192
PAPER, CARD, INK, DIM = "#f4f5f5", "#ffffff", "#24292e", "#6e7781"
COLORS = ("#5794f2", "#73bf69", "#f2cc0c", "#ff9830", "#b877d9", "#37c8d8", "#e05f9e", "#8ab8ff", "#96d98d", "#c15c17")
RED = "#e02f44"
BINARY = ("", "Ki", "Mi", "Gi", "Ti")
LETTERS_AN_INCH = 14                    # of a legend


def binary(value, name):
    """Bytes with the prefix that fits."""
    for prefix in BINARY:
        if abs(value) < 1024 or prefix == BINARY[-1]:
            return "%.3g %s%s" % (value, prefix, name)
        value /= 1024


def duration(value, _):
    """ns as seconds."""
    return "%.3g s" % (value / 1e9)


def plain(value, name):
    """A number, with k for thousands."""
    return ("%.3g k" % (value / 1000) if abs(value) >= 10000 else "%.4g" % value) + name


BYTES = ("bytes", "binBps", "kbytes", "KiBs")
UNITS = {"bytes": (binary, "B"), "binBps": (binary, "B/s"), "ns": (duration, ""), "cps": (plain, "/s"),
         "suffix: pages/s": (plain, " pages/s"), "watt": (plain, " W"), "celsius": (plain, " °C"),
         "percent": (plain, " %"), "short": (plain, "")}


def written(value, unit):
    """`value` in one of Grafana's units."""
    if unit in ("kbytes", "KiBs"):
        value, unit = value * 1024, {"kbytes": "bytes", "KiBs": "binBps"}[unit]
    how, name = UNITS.get(unit, UNITS["short"])
    return how(value, name)


def clock(value, _):
    """Seconds since the beginning as minutes and seconds; the beginning itself is under the other axis."""
    return "%d:%02d" % divmod(value, 60) if value > 0 else ""


def graph(axes, panel, answers, begin, end):
    """A panel of lines over the time from `begin` to `end` (ms)."""
    defaults = panel["fieldConfig"]["defaults"]
    lines = [line for answer in answers for line in answer]
    if defaults["custom"]["stacking"]["mode"] == "normal":
        stacked(axes, lines, begin)
    else:
        for number, (name, _, points) in enumerate(lines):
            axes.plot(*seconds(points, begin), color=COLORS[number % len(COLORS)], linewidth=1.4, label=name)
    steps, unit = defaults["thresholds"]["steps"], defaults["unit"]
    if len(steps) > 1:
        axes.axhline(steps[-1]["value"], color=RED, linewidth=1, linestyle=(0, (6, 4)))
    highest = max((value or 0 for _, _, points in lines for _, value in points), default=0)
    least = 1.2 * steps[-1]["value"] if len(steps) > 1 else 0 if highest else 1024 if unit in BYTES else 1
    axes.set_ylim(bottom=0, top=max(axes.get_ylim()[1] if highest else 0, least))
    axes.yaxis.set_major_locator(locator(unit, axes.get_ylim()[1]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: written(value, unit)))
    axes.xaxis.set_major_formatter(FuncFormatter(clock))
    axes.set_ylabel(defaults["custom"].get("axisLabel", ""), color=DIM, fontsize=8)
    axes.set_xlim(0, (end - begin) / 1000)
    legend(axes, panel["gridPos"]["w"] * COLUMN * LETTERS_AN_INCH)


def locator(unit, top):
    """Where the marks of an axis are: bytes by powers of two."""
    if unit not in BYTES:
        return MaxNLocator(5, steps=[1, 2, 4, 5, 10])
    return MultipleLocator(2.0 ** math.ceil(math.log2(top / 5)))


def legend(axes, letters):
    """The names of lines below them in one row of so many letters."""
    handles, names = axes.get_legend_handles_labels()
    shown = names
    while len(shown) > 1 and sum(len(name) + 5 for name in shown) > letters:
        left = len(names) - len(shown) + 1
        shown = names[:len(shown) - 2] + ["%s and %d more" % (names[len(shown) - 2], left)]
    axes.legend(handles[:len(shown)], shown, loc="upper left", bbox_to_anchor=(-0.01, -0.13), ncol=max(1, len(shown)),
                fontsize=7.5, frameon=False, labelcolor=INK, handlelength=1.2, columnspacing=1.2)


def seconds(points, begin):
    """(times in s since `begin`, values) of a line; a gap where nothing is known."""
    return [(at - begin) / 1000 for at, _ in points], [float("nan") if value is None else value for _, value in points]


def stacked(axes, lines, begin):
    """Lines on top of each other; what is not known counts nothing."""
    times = sorted({at for _, _, points in lines for at, _ in points})
    known = [dict(points) for _, _, points in lines]
    axes.stackplot([(at - begin) / 1000 for at in times],
                   [[max(0, values.get(at) or 0) for at in times] for values in known],
                   labels=[name for name, _, _ in lines], colors=COLORS, alpha=0.55, linewidth=0)


def listing(axes, panel, answers):
    """A panel with a list."""
    axes.axis("off")
    looks = {each["matcher"]["options"]: {one["id"]: one["value"] for one in each["properties"]}
             for each in panel["fieldConfig"]["overrides"]}
    names = list(looks)
    cells = [[str(row[name]) if isinstance(row[name], str) else written(row[name], looks[name].get("unit"))
              for name in names] for row in answers[0]]
    drawn = axes.table([[looks[name]["displayName"] for name in names]] + cells, loc="upper left", cellLoc="left",
                       edges="horizontal", colWidths=[0.96 / len(names)] * len(names))
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(9)
    drawn.scale(1, 1.5)
    for (row, column), cell in drawn.get_celld().items():
        cell.set_edgecolor("#d8dbde")
        cell.get_text().set_color(DIM if not row else "#1f60c4" if not column else INK)


def draw(board, answers, path):
    """One dashboard as the PNG `path`."""
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    width, height = 24 * COLUMN, bottom * ROW + 0.5
    figure = pyplot.figure(figsize=(width, height), dpi=DPI, facecolor=PAPER)
    figure.text(0.15 / width, 1 - 0.33 / height, board["title"], fontsize=13, color=INK, weight="bold")
    times = sorted({at for panel in board["panels"] if panel["type"] != "table" for answer in answers[str(panel["id"])]
                    for _, _, points in answer for at, _ in points})
    for panel in board["panels"]:
        place, listed = panel["gridPos"], panel["type"] == "table"
        left, wide, high = place["x"] * COLUMN, place["w"] * COLUMN, place["h"] * ROW
        low = height - 0.5 - place["y"] * ROW - high
        card(figure, left, low, wide, high, panel["title"])
        inner = (left + 0.2, low + 0.1, wide - 0.4, high - 0.5) if listed else (
            left + 0.85, low + 0.62, wide - 1.1, high - 1.05)
        axes = figure.add_axes([inner[0] / width, inner[1] / height, inner[2] / width, inner[3] / height])
        axes.set_facecolor(CARD)
        axes.grid(axis="y", color="#e7e9eb", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(colors=DIM, labelsize=8, length=0)
        axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
        found = answers[str(panel["id"])]
        listing(axes, panel, found) if listed else graph(axes, panel, found, times[0], times[-1])
    drawn = io.BytesIO()
    figure.savefig(drawn, facecolor=PAPER)
    pyplot.close(figure)
    Image.open(drawn).convert("RGB").quantize(SHADES).save(path, optimize=True)     # a third of the size


def card(figure, left, bottom, width, height, title):
    """The white sheet of a panel, with its question."""
    across, down = figure.get_size_inches()
    figure.patches.append(pyplot.Rectangle(((left + 0.05) / across, (bottom + 0.05) / down), (width - 0.1) / across,
                                           (height - 0.1) / down, transform=figure.transFigure, facecolor=CARD,
                                           edgecolor="#d8dbde", linewidth=0.8, zorder=-1))
    figure.text((left + 0.2) / across, (bottom + height - 0.27) / down, title, fontsize=9.5, color=INK, weight="bold")


def main(answers, folder):
    """Draw all dashboards that have answers."""
    matplotlib.use("Agg")
    with open(answers, encoding="utf-8") as file:
        found = json.load(file)
    for uid, panels in found.items():
        board = json.loads((HERE / "dashboards" / (uid + ".json")).read_text(encoding="utf-8"))
        draw(board, panels, Path(folder) / (uid + ".png"))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
