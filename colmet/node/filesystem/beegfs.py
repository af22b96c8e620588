"""BeeGFS: its client counts nothing; its servers count for each client, and tell by `beegfs-ctl --clientstats`:

    ====== 0 s ======
    Sum:        1200 [sum]  20 [ops-rd]  80 [MiB-rd/s]  10 [ops-wr]  30 [MiB-wr/s] ...
    10.1.0.12    600 [sum]  10 [ops-rd]  40 [MiB-rd/s]   5 [ops-wr]  15 [MiB-wr/s] ...

a line for each client. What it prints first is of all since the servers were started. Every server is asked for all its
clients: a node does so once a minute, and only where --beegfs-ctl tells it to.
"""
import re

from colmet.common.quantities import MIB
from colmet.node.clock import SECOND, boottime
from colmet.node.filesystem.command import Failed
from colmet.node.filesystem.reading import Reading

KIND = "beegfs"
PACE = 60 * SECOND
NOT_ASKED = "its client counts nothing; --beegfs-ctl beegfs-ctl asks its servers once a minute, which is work for them"
STORAGE, META = "storage", "meta"       # kinds of servers
_CELL = re.compile(r"(\d{1,18})(?:\.\d+)? \[([^\]\s]+)\]")
_LOCAL = re.compile(r"\|-- (\d+\.\d+\.\d+\.\d+)\s+/32 host LOCAL")
_UPKEEP = ("sum", "ack", "hrtbeat", "remNode", "mdsInf", "storInf", "gendbg")    # columns that are no work on names


class Monitor:
    """The servers of what is mounted below `root`, asked by the program `path` through `command`
    (`colmet.node.filesystem.command.Command`)."""
    kind = KIND

    def __init__(self, root, command, path):
        self._root, self._command, self._path = root, command, path
        self._due, self._latest = {}, {}        # by mount point

    def lacks(self):
        """Nothing that could be said before it is asked."""
        return ""

    def ask(self, mounts):
        """[Reading], of at most `PACE` ago. Raises `command.Failed`."""
        found = {}
        for mount in mounts:
            if mount.kind == KIND and mount.device not in found:
                found[mount.device] = self._of(mount)
        return list(found.values())

    def _of(self, mount):
        if boottime() >= self._due.get(mount.point, 0):
            self._latest.pop(mount.point, None)         # where this fails it is missing
            self._due[mount.point] = boottime() + PACE
            told = [self._command.ask([self._path, "--clientstats", "--nodetype=" + kind, "--allstats",
                                       "--mount=" + mount.point], b"\n") for kind in (STORAGE, META)]
            addresses = local(self._root)
            self._latest[mount.point] = values(*(parse(text, addresses) for text in told))
        if mount.point not in self._latest:
            raise Failed("%s failed at %s less than a minute ago" % (self._path, mount.point))
        return Reading((KIND, mount.device), KIND, mount.point, None, self._latest[mount.point])


def local(root):
    """The IPv4 addresses of the machine (/proc/net/fib_trie). Raises Failed where it does not tell them."""
    try:
        text = (root / "proc" / "net" / "fib_trie").read_text()
    except OSError as error:
        raise Failed("%s: %s" % (error.filename, error.strerror.lower())) from error
    return set(_LOCAL.findall(text))


def parse(text, addresses):
    """{column: number} of the first table in `text` (bytes), of the clients that have one of `addresses`."""
    found, tables = {}, 0
    for line in text.decode("utf-8", "replace").splitlines():
        tables += line.startswith("Sum:")
        words = line.split()
        if tables == 1 and words and words[0] in addresses:
            for number, column in _CELL.findall(" ".join(words)):
                found[column] = found.get(column, 0) + int(number)
    return found


def values(storage, meta):
    """{metric: value} from the columns of both kinds of servers; a client that one does not know made no request."""
    return {"requests": storage.get("sum", 0) + meta.get("sum", 0),
            "metadata": sum(number for column, number in meta.items() if column not in _UPKEEP),
            "server_bytes_read": storage.get("MiB-rd/s", 0) * MIB,
            "server_bytes_written": storage.get("MiB-wr/s", 0) * MIB}
