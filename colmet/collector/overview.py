"""``colmet-collector status``: how the collector of a journal fares, from what it left beside the journal.

Exit codes: 0 all is well; 1 a writer is stuck, or no collector runs there; 2 the command line is wrong.
"""
import json
import sys
import time

from colmet import __version__
from colmet.collector import place, status
from colmet.collector.settings import OPTIONS as DAEMON
from colmet.collector.settings import PROGRAM, RETIRED, STATUS
from colmet.common.journal import in_use
from colmet.common.options import Option, Usage, parse
from colmet.common.quantities import NS_PER_S, count, duration, size

DESCRIPTION = ("Tells how the collector fares that runs with the same options, of which --config, --journal-dir and "
               "--hdf5-filepath say where its journal is.")
OPTIONS = (
    Option(("--json",), "all figures, as JSON", False, bool),
)
SILENT = 60.0               # s after which a collector that writes nothing does not answer
STUCK = 600.0               # s after which a writer that is behind and gives no sign of life is stuck


def main(argv):
    """Print it; returns the exit code."""
    try:
        options = parse(PROGRAM, DESCRIPTION, OPTIONS + DAEMON, argv, RETIRED, commands=(STATUS,))
        directory = place.directory(options)
        running, figures = in_use(directory), status.load(directory / status.FILE)
    except Usage as error:
        return _refuse("%s" % error, 2)
    except OSError as error:
        return _refuse("%s: %s; run it as the user of the collector" % (error.filename, error.strerror), 1)
    if not figures:
        where = "a collector runs, but has left no status yet" if running else "no collector runs there"
        return _refuse("%s: %s; give the collector's own options, or --journal-dir" % (directory, where), 1)
    if figures.get("version") != __version__:
        return _refuse("%s: left by release %s, this one is %s" % (directory, _plain(figures.get("version")),
                                                                  __version__), 1)
    now = time.time()
    faults = list(troubles(figures, running, now))
    if options.json:
        print(json.dumps(dict(figures, running=running, faults=faults), indent=2, sort_keys=True))
    else:
        print("\n".join(list(lines(figures, running, now)) + ["! " + fault for fault in faults]))
    return 1 if faults else 0


def troubles(figures, running, now):
    """A line for each thing that is wrong; `figures` as `colmet.collector.status` left them, `now` in Unix time."""
    age = now - figures["time"]
    if not running:
        yield "no collector runs there; these are the last figures, %s old" % _time(age)
    elif age > SILENT:
        yield "the collector runs, but left nothing for %s" % _time(age)
    if figures["journal_full"]:
        yield "the journal cannot take more, nothing is acknowledged; make room on its disk"
    for name, each in sorted(figures["writers"].items()):
        if each["error"]:
            yield "%s: %s" % (name, _plain(each["error"]))
        elif running and not each["running"]:
            yield "%s: the writer does not run; the collector starts it again" % name
        elif running and each["lag_bytes"] and min(now - each["heard"], each["behind_seconds"]) > STUCK:
            yield "%s: no sign of life for %s" % (name, _time(now - each["heard"]))


def lines(figures, running, now):
    """What is printed, line by line."""
    began = "process %d, for %s" % (figures["pid"], _time(now - figures["started"])) if running else "not running"
    yield "%s %s on %s, %s" % (PROGRAM, figures["version"], _plain(figures["host"]), began)
    yield "journal   %s, %s of %s" % (figures["journal"], size(figures["journal_bytes"]),
                                      size(figures["journal_limit_bytes"]))
    yield "received  %s records; batches: %s twice, %s lost by nodes" % (
        count(figures["received_records"]), count(figures["duplicate_batches"]), count(figures["lost_batches"]))
    yield "nodes     %s in the last 5 min" % count(figures["peers"])
    for kind, number in sorted(figures["refused"].items()):
        yield "          %s times %s" % (count(number), _plain(kind))
    form = "%-13s %12s %10s %12s %11s %8s  %s"
    yield form % ("writer", "position", "lag", "behind", "stored", "rejected", "state")
    for name, each in sorted(figures["writers"].items()):
        state = "failing" if each["failing"] else "running" if each["running"] and running else "ended"
        yield form % (name, each["position_bytes"], size(each["lag_bytes"]), _time(each["behind_seconds"]),
                      each["stored_records"], each["rejected_records"], state)
        if each["lost_messages"]:
            yield "%-13s lost %s messages, as the journal was above --journal-size" % ("", count(each["lost_messages"]))
        if each["last_error"] and not each["error"]:
            ago = _time(now - each["last_error_time"])
            yield "%-13s last error, %s ago: %s" % ("", ago, _plain(each["last_error"]))


def _refuse(text, code):
    print("%s: %s" % (PROGRAM, text), file=sys.stderr)
    return code


def _time(seconds):
    return duration(max(0, round(seconds * NS_PER_S)))


def _plain(text):
    return "".join(letter if letter.isprintable() else "?" for letter in str(text))
