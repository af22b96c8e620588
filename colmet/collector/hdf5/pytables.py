"""Files written through PyTables, for the compressors that it has and zlib is not. Making a table takes it 6 ms."""
import contextlib
import os

import numpy

os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")     # files are only ever replaced as a whole

import tables  # noqa: E402  (it reads the variable when it is loaded)

from colmet.collector.hdf5.append import POSITION  # noqa: E402
from colmet.collector.hdf5.chunks import chunk_rows  # noqa: E402
from colmet.collector.hdf5.columns import convert, join, layout as layout_of, renamed  # noqa: E402
from colmet.collector.hdf5.file import BACKEND_VERSION  # noqa: E402
from colmet.collector.hdf5.mapping import NAME as MAPPING, merged  # noqa: E402
from colmet.collector.hdf5.target import Refused, synchronize  # noqa: E402
from colmet.collector.log import tell  # noqa: E402
from colmet.common.facts import joined_steps  # noqa: E402
from colmet.common.metrics import TABLES  # noqa: E402

PIECE_ROWS = 10000      # of old rows converted at a time


def opener(settings):
    """What makes an `Appending` from (temporary path, older file or None, its size). Raises
    Refused."""
    name = settings.hdf5_complib
    if tables.which_lib_version(name.split(":")[0]) is None:
        raise Refused("--hdf5-complib %s: this PyTables was built without it; use zlib" % name)
    try:
        filters = tables.Filters(settings.hdf5_complevel, name)
    except ValueError as error:
        raise Refused("--hdf5-complib %s: %s" % (name, error)) from None
    tell("--hdf5-complib %s: written through PyTables, some 30 times slower than zlib where jobs are short" % name)
    return lambda path, old, size: Appending(path, filters, old)


class Sink:
    """Takes rows for one table."""

    def __init__(self, table, layout):
        self._table, self._layout = table, layout

    def add(self, rows):
        """Append `rows`."""
        self._table.append(convert(rows, self._layout))

    def finish(self):
        """Write what was kept."""
        self._table.attrs.NROWS = numpy.int64(self._table.nrows)
        self._table.close()


class Appending:
    """A file being written, and the older one whose tables it goes on with (None: there is none)."""

    def __init__(self, path, filters, old):
        self.path, self._old = path, old
        self._filters = filters
        self._file = tables.open_file(str(path), "w", filters=filters)

    def adopt(self):
        """Copy all that the older file holds; tables of 0.6 that lack columns are made again with them."""
        with tables.open_file(str(self._old)) as old:
            old.copy_children(old.root, self._file.root, recursive=True)
            continued = POSITION in old.root._v_attrs
        for group in () if continued else self._file.list_nodes("/", "Group"):
            for table in self._file.list_nodes(group, "Table"):
                known = TABLES.get(table.name)
                if known and known.legacy:
                    self._mended(table, join(table.dtype, layout_of(known)))

    def sink(self, job, layout, total):
        """A `Sink` for `total` more rows of `layout` in the group of `job`."""
        root = self._file.root
        group = root._f_get_child(job.group) if job.group in root else self._file.create_group(root, job.group)
        for name, value in job.attributes.items():
            old = group._v_attrs[name] if name == "steps" and name in group._v_attrs else ""
            group._v_attrs[name] = joined_steps(value, str(old)) if old else value
        if layout.table.name not in group:
            title = "Metrics for the Job %s" % job.text
            return Sink(self._table(group, layout, title, total), layout)
        table = group._f_get_child(layout.table.name)
        joined = join(table.dtype, layout)
        if joined is None:
            return self.sink(job, renamed(layout), total)
        return Sink(self._mended(table, joined), joined)

    def describe(self, mappings):
        """Say of the tables of 0.6 what their counters are, by `Mappings`."""
        for (group, name), first in mappings.items():
            if "/%s/%s" % (group, name) in self._file:
                attributes = self._file.get_node("/" + group, name).attrs
                attributes[MAPPING] = merged(attributes[MAPPING] if MAPPING in attributes else "", first)

    def set(self, attributes):
        """Set `attributes` (int or text) on the root."""
        for name, value in attributes.items():
            self._file.root._v_attrs[name] = numpy.int64(value) if isinstance(value, int) else value

    def close(self):
        """Finish the file and make it durable. Raises OSError."""
        self._file.close()
        synchronize(self.path)

    def abandon(self):
        """Give the file up, in whatever state it is."""
        with contextlib.suppress(OSError, RuntimeError, tables.HDF5ExtError):
            self._file.close()

    def _table(self, group, layout, title, total):
        table = self._file.create_table(group, layout.table.name, layout.dtype, title, self._filters,
                                        chunkshape=(chunk_rows(total),))
        table.attrs.backend_version = numpy.int64(BACKEND_VERSION)
        for name, value in layout.attributes.items():
            table.attrs[name] = numpy.int64(value) if isinstance(value, int) else value
        return table

    def _mended(self, table, layout):
        """`table`, or where it lacks columns of `layout` another with all its rows in its place."""
        if layout is None or table.dtype == layout.dtype:
            return table
        name, title, group = table.name, table.title, table._v_parent
        table.rename(name + "_old")
        new = self._table(group, layout, title, table.nrows)
        if MAPPING in table.attrs:
            new.attrs[MAPPING] = table.attrs[MAPPING]
        for start in range(0, table.nrows, PIECE_ROWS):
            new.append(convert(table.read(start, start + PIECE_ROWS), layout))
        table.remove()
        return new
