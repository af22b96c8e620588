"""Chunks of a table's rows, shuffled and deflated in memory as HDF5's own filters would do it when it writes."""
import zlib

import numpy
from h5py import h5z

try:
    from zlib_ng.zlib_ng import compress    # the format of zlib, in a quarter of its time
except ImportError:                         # not made for this machine
    from zlib import compress

CHUNKS = (16, 32, 64)       # rows of a chunk: those of the window, rounded up


def chunk_rows(rows):
    """Rows of a chunk in a table of `rows`."""
    return next((chunk for chunk in CHUNKS if rows <= chunk), CHUNKS[-1])


def pack(rows, chunk, level):
    """The bytes of a chunk of `chunk` rows that begins with `rows`: shuffled and deflated unless `level` is 0."""
    size = rows.dtype.itemsize
    if not level:
        return rows.tobytes() + bytes((chunk - len(rows)) * size)
    cells = numpy.frombuffer(rows, "u1").reshape(-1, size)
    used = numpy.bitwise_or.reduce(cells, axis=0).nonzero()[0]      # of a row's bytes most are zero in every row
    shuffled = numpy.zeros((size, chunk), "u1")
    shuffled[used, :len(rows)] = cells.take(used, axis=1).T
    return compress(shuffled, level)


def unpack(data, dtype, level):
    """The rows of a chunk from what `pack` made."""
    if level:
        data = numpy.frombuffer(zlib.decompress(data), "u1").reshape(dtype.itemsize, -1).T.tobytes()
    return numpy.frombuffer(data, dtype)


def packed_alike(table, level):
    """Whether the chunks of `table` are what `pack` makes at `level`, or at another one above 0."""
    plist = table.get_create_plist()
    filters = [plist.get_filter(place)[0] for place in range(plist.get_nfilters())]
    return filters == ([h5z.FILTER_SHUFFLE, h5z.FILTER_DEFLATE] if level else [])
