"""What a node says on stderr when it starts: ten lines at most."""
import os
import platform
import sys

from colmet import __version__
from colmet.common import prometheus
from colmet.node import sources
from colmet.node.clock import SECOND
from colmet.node.outbox import MEMORY
from colmet.node.settings import asked

MOST_ROOTS = 4          # lines for them


def going_on_without(values):
    """Lines for the options whose source is not in this release."""
    made = sources.made_here()
    for flag, table in asked(values):
        if table is None:
            yield "%s: its source is not in this release; going on without" % flag
        elif table.name not in made:
            yield "%s: %s is not in this release; going on without" % (flag, table.option)


def lines(values, jobs, opened, sender):
    """The start message; `jobs`, `opened` (`Sources`) and `sender` are those that run."""
    yield "colmet-node %s on %s, kernel %s, %d CPUs" % (__version__, values.hostname, platform.release(),
                                                        os.cpu_count())
    yield from _labelled("jobs", _shortened(jobs.tried()))
    yield from _labelled("sources", _periods(opened.on))
    off = dict(opened.off)
    for source in opened.on:
        off.update(getattr(source.backend, "refused", {}))
    if off:
        yield from _labelled("off", [";  ".join("%s: %s" % each for each in off.items())])
    uri, state = sender.where()
    kept = "at most %d batches" % values.zeromq_hwm if values.zeromq_hwm else "batches"
    yield from _labelled("sends to", ["%s (%s), keeps %s in %d MiB of memory" % (uri, state, kept, MEMORY >> 20)])
    if values.prometheus_bind:
        yield from _labelled("metrics", [prometheus.where(values)])


def tell(text):
    """Print the lines on stderr; where nobody reads it any more, the node goes on."""
    try:
        sys.stderr.write("".join(line + "\n" for line in text))
        sys.stderr.flush()
    except OSError:
        pass


def _labelled(label, texts):
    return ["%-9s %s" % (label if place == 0 else "", text) for place, text in enumerate(texts)]


def _shortened(roots):
    if len(roots) <= MOST_ROOTS:
        return roots
    return roots[:MOST_ROOTS - 1] + ["and %d more" % (len(roots) - MOST_ROOTS + 1)]


def _periods(on):
    by_period = {}
    for source in on:
        reader = getattr(source.backend, "reader", "")
        by_period.setdefault(source.period, []).append("%s (%s)" % (source.name, reader) if reader else source.name)
    texts = ["%s every %g s" % (", ".join(names), period / SECOND) for period, names in sorted(by_period.items())]
    return [";  ".join(texts)] if texts else ["none"]
