"""Peers of a small HTTP server, for tests: one that asks properly, and some that do not."""
import socket
import urllib.error
import urllib.request

LIMIT = 60      # s


def get(port, path="/metrics", host="127.0.0.1"):
    """(status, body, headers) of a proper request."""
    try:
        with urllib.request.urlopen("http://%s:%d%s" % (host, port, path), timeout=LIMIT) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), error.headers


def say(port, data, host="127.0.0.1"):
    """All that is answered to the bytes `data`, until the other side closes."""
    with socket.create_connection((host, port), LIMIT) as peer:
        try:
            peer.sendall(data)
            peer.shutdown(socket.SHUT_WR)
        except OSError:
            pass            # refused in the middle
        return hear(peer)


def hear(peer):
    """What comes until the other side closes, with a reset or without."""
    answer = b""
    try:
        while True:
            data = peer.recv(65536)
            if not data:
                return answer
            answer += data
    except ConnectionResetError:
        return answer


def mute(port, begin=b"GET /met"):
    """A connection that began a request and does not go on."""
    peer = socket.create_connection(("127.0.0.1", port), LIMIT)
    try:
        peer.sendall(begin)
    except OSError:
        pass                # turned away already
    return peer
