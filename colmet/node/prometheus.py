"""What Prometheus may scrape of this node: how colmet-node fares and, by option, the last values.

The sampler leaves each batch here as it is; the page is made by the thread of whoever asks for it.
"""
from colmet.common.exposition import CLUSTER, HOST, Family, families, labels, text
from colmet.common.latest import Latest
from colmet.common.metrics.colmet import TABLE
from colmet.common.prometheus import listen
from colmet.common.schema import COUNTER, GAUGE
from colmet.node.log import log


def metrics(options):
    """The `Metrics` that `options` ask for, listening; None where they ask for none. Raises prometheus.Unbound."""
    server = listen(options, log)
    return server and Metrics(options, server)


class Metrics:
    """`take` each batch of the sampler; once `start`ed with the `colmet.node.health.Health`, answer."""

    def __init__(self, options, server):
        self._names = (HOST, options.hostname), (CLUSTER, options.cluster)
        self._latest = Latest(options.prometheus_series) if options.prometheus_jobs else None
        self._server = server
        self._health = None
        self._batch = None              # the last one

    def start(self, health):
        """Answer from now on."""
        self._health = health
        self._server.start(self.page)

    def take(self, batch):
        """Remember `batch`, which nobody changes any more."""
        self._batch = batch
        if self._latest:
            self._latest.take(batch)

    def page(self):
        """All that is known now, in the text format."""
        rows = list(self._latest.rows()) if self._latest else []
        rows += [(TABLE, labels(self._names + ((TABLE.instance, part),)), values)
                 for _, part, values in self._health.sample(())[TABLE.name]]
        return text(families(rows) + list(self._own()))

    def _own(self):
        names = labels(self._names)
        if self._batch:
            yield Family("colmet_node_jobs", GAUGE, "jobs present at the last tick",
                         {names: len(self._batch.present())})
        if self._latest:
            yield Family("colmet_prometheus_dropped_values_total", COUNTER,
                         "values left out here because there were more than --prometheus-series",
                         {names: self._latest.dropped})
