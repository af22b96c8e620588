"""What a node says on stderr when it starts: a dozen lines at most, save that each source that was asked for and is not
there is told of."""
import os
import platform
import sys

from colmet import __version__
from colmet.common import prometheus
from colmet.node import sources
from colmet.node.backends import NAMES, load
from colmet.node.clock import SECOND
from colmet.node.sending.outbox import MEMORY
from colmet.node.settings import asked

OLD_LIBRARIES = ("LIB_RAPL_PATH", "LIB_PERFHW_PATH")        # variables in which 0.6 found its helpers
MOST = 4                # lines for places of jobs, and for what is off by itself


def going_on_without():
    """Lines for what 0.6 followed and this release does not."""
    for variable in OLD_LIBRARIES:
        if os.environ.get(variable):
            yield "%s: not needed any more: the built-in helper is used" % variable


def lines(values, jobs, opened, sender, emptied):
    """The start message; `jobs`, `opened` (`Sources`), `sender` and `emptied` are those that run."""
    yield "colmet-node %s on %s, kernel %s, %d CPUs" % (__version__, values.hostname, platform.release(),
                                                        os.cpu_count())
    yield from _labelled("jobs", _shortened(jobs.tried()))
    yield from _labelled("sources", _periods(opened.on))
    yield from _labelled("off", _off(values, opened, emptied))
    uri, state = sender.where()
    kept = "at most %d batches" % values.zeromq_hwm if values.zeromq_hwm else "batches"
    yield from _labelled("sends to", ["%s (%s), keeps %s in %d MiB of memory" % (uri, state, kept, MEMORY >> 20)])
    if values.prometheus_bind:
        yield from _labelled("metrics", [prometheus.where(values)])


def _off(values, opened, emptied):
    """Lines, each reason once: of all sources that were asked for, then some of the others."""
    asked_for = _asked_for(values)
    whats = {name: why for name, why in opened.off.items() if name in asked_for}
    wanted = len(set(whats.values()))
    whats.update((name, why) for name, why in opened.off.items() if name not in asked_for)
    for source in sorted(opened.on, key=lambda source: source.name not in asked_for):
        whats.update(("%s of %s" % (part, source.name), why) for part, why
                     in getattr(source.backend, "lacks", {}).items())
        for way, why in getattr(source.backend, "refused", {}).items():
            whats["%s by %s" % (source.name, way)] = why
        for table in values.tables.intersection(getattr(source.backend, "unfilled", ())):
            whats[table] = "%s does not tell of it" % source.backend.reader
    whats.update(("job ends by " + way, why) for way, why in emptied.refused.items())
    reasons = {}
    for what, why in whats.items():
        reasons.setdefault(why, []).append(what)
    texts = ["%s: %s" % (", ".join(names), why) for why, names in reasons.items()]
    return texts[:wanted] + _shortened(texts[wanted:])


def _asked_for(values):
    """Names of the sources that were switched on by their option."""
    options = {table.option for table in asked(values)}
    return {name for name in NAMES if options.intersection(table.option for table in load(name).TABLES)}


def tell(text):
    """Print the lines on stderr; where nobody reads it any more, the node goes on."""
    try:
        sys.stderr.write("".join(line + "\n" for line in text))
        sys.stderr.flush()
    except OSError:
        pass


def _labelled(label, texts):
    return ["%-9s %s" % (label if place == 0 else "", text) for place, text in enumerate(texts)]


def _shortened(texts):
    if len(texts) <= MOST:
        return texts
    return texts[:MOST - 1] + ["and %d more; colmet-node check tells all" % (len(texts) - MOST + 1)]


def _periods(on):
    by_period = {}
    for source in on:
        reader = getattr(source.backend, "reader", "")
        by_period.setdefault(source.period, []).append("%s (%s)" % (source.name, reader) if reader else source.name)
    texts = ["%s every %g s" % (", ".join(names), period / SECOND) for period, names in sorted(by_period.items())]
    return [";  ".join(texts)] if texts else ["none"]
