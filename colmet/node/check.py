"""``colmet-node check``: what this machine lets colmet-node measure, what not, why, and what to do.

Exit codes: 0 all that the options ask for works; 1 something of it does not; 2 the command line is wrong.
"""
import json
import logging
import platform
import sys
import textwrap

from colmet import __version__
from colmet.common.log import show
from colmet.common.options import Option, Usage
from colmet.node import sources
from colmet.node.checks import OFF, ON, PART
from colmet.node.checks.cgroups import cgroups
from colmet.node.checks.clock import clock
from colmet.node.checks.jobs import jobs
from colmet.node.checks.network import Collector, scraping
from colmet.node.checks.rights import rights
from colmet.node.checks.sources import sources as readable
from colmet.node.log import log
from colmet.node.settings import PROGRAM, settings

DESCRIPTION = ("Tells what this machine lets colmet-node measure with the same options: what is on, what is off, why, "
               "what to do, and which tables or metrics (table.metric) it costs. Exits with 1 where something does "
               "not work that the options ask for.")
OPTIONS = (
    Option(("--json",), "all that was found, as JSON", False, bool),
)
AREAS = (jobs, readable, cgroups, rights, clock, scraping)
COLUMNS = 80


def main(argv):
    """Print it; returns the exit code."""
    try:
        values = settings(argv, sources.names(), DESCRIPTION, OPTIONS)
    except Usage as error:
        print("%s: %s" % (PROGRAM, error), file=sys.stderr)
        return 2
    found = findings(values)
    if values.json:
        print(json.dumps(report(values, found), indent=2, sort_keys=True))
    else:
        print("\n".join(_plain(line) for line in lines(values, found)))
    return 1 if any(finding.fails for finding in found) else 0


def findings(values):
    """All of them, in the order in which they are told."""
    level = log.level
    if values.verbose:
        show(log, values.verbose)
    else:
        log.setLevel(logging.CRITICAL + 1)      # what the node would say of it is among the findings
    try:
        collector = Collector(values)           # it answers while we look at the rest
        return [finding for area in AREAS for finding in area(values)] + list(collector.findings())
    finally:
        log.setLevel(level)


def report(values, found):
    """What ``--json`` prints: its keys stay."""
    return {"program": PROGRAM, "version": __version__, "host": values.hostname, "kernel": platform.release(),
            "works": not any(finding.fails for finding in found),
            "checks": [finding.fields() for finding in found]}


def lines(values, found):
    """What is printed, line by line; no line is longer than COLUMNS, save for words that are."""
    yield "%s %s on %s, kernel %s" % (PROGRAM, __version__, values.hostname, platform.release())
    wide = max(len(finding.name) for finding in found)
    form = "%%-%ds %%-5s  %%s" % wide
    yield form % ("what", "state", "why; what to do")
    for finding in found:
        text = "; ".join(filter(None, (finding.why, finding.do)))
        if finding.costs and finding.state != ON:
            text += " (without: %s)" % ", ".join(finding.costs)
        first, *rest = textwrap.wrap(text, max(20, COLUMNS - wide - 8), break_long_words=False, break_on_hyphens=False)
        yield form % (finding.name, finding.state, first)
        yield from (" " * (wide + 8) + line for line in rest)
    yield _sum(found)


def _sum(found):
    counts = ["%d %s" % (sum(finding.state == state for finding in found), word)
              for state, word in ((ON, "on"), (PART, "in part"), (OFF, "off"))]
    failing = [finding.name for finding in found if finding.fails]
    return ", ".join(counts) + ("; asked for, but off: " + ", ".join(failing) if failing
                                else "; all that was asked for works")


def _plain(text):
    return "".join(letter if letter.isprintable() else "?" for letter in text)
