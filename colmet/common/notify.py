"""Telling whoever started the process how it fares, by the protocol of sd_notify(3)."""
import os
import socket


def notify(state, environ=os.environ):
    """Send `state` ("READY=1", "STOPPING=1", "STATUS=...") to $NOTIFY_SOCKET; nothing where there is none."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):             # a name in Linux's abstract space
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        try:
            channel.sendto(state.encode(), address)
        except OSError:
            pass        # nobody listens any more: not this program's trouble
