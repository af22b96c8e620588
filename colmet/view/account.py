"""The account of one job on one node: read back from the HDF5 file that the collector wrote, and printed."""
import textwrap
from typing import NamedTuple

import h5py

from colmet.common import names
from colmet.common.metrics import TABLES, jobproc, taskstats
from colmet.common.metrics.job import CPU_SOURCES, TABLE
from colmet.common.schema import MISSING
from colmet.view import text

COUNTED = (taskstats.TABLE.name, jobproc.TABLE.name)    # the tables whose rows tell whether all samples arrived
QUANTITIES = (("CPU", "cpu", "cpu_source"), ("memory", "peak_memory", "peak_memory_source"),
              ("I/O", "read_bytes", "io_source"))
SLACK = 2                                               # s: time stamps of 0.6's tables are whole seconds


class Unreadable(Exception):
    """The file does not hold the account; the text says why."""


class Account(NamedTuple):
    """`values`: the job's row of table `job` by column, None where missing; `stored` and `made`: rows of the job
    in the file, and rows that the node made for it."""
    values: dict
    stored: int
    made: int


class Circumstances(NamedTuple):
    """What whoever watched the job knows besides: its command line, the end in words ("exit 0"), the file as the
    user knows it, the cores that it may use, the memory in bytes below which wait4(2) knows no peak, and texts on
    what is missing and why."""
    title: str
    end: str
    output: str
    cores: int = 0
    floor: int = 0
    notes: tuple = ()


def read(path, job, since):
    """The `Account` of the job of id `job` (text) that began at `since` (ns) or later. Raises Unreadable."""
    try:
        with h5py.File(path, "r") as file:
            group = file.get(names.job_group({"job": job}))
            if group is None or TABLE.name not in group:
                raise Unreadable("the file has no account of the job")
            values = _last_row(group[TABLE.name], since)
            if values is None:
                raise Unreadable("the file has no account of this run of the job")
            return Account(values, *_rows(group, values, since))
    except OSError as error:
        raise Unreadable("%s: %s" % (path, textwrap.shorten(str(error), 120))) from None


def by_wait4(wall, used):
    """The `Account` of a job that the file has none of: `wall` in ns, and what wait4(2) knows."""
    place = CPU_SOURCES.index("wait4")
    return Account(dict(used, wall=wall, cpu_source=place, peak_memory_source=place, io_source=place), 0, 0)


def _last_row(table, since):
    rows = table[...]
    rows = rows[rows["time"] >= since]
    if not len(rows):
        return None
    row = rows[-1]
    return {name: _known(row[name].item()) for name in row.dtype.names}


def _known(value):
    return None if value == MISSING or value != value else value


def _rows(group, values, since):
    """(stored, made) of the table with most rows."""
    made = {name: values.get("rows_" + name) or 0 for name in COUNTED}
    name = max(COUNTED, key=made.get)
    if name not in group:
        return 0, made[name]
    stamps = group[name]["timestamp"] if TABLES[name].legacy else group[name]["time"] // text.NS_PER_S
    return int((stamps >= since // text.NS_PER_S - SLACK).sum()), made[name]


def lines(account, about, stream):
    """The account as lines of at most 80 columns for `stream`; `about` are the `Circumstances`."""
    values = _believed(account.values, about.floor)
    end = values.get("end") or 0
    wall = values["wall"] if values.get("wall") is not None else end - (values.get("start") or end)
    found = [text.rule("colmet", about.title, stream), text.row("wall", text.duration(wall), about.end)]
    found += _cpu(values, wall, about) + _memory(values, about) + _io(values)
    found += [_complete(account)] if account.made else []
    notes = list(_sources(values)) + list(about.notes)
    found += [text.note(line, "" if place else "note") for place, line in enumerate(notes)]
    return found + ([text.row("saved in", text.printable(about.output))] if about.output else [])


def _believed(values, floor):
    """`values` without a peak that was seen when the job's process was not the command yet, but waited for it."""
    early = _source(values, "peak_memory_source") == "last sample" and (values.get("peak_memory") or 0) <= floor
    return dict(values, peak_memory=None) if early else values


def _cpu(values, wall, about):
    if values.get("cpu") is None:
        return []
    cells = [text.duration(values["cpu"])]
    if about.cores and wall:
        share = 100 * values["cpu"] / wall / about.cores
        cells.append("%.0f %% of %d core%s" % (share, about.cores, "" if about.cores == 1 else "s"))
    return [text.row("CPU", *cells)]


def _memory(values, about):
    peak = values.get("peak_memory")
    if peak is None:
        return [text.row("memory", "under %s" % text.size(about.floor))] if about.floor else []
    return [text.row("memory", text.size(peak) + " peak")]


def _io(values):
    cells = [word + " " + text.size(values[name]) for word, name in (("read", "read_bytes"), ("written", "write_bytes"))
             if values.get(name) is not None]
    return [text.row("I/O", *cells)] if cells else []


def _complete(account):
    if account.stored >= account.made:
        return text.row("complete", "%s of %s samples" % (text.count(account.made), text.count(account.made)))
    return text.row("incomplete", "%s of %s samples" % (text.count(account.stored), text.count(account.made)))


def _sources(values):
    """Which quantities do not come from a cgroup, and what that means."""
    by_source = {}
    for word, name, source in QUANTITIES:
        if values.get(name) is not None:
            by_source.setdefault(_source(values, source), []).append(word)
    if "wait4" in by_source:
        words = by_source["wait4"]
        why = " (memory: of its largest process)" if "memory" in words else ""
        yield "%s from wait4%s" % (_list(words), ": its cgroup does not count it" if words == ["I/O"] else why)
    if "last sample" in by_source:
        yield "%s as at the last sample" % _list(by_source["last sample"])


def _source(values, column):
    place = values.get(column) or 0
    return CPU_SOURCES[place] if 0 <= place < len(CPU_SOURCES) else ""


def _list(words):
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]
