"""The command line of colmet-collector, as data. Names and defaults are those of 0.6 where it had them."""
import re

from colmet.collector.elasticsearch import target as elasticsearch_target
from colmet.common import prometheus
from colmet.common.options import CONFIG, VERBOSE, Option, Usage, above, at_least, parse

PROGRAM = "colmet-collector"
STATUS = "status"           # the one command that it has
DESCRIPTION = ("Receives what the nodes measured, keeps it safe in a journal, and stores it. `colmet-collector status` "
               "tells how one that runs fares.")
COMPRESSORS = ("zlib", "lzo", "bzip2", "blosc", "blosc2")
RETIRED = {"--zeromq-swap": "ZeroMQ has no swap any more; --zeromq-hwm bounds what waits in memory"}
_URI = re.compile(r"tcp://(?P<host>[^/\s]+):(?P<port>\d+)|ipc://\S+")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)


def size(text):
    """Bytes from "1000", "64K", "1.5G": binary multiples."""
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise ValueError(text)
    return int(float(match.group(1)) * 1024 ** " KMGT".index(match.group(2).upper() or " "))


def uri(text):
    """A check: "" or why nothing can be bound to `text`."""
    match = _URI.fullmatch(text)
    if not match:
        return "must be tcp://ADDRESS:PORT or ipc://PATH"
    port = match.group("port")
    return "" if port is None or 0 < int(port) < 65536 else "must have a port from 1 to 65535"


def level(value):
    """A check of a compression level."""
    return "" if 0 <= value <= 9 else "must be from 0 to 9"


def compressor(name):
    """A check of the name of a compressor; blosc and blosc2 may name theirs, as in blosc:zstd."""
    known = name.split(":")[0] in ("blosc", "blosc2") if ":" in name else name in COMPRESSORS
    return "" if known else "no such compressor; there are " + ", ".join(COMPRESSORS)


def default_native(bind):
    """Where the native wire listens unless told: one port above `bind`, or its path with ".native"; "" where
    there is no such port."""
    match = _URI.fullmatch(bind)
    if match.group("port") is None:
        return bind + ".native"
    port = int(match.group("port")) + 1
    return "tcp://%s:%d" % (match.group("host"), port) if port < 65536 else ""


OPTIONS = (
    CONFIG,
    VERBOSE,
    Option(("-s", "--sample-period"), "longest time from the receipt of a record until it is safe on disk, "
           "acknowledged and printed", 5, float, "s", "SECONDS", check=above(0)),
    Option(("--buffer-size",), "records that may be held before that happens at once; it never limits how many are "
           "taken in", 100, int, "records", "N", check=above(0)),
    Option(("--enable-stdout-backend",), "print every record on standard output", False, bool),

    Option(("--zeromq-bind-uri",), "where messages of Colmet 0.6 are taken", "tcp://0.0.0.0:5556", metavar="URI",
           group="ZeroMQ", check=uri),
    Option(("--native-bind-uri",), "where nodes are heard that want acknowledgements; by default one port above "
           "--zeromq-bind-uri, or its path with .native", metavar="URI", group="ZeroMQ", check=uri),
    Option(("--no-legacy",), "take no messages of Colmet 0.6, which nobody signs and nobody counts", False, bool,
           group="ZeroMQ"),
    Option(("--zeromq-hwm",), "most messages of one peer that may wait in memory; 0: no limit", 1000, int, "messages",
           "N", group="ZeroMQ", check=at_least(0)),
    Option(("--zeromq-linger",), "longest time that the last acknowledgements may take at the end, though a "
           "second at least; -1: no limit", 0, int, "ms", "MS", group="ZeroMQ", check=at_least(-1)),

    Option(("--journal-dir",), "directory of the journal, which holds what is not stored yet; by default beside the "
           "HDF5 file, else $STATE_DIRECTORY, else the user's state directory", metavar="DIR", group="Journal"),
    Option(("--journal-size",), "most that the journal may hold, with K, M, G or T; above it the writer that is "
           "furthest behind loses the oldest", "8G", str, "bytes", "SIZE", group="Journal",
           check=lambda text: _size_fault(text, 2 ** 20)),

    Option(("--hdf5-filepath",), "store in HDF5: PATH ending in .hdf5 is the file, else its beginning: "
           "PATH.<unix time>.hdf5", metavar="PATH", group="HDF5"),
    Option(("--hdf5-complevel",), "compression from 0 (none) to 9 (smallest)", 1, int, "", "LEVEL", group="HDF5",
           check=level),
    Option(("--hdf5-complib",), "compressor: " + ", ".join(COMPRESSORS), "zlib", metavar="NAME", group="HDF5",
           check=compressor),
    Option(("--hdf5-max-size",), "a fixed file above this size is set aside and a new one begun; with K, M, G or T",
           "2G", str, "bytes", "SIZE", group="HDF5", check=lambda text: _size_fault(text, 1)),
    Option(("--hdf5-window",), "time that one file PATH.<unix time>.hdf5 covers", 600, float, "s", "SECONDS",
           group="HDF5", check=above(0)),

    *prometheus.OPTIONS,

    Option(("--elastic-host",), "store in Elasticsearch or OpenSearch at ADDRESS, ADDRESS:PORT (port 9200 unless "
           "given) or a URL; several nodes of one cluster by comma or repeated", metavar="HOST", many="repeat",
           group="Elasticsearch"),
    Option(("--elastic-index-prefix",), "beginning of the names of its indices, as in colmet_dahu_", "colmet_",
           metavar="PREFIX", group="Elasticsearch", check=elasticsearch_target.prefix),
    Option(("-P", "--http-credentials"), "file with USER:PASSWORD or ApiKey KEY, readable by the collector alone",
           metavar="FILE", group="Elasticsearch"),
    Option(("--elastic-ca",), "file (PEM) with the certificate of the authority that signed those of its hosts",
           metavar="FILE", group="Elasticsearch"),
    Option(("--no-check-certificates",), "do not verify its certificates: whoever is on the way can read and change "
           "all", False, bool, group="Elasticsearch"),
    Option(("--elastic-plain-index",), "make plain indices as Colmet 0.6 does, not data streams; needed while "
           "collectors of 0.6 write there too", False, bool, group="Elasticsearch"),
    Option(("--elastic-time-series",), "make the data streams time series, which take less room", False, bool,
           group="Elasticsearch"),
    Option(("--elastic-retention",), "age at which Elasticsearch deletes data of data streams, as in 90d; kept for "
           "ever unless given", metavar="AGE", group="Elasticsearch", check=elasticsearch_target.age),
    Option(("--elastic-bulk-size",), "about the size of one request, with K or M", "8M", str, "bytes", "SIZE",
           group="Elasticsearch", check=lambda text: _size_fault(text, 4096)),
    Option(("--elastic-gzip",), "compress requests: less network, more CPU time", False, bool, group="Elasticsearch"),
)


def settings(argv):
    """The options from `argv` and --config; sizes are in bytes. Raises Usage."""
    values = parse(PROGRAM, DESCRIPTION, OPTIONS, argv, RETIRED, commands=("", STATUS))
    values.elastic_hosts = elasticsearch_target.check_usage(values)
    if not (values.hdf5_filepath or values.enable_stdout_backend or values.elastic_hosts):
        raise Usage("nowhere to store: give --hdf5-filepath PATH, --elastic-host HOST or --enable-stdout-backend")
    values.native_given = bool(values.native_bind_uri)
    values.native_bind_uri = values.native_bind_uri or default_native(values.zeromq_bind_uri)
    values.journal_size = size(values.journal_size)
    values.hdf5_max_size = size(values.hdf5_max_size)
    values.elastic_bulk_size = size(values.elastic_bulk_size)
    return values


def _size_fault(text, least):
    try:
        return "" if size(text) >= least else "must be at least %d" % least
    except ValueError:
        return "must be a number of bytes, with K, M, G or T"
