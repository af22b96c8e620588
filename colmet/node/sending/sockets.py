"""A ZeroMQ socket that is closed and opened again, and what its monitor says of the connection."""
import struct

import zmq

_EVENT = struct.Struct("=HI")           # of a monitor's first frame, zmq_socket_monitor(3)
MAX_MESSAGE = 8 * 2 ** 20               # bytes of an answer; longer ones cut the connection
RECONNECT = (200, 5000)                 # ms between tries of ZeroMQ itself: first, and most
# Plain numbers: to join flags of zmq costs more than the call that takes them.
IN, OUT, _EVENTS = int(zmq.POLLIN), int(zmq.POLLOUT), int(zmq.EVENTS)
_NOBLOCK, _MORE = int(zmq.NOBLOCK), int(zmq.NOBLOCK | zmq.SNDMORE)
MONITORED = zmq.EVENT_CONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED


class Endpoint:
    """One socket of `kind` towards `uri`: IMMEDIATE, never blocking, at most `hwm` messages on their way."""

    def __init__(self, context, kind, uri, hwm):
        self._context, self._kind, self._uri, self._hwm = context, kind, uri, hwm
        self._socket = self._monitor = None
        self._reads = IN if kind != zmq.PUSH else 0
        self._fds = []                  # of the monitor and of the socket
        self._opened = 0                # times, so that each monitor has an address of its own
        self.connected = False          # the ZeroMQ handshake is done, and no loss was seen since
        self.accepted = False           # somebody listens, who may have said nothing yet; the same

    def open(self):
        """A new socket in place of the old one, which drops what it held. Raises zmq.ZMQError."""
        self.close(0)
        self._socket = self._context.socket(self._kind)
        self._socket.linger = 0
        self._socket.immediate = 1
        self._socket.sndhwm = self._hwm
        self._socket.reconnect_ivl, self._socket.reconnect_ivl_max = RECONNECT
        self._socket.maxmsgsize = MAX_MESSAGE
        if "[" in self._uri:
            self._socket.ipv6 = 1
        self._opened += 1
        address = "inproc://monitor-%x-%d" % (id(self), self._opened)
        self._socket.monitor(address, MONITORED)
        self._monitor = self._context.socket(zmq.PAIR)
        self._monitor.linger = 0
        self._monitor.connect(address)
        self._monitor.getsockopt(_EVENTS)       # its descriptor tells only of what comes after it was asked
        self._fds = [self._monitor.getsockopt(zmq.FD), self._socket.getsockopt(zmq.FD)]
        self._socket.connect(self._uri)

    def close(self, linger):
        """Close it; ZeroMQ goes on sending what it took for `linger` ms (-1: for ever)."""
        if self._socket is not None:
            self._socket.disable_monitor()
            self._monitor.close()
            self._socket.close(linger)
        self._socket = self._monitor = None
        self._fds = []
        self.connected = self.accepted = False

    def polls(self, out, answers=True):
        """Descriptors to wait for; `out` is OUT when there is something to send, without `answers` none is waited for.
        Those of ZeroMQ tell of a change only once: first ask `pending`."""
        if self._socket is None:
            return []
        return self._fds if out or answers and self._reads else self._fds[:1]

    def pending(self, out):
        """Whether there is something to read, or with `out` room for what is to be sent."""
        return self._socket is not None and bool(self._socket.getsockopt(_EVENTS) & (self._reads | out))

    def lost(self, ready):
        """Read what the monitor has to say, if its descriptor is among `ready`: True when a connection was lost since
        the last call."""
        lost = False
        while self._fds and self._fds[0] in ready:
            try:
                event, _ = _EVENT.unpack(self._monitor.recv_multipart(_NOBLOCK)[0])
            except zmq.Again:
                break
            self.connected = event == zmq.EVENT_HANDSHAKE_SUCCEEDED
            self.accepted = event != zmq.EVENT_DISCONNECTED
            lost = lost or event == zmq.EVENT_DISCONNECTED
        return lost

    def receive(self):
        """The frames of one message, None where there is none. One is enough: `pending` tells of others."""
        if not self.pending(0):
            return None
        try:
            return self._socket.recv_multipart(_NOBLOCK)
        except zmq.Again:
            return None

    def send(self, frames):
        """Hand over one message; False when there is no connection or it has no room."""
        try:
            for frame in frames[:-1]:
                self._socket.send(frame, _MORE)
            self._socket.send(frames[-1], _NOBLOCK)
            return True
        except zmq.Again:
            return False
