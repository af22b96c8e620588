"""The collector's two ZeroMQ sockets, and why one cannot be had, said so that it can be mended."""
import errno
import os
import re
import socket

import zmq

from colmet.common import wire

_NO_WAIT = int(zmq.NOBLOCK)
_LISTENS = "0A"         # state of a listening socket in /proc/net/tcp (proc(5))
_BACKLOG = 4096         # connections that may wait: a whole cluster comes back at once
_HEARTBEAT = 30000      # ms between signs of life to a peer; one mute for twice as long is let go


class Unbound(Exception):
    """Nothing can be received at a URI; the text is one line: why, and what to do."""


def bind(context, kind, uri, option, hwm):
    """A socket of `kind` (zmq.PULL, zmq.ROUTER) bound to `uri`, that `option` gave. Raises Unbound."""
    channel = context.socket(kind)
    channel.maxmsgsize = wire.MAX_FRAME
    channel.rcvhwm = hwm
    channel.backlog = _BACKLOG
    channel.heartbeat_ivl, channel.heartbeat_timeout = _HEARTBEAT, 2 * _HEARTBEAT
    channel.ipv6 = "[" in uri
    try:
        if _answers(uri):
            raise Unbound("%s is in use by another process; stop it or give %s" % (uri, option))
        channel.bind(uri)
    except zmq.ZMQError as error:
        channel.close(0)
        raise Unbound(_why(uri, option, error)) from None
    except Unbound:
        channel.close(0)
        raise
    return channel


def receive(channel):
    """The frames of the next message that waits, None where none does. Frames beyond what a message of ours
    has are dropped unread."""
    try:
        frame = channel.recv(_NO_WAIT, False)
    except zmq.Again:
        return None
    data = frame.bytes
    frames, size = [data], len(data)
    while frame.more:           # cheaper than to ask the socket
        frame = channel.recv(0, False)
        size += len(frame)
        if size <= wire.MAX_FRAME and len(frames) <= wire.MAX_FRAMES:
            frames.append(frame.bytes)
    return frames


def _why(uri, option, error):
    if error.errno in (errno.EINVAL, errno.EPROTONOSUPPORT):
        return "%s %s: not a URI that can be bound; give tcp://ADDRESS:PORT or ipc://PATH" % (option, uri)
    if error.errno == errno.EADDRINUSE and uri.startswith("tcp"):
        port = int(uri.rpartition(":")[2])
        holder = _holder(port)
        by = " by process %d (%s)" % holder if holder else ""
        return "port %d is in use%s; stop it or give %s" % (port, by, option)
    reasons = {errno.ENODEV: "no such address or interface here", errno.EADDRNOTAVAIL: "not an address of this machine",
               errno.EACCES: "permission denied", errno.ENOENT: "no such directory"}
    return "%s %s: %s; give another" % (option, uri, reasons.get(error.errno, os.strerror(error.errno)))


def _answers(uri):
    """Whether a process listens at an ipc:// URI; ZeroMQ would take its place without a word."""
    if not uri.startswith("ipc://"):
        return False
    path = uri[len("ipc://"):]
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect("\0" + path[1:] if path.startswith("@") else path)
        except OSError:
            return False
    return True


def _holder(port):
    """(pid, name) of a process that listens on TCP `port`, None where /proc does not tell."""
    wanted = {"socket:[%s]" % inode for table in ("tcp", "tcp6") for inode in _inodes("/proc/net/" + table, port)}
    for pid in filter(str.isdigit, os.listdir("/proc") if wanted else []):
        try:
            held = {os.readlink(entry.path) for entry in os.scandir("/proc/%s/fd" % pid)}
            if held & wanted:
                with open("/proc/%s/comm" % pid) as file:
                    return int(pid), re.sub(r"[^\w.:-]", "", file.read())
        except OSError:         # another user's, or gone
            continue
    return None


def _inodes(path, port):
    try:
        with open(path) as file:
            rows = [line.split() for line in file.readlines()[1:]]
    except OSError:
        return
    for row in rows:
        if row[3] == _LISTENS and int(row[1].rpartition(":")[2], 16) == port:
            yield row[9]
