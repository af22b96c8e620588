"""The BMC of a guest, in this process: it speaks what qemu's ipmi-bmc-extern does (hw/ipmi/ipmi_bmc_extern.c of qemu)
over one TCP connection, answers what the kernel's driver asks at its start, and tells the power by DCMI. Over another
it takes orders from the guest, a line each, and answers each with how many requests for power it got so far:

    watts N     tell N W from now on        hang    answer nothing from now on        asked     only tell how many

A message is: its number, network function << 2, command, data, a byte that makes the sum of all 0, and A0h; A1h ends
a command of the wire itself, which is left alone; AAh comes before a byte A0h, A1h or AAh, which then has bit 4 set.
qemu tells the driver "timeout" (C3h) when an answer takes 4 s.
"""
import socket
import struct
import threading
from socketserver import StreamRequestHandler, ThreadingTCPServer

MESSAGE, COMMAND, ESCAPE, BIT = 0xa0, 0xa1, 0xaa, 0x10
POWER = (0x2c, 0x02, bytes((0xdc, 1, 0, 0)))
DEVICE_ID = (0x06, 0x01), bytes((0, 0x20, 1, 1, 0, 2, 0, 0, 0, 0, 0, 0))        # IPMI 2.0, a device without sensors
KNOWN = dict([DEVICE_ID, ((0x06, 0x2e), b"\0"), ((0x06, 0x2f), b"\0\0"), ((0x06, 0x30), b"\0"),
              ((0x06, 0x31), b"\0\0")])       # those that switch it on, and its flags
UNKNOWN = b"\xc1"


class Bmc:
    """Listens on two ports of loopback, `port` for qemu and `orders` for the guest, from the start until `close`."""

    def __init__(self):
        self.watts, self.hangs, self.asked = 100, False, 0
        self._servers = [_server(self, _Wire), _server(self, _Orders)]
        self.port, self.orders = (server.server_address[1] for server in self._servers)

    @property
    def devices(self):
        """Arguments of qemu; with `reconnect` it connects once its devices are there, without it crashes."""
        return ("-chardev", "socket,id=bmc,host=127.0.0.1,port=%d,reconnect=1" % self.port, "-device",
                "ipmi-bmc-extern,id=ipmi,chardev=bmc", "-device", "isa-ipmi-kcs,bmc=ipmi")

    def answer(self, netfn, command, data):
        """Its answer (bytes, from the completion code on), None for none."""
        power = (netfn, command, data) == POWER
        self.asked += power
        if self.hangs:
            return None
        if power:
            return struct.pack("<BBHHHHIIB", 0, 0xdc, self.watts, 1, 65535, 2, 0, 1000, 0x40)
        return KNOWN.get((netfn, command), UNKNOWN)

    def order(self, line):
        """Obey; returns what is said to it."""
        word, _, number = line.partition(" ")
        if word == "watts":
            self.watts, self.hangs = int(number), False
        elif word == "hang":
            self.hangs = True
        return "%d\n" % self.asked

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Waits for both connections, which end with the guest."""
        for server in self._servers:
            server.shutdown()
            server.server_close()


class _Wire(StreamRequestHandler):
    """qemu's connection."""

    def handle(self):
        message, escaped = bytearray(), False
        for byte in iter(lambda: self.rfile.read(1), b""):
            if byte[0] == ESCAPE:
                escaped = True
            elif byte[0] in (MESSAGE, COMMAND):
                self._take(bytes(message) if byte[0] == MESSAGE else b"")
                message.clear()
            else:
                message.append(byte[0] & ~BIT if escaped else byte[0])
                escaped = False

    def _take(self, message):
        if len(message) < 4 or sum(message) % 256:
            return
        number, place, command = message[:3]
        answer = self.server.bmc.answer(place >> 2, command, message[3:-1])
        if answer is not None:
            told = bytes((number, place + (1 << 2), command)) + answer
            told += bytes((-sum(told) % 256,))
            self.wfile.write(b"".join(bytes((ESCAPE, each | BIT)) if each in (MESSAGE, COMMAND, ESCAPE)
                                      else bytes((each,)) for each in told) + bytes((MESSAGE,)))


class _Orders(StreamRequestHandler):
    """The guest's."""

    def handle(self):
        for line in self.rfile:
            self.wfile.write(self.server.bmc.order(line.decode().strip()).encode())


def _server(bmc, handler):
    class Server(ThreadingTCPServer):
        """With the BMC at hand."""

    server = Server(("127.0.0.1", 0), handler)
    server.bmc = bmc
    server.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server
