"""What Prometheus may scrape of the collector: how it fares and, by option, the last values that came."""
from colmet.collector.log import log
from colmet.collector.status import FIGURES, REFUSED, WRITER_FIGURES
from colmet.common.exposition import Family, families, labels, text
from colmet.common.latest import Latest
from colmet.common.prometheus import listen
from colmet.common.schema import COUNTER


def metrics(options):
    """The `Metrics` that `options` ask for, listening; None where they ask for none. Raises prometheus.Unbound."""
    server = listen(options, log)
    return server and Metrics(options, server)


class Metrics:
    """Once `start`ed with a `colmet.collector.status.Status`, answers. `latest` takes the batches that come, None
    where they are not wanted."""

    def __init__(self, options, server):
        self.latest = Latest(options.prometheus_series) if options.prometheus_jobs else None
        self._server = server
        self._status = None

    def start(self, status):
        """Answer from now on."""
        self._status = status
        self._server.start(self.page)

    def page(self):
        """All that is known now, in the text format."""
        figures = self._status.figures
        own = [_family(figure, [("", figures[figure.name])]) for figure in FIGURES]
        own.append(_family(REFUSED, [(labels([("kind", kind)]), count) for kind, count in figures["refused"].items()]))
        for figure in WRITER_FIGURES:
            own.append(_family(figure, [(labels([("writer", name)]), found[figure.name])
                                        for name, found in figures["writers"].items()], "writer_"))
        return text((families(self._latest_rows()) + own + list(self._left_out())))

    def _latest_rows(self):
        return self.latest.rows() if self.latest else ()

    def _left_out(self):
        if self.latest:
            yield Family("colmet_prometheus_dropped_values_total", COUNTER,
                         "values left out here because there were more than --prometheus-series",
                         {"": self.latest.dropped})
            yield Family("colmet_prometheus_foreign_values_total", COUNTER,
                         "values left out here because this release does not know their table",
                         {"": self.latest.foreign})


def _family(figure, samples, part=""):
    name = "colmet_collector_%s%s%s" % (part, figure.name, "_total" if figure.kind == COUNTER else "")
    return Family(name, figure.kind, figure.doc, dict(samples))
