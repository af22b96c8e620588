"""A ZeroMQ socket that is closed and opened again, and what its monitor says of the connection."""
import struct

import zmq

_EVENT = struct.Struct("=HI")           # of a monitor's first frame, zmq_socket_monitor(3)
MAX_MESSAGE = 8 * 2 ** 20               # bytes of an answer; longer ones cut the connection
RECONNECT = (200, 5000)                 # ms between tries of ZeroMQ itself: first, and most
# Plain numbers: to join flags of zmq costs more than the call that takes them.
IN, OUT = int(zmq.POLLIN), int(zmq.POLLOUT)
_NOBLOCK, _MORE = int(zmq.NOBLOCK), int(zmq.NOBLOCK | zmq.SNDMORE)
MONITORED = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED


class Endpoint:
    """One socket of `kind` towards `uri`: IMMEDIATE, never blocking, at most `hwm` messages on their way."""

    def __init__(self, context, kind, uri, hwm):
        self._context, self._kind, self._uri, self._hwm = context, kind, uri, hwm
        self._socket = self._monitor = None
        self._opened = 0                # times, so that each monitor has an address of its own
        self.connected = False          # the ZeroMQ handshake is done, and no loss was seen since

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
        self._socket.connect(self._uri)

    def close(self, linger):
        """Close it; ZeroMQ goes on sending what it took for `linger` ms (-1: for ever)."""
        if self._socket is not None:
            self._socket.disable_monitor()
            self._monitor.close()
            self._socket.close(linger)
        self._socket = self._monitor = None
        self.connected = False

    def polls(self, out):
        """(socket, flags) to poll; `out` is OUT when there is something to send."""
        if self._socket is None:
            return []
        reads = IN if self._kind != zmq.PUSH else 0
        mine = [(self._socket, reads | out)] if reads | out else []
        return mine + [(self._monitor, IN)]

    def lost(self, ready):
        """Read what the monitor has to say, if it is among `ready`, the sockets that can be read: True when a
        connection was lost since the last call."""
        lost = False
        while self._monitor in ready:
            try:
                event, _ = _EVENT.unpack(self._monitor.recv_multipart(_NOBLOCK)[0])
            except zmq.Again:
                break
            self.connected = event == zmq.EVENT_HANDSHAKE_SUCCEEDED
            lost = lost or event == zmq.EVENT_DISCONNECTED
        return lost

    def receive(self, ready):
        """The frames of one message, None where there is none. One is enough: the next poll finds the others."""
        if self._socket not in ready:
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
