"""Whether somebody answers where this node sends, and whether Prometheus can come in."""
import http.client
import select

import zmq

from colmet.common import prometheus
from colmet.node.checks import OFF, ON, PART, Finding, refused
from colmet.node.clock import MS, SECOND, boottime
from colmet.node.log import log
from colmet.node.sending.sockets import Endpoint

AREA = "network"
PATIENCE = 1200 * MS        # for a handshake, from `Collector` on
SLOW = 5 * SECOND           # the same, where somebody listens who may be slow
LEAST = 300 * MS            # of it, once the rest was looked at
_PAGE_BYTES = 65536         # of the page, in which the word is soon found
START = "start colmet-collector there, or give --zeromq-uri"


class Collector:
    """Begins ZeroMQ's handshake with both ports of the collector; no message is sent."""

    def __init__(self, values):
        self._values, self._context = values, zmq.Context(io_threads=1)
        self._began = boottime()
        self._wires, self._faults = {}, {}
        for wire, kind, uri in (("native", zmq.DEALER, values.native_uri), ("0.6", zmq.PUSH, values.zeromq_uri)):
            if values.wire in ("auto", wire):
                self._wires[wire] = Endpoint(self._context, kind, uri, 1)
                try:
                    self._wires[wire].open()
                except zmq.ZMQError as error:
                    self._faults[wire] = "%s: %s" % (uri, error)

    def findings(self):
        """A Finding on the wire that will be spoken, once it is known."""
        patience = self._wait()
        answers = {wire for wire, endpoint in self._wires.items() if endpoint.connected}
        for endpoint in self._wires.values():
            endpoint.close(0)
        self._context.term()
        uris = {"native": self._values.native_uri, "0.6": self._values.zeromq_uri}
        for wire, fault in self._faults.items():
            yield refused(AREA, "collector", fault)
        if "native" in answers:
            yield Finding(AREA, "collector", ON, "%s answers" % uris["native"])
        elif "0.6" in answers and self._values.wire == "0.6":
            yield Finding(AREA, "collector", ON, "%s answers: the 0.6 wire, unacknowledged" % uris["0.6"])
        elif "0.6" in answers:
            yield Finding(AREA, "collector", PART, "%s is mute, %s answers: a 0.6 collector, or a firewall; batches go "
                          "by the 0.6 wire, unacknowledged" % (uris["native"], uris["0.6"]),
                          "open %s, or --wire 0.6" % uris["native"])
        elif not self._faults:
            tried = " and ".join(uris[wire] for wire in self._wires)
            yield Finding(AREA, "collector", OFF, "%s: no answer within %.1f s; batches are kept in memory"
                          % (tried, patience / SECOND), START)

    def _wait(self):
        """Until the native wire answers, or the only one, or time is over; returns how long that was at most (ns)."""
        first, least, left = next(iter(self._wires.values())), boottime() + LEAST, 0
        while not first.connected and left >= 0:
            poll = select.poll()
            for endpoint in self._wires.values():
                for fd in endpoint.polls(0, answers=False):
                    poll.register(fd, select.POLLIN)
            ready = [fd for fd, _ in poll.poll(left / MS)]
            for endpoint in self._wires.values():
                endpoint.lost(ready)
            left = max(self._began + self._patience(), least) - boottime()
        return self._patience()

    def _patience(self):
        return SLOW if any(each.accepted and not each.connected for each in self._wires.values()) else PATIENCE


def scraping(values):
    """A Finding where --prometheus-bind is given."""
    if not values.prometheus_bind:
        return
    try:
        prometheus.listen(values, log).server_close()
    except prometheus.Unbound as error:
        if _serves(values):
            yield Finding(AREA, "prometheus", ON, "%s: a colmet-node serves it already" % prometheus.where(values))
        else:
            yield refused(AREA, "prometheus", error)
    else:
        yield Finding(AREA, "prometheus", ON, prometheus.where(values))


def _serves(values):
    """Whether what listens there is a Colmet, which is then the node that runs."""
    connection = http.client.HTTPConnection(*prometheus.address(values.prometheus_bind), timeout=SLOW / SECOND)
    try:
        connection.request("GET", prometheus.PATH)
        return b"colmet_" in connection.getresponse().read(_PAGE_BYTES)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
