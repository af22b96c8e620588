"""Rows into the tables of a file, new ones or such as are there already, in whole chunks.

A fixed file is written anew each time: the old tables are copied as they are, without unpacking, and what came is
appended. A table that outgrows its chunk, lacks columns or was packed by other means is made again from its rows.
"""
import h5py
import numpy
from h5py import h5z

from colmet.collector.hdf5.chunks import CHUNKS, chunk_rows, pack, packed_alike, unpack
from colmet.collector.hdf5.columns import convert, join, layout as layout_of, renamed
from colmet.collector.hdf5.file import File, open_read, set_int, set_text
from colmet.collector.hdf5.mapping import NAME as MAPPING, merged
from colmet.collector.hdf5.rows import PIECE_BYTES, Job
from colmet.common.facts import joined_steps
from colmet.common.metrics import TABLES

POSITION = "journal_position"   # root attribute: all entries of the journal below it are in the files
START = "journal_start"         # of a window: the position of its first entry
_PLAIN_FILTERS = {h5z.FILTER_DEFLATE, h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32}


class Sink:
    """Takes rows for one table from row `place` on, which begins a chunk, and writes them as whole chunks."""

    def __init__(self, table, level, chunk, layout, place=0):
        self._table, self._level, self._chunk, self._layout, self._place = table, level, chunk, layout, place
        self._rest = None

    def add(self, rows):
        """Write `rows`, and keep what does not fill a chunk until more come or `finish` is called."""
        rows = convert(rows, self._layout)
        if self._rest is not None:
            rows = numpy.concatenate((self._rest, rows))
        whole = len(rows) // self._chunk * self._chunk
        self._write(rows[:whole])
        self._rest = rows[whole:] if whole < len(rows) else None

    def finish(self):
        """Write what was kept."""
        if self._rest is not None:
            self._write(self._rest)

    def _write(self, rows):
        for first in range(0, len(rows), self._chunk):
            data = pack(rows[first:first + self._chunk], self._chunk, self._level)
            self._table.write_direct_chunk((self._place,), data)
            self._place += self._chunk


class Short:
    """Takes the `total` rows of a new table of one chunk, and makes it when they are there."""

    def __init__(self, file, job, layout, total):
        self._file, self._job, self._layout, self._total = file, job, layout, total
        self._pieces = []

    def add(self, rows):
        """Keep `rows`."""
        self._pieces.append(convert(rows, self._layout))

    def finish(self):
        """Make the table."""
        rows = numpy.concatenate(self._pieces) if len(self._pieces) > 1 else self._pieces[0]
        data = pack(rows, chunk_rows(self._total), self._file.level)
        self._file.add(self._job, self._layout, self._total, data)


class Appending:
    """A `File` and the older one whose tables it goes on with (None: there is none); `size` as for `File`."""

    def __init__(self, path, level, old, size):
        self.file = File(path, level, size)
        self._old = old
        self._source = open_read(old) if old else None
        self._copied = set()        # groups as they were in the older file
        self._remade = {}           # {(group, table): the mapping that it had}

    def adopt(self):
        """Copy all that the older file holds; tables of 0.6 that lack columns are made again with them."""
        continued = is_ours(self._source)
        root = h5py.Group(h5py.h5g.open(self._source, b"/"))
        for name in root.id:
            self.file.copy(self._source, name)
            self._copied.add(name.decode("utf-8", "surrogateescape"))
            if not continued and isinstance(root[name], h5py.Group):
                self._mend(name.decode(), root[name])

    def sink(self, job, layout, total):
        """What takes `total` more rows of `layout` in the group of `job`."""
        level = self.file.level
        if job.group in self._copied:
            self._copied.remove(job.group)
            revise(self.file.group(job), job.attributes)
        table = self.file.find(job.group, layout.table.name) if self._source else None
        if table is None:
            return self._new(job, layout, total)
        same = table.get_type().equal(self.file.kind(layout))       # some 50 times faster than making it a dtype
        joined = layout if same else join(h5py.Dataset(table).dtype, layout)
        if joined is None:          # their columns contradict each other
            return self.sink(job, renamed(layout), total)
        same = same or joined.dtype == h5py.Dataset(table).dtype
        alike = same and packed_alike(table, level)
        rows, chunk = table.shape[0], table.get_create_plist().get_chunk()[0]
        if alike and (chunk >= CHUNKS[-1] or rows + total <= chunk):
            return self._extend(table, chunk, joined, total)
        old = self._unpacked(table, chunk, joined.dtype) if alike else self._read(job.group, layout.table.name)
        return self._again(job, joined, old, rows + total)

    def describe(self, mappings):
        """Say of the tables of 0.6 what their counters are, by `Mappings`."""
        for (group, name), first in [(key, {}) for key in self._remade] + list(mappings.items()):
            table = self.file.find(group, name)
            if table is not None:
                attributes = h5py.Dataset(table).attrs
                old = self._remade.pop((group, name), "") or text_of(attributes, MAPPING)
                set_new(table, MAPPING, text_of(attributes, MAPPING), merged(old, first))

    def set(self, attributes):
        """Set `attributes` (int or text) on the root."""
        self.file.set(attributes)

    def close(self):
        """Finish the file."""
        self._close_source()
        self.file.close()

    def abandon(self):
        """Give the file up."""
        self._close_source()
        self.file.abandon()

    def _close_source(self):
        if self._source:
            self._source.close()
            self._source = None

    def _new(self, job, layout, total):
        """What takes the rows of a new table."""
        if total <= CHUNKS[-1]:
            return Short(self.file, job, layout, total)
        return Sink(self.file.table(job, layout, total), self.file.level, chunk_rows(total), layout)

    def _extend(self, table, chunk, layout, total):
        rows = table.shape[0]
        place = rows // chunk * chunk
        sink = Sink(table, self.file.level, chunk, layout, place)
        for piece in self._unpacked(table, chunk, layout.dtype, place):
            sink.add(piece)
        table.set_extent((rows + total,))
        set_int(table, "NROWS", rows + total)
        return sink

    def _unpacked(self, table, chunk, dtype, place=0):
        """Yield the rows of a table of this file from `place` on, which begins a chunk, in pieces."""
        for start in range(place, table.shape[0], chunk):
            _, data = table.read_direct_chunk((start,))
            yield unpack(data, dtype, self.file.level)[:table.shape[0] - start]

    def _again(self, job, layout, old, total):
        """The table of `job` made again for `total` rows, with those that `old` yields."""
        table = h5py.Dataset(self.file.find(job.group, layout.table.name))
        self._remade[job.group, layout.table.name] = text_of(table.attrs, MAPPING)
        self.file.remove(job.group, layout.table.name)
        sink = self._new(job, layout, total)
        for piece in old:
            sink.add(piece)
        return sink

    def _mend(self, group, source):
        for name, old in source.items():
            known = TABLES.get(name)
            if known and known.legacy and isinstance(old, h5py.Dataset) and old.dtype != layout_of(known).dtype:
                joined = join(old.dtype, layout_of(known))
                if joined is not None:
                    job = Job(group, group.partition("_")[2], -1, {})
                    self._again(job, joined, self._read(group, name), len(old)).finish()

    def _read(self, group, name):
        """Yield the rows of a table of the older file in pieces."""
        table = h5py.Dataset(h5py.h5d.open(self._source, ("%s/%s" % (group, name)).encode()))
        plist = table.id.get_create_plist()
        filters = {plist.get_filter(place)[0] for place in range(plist.get_nfilters())}
        size = max(PIECE_BYTES // table.dtype.itemsize, 1)
        if filters <= _PLAIN_FILTERS:
            for start in range(0, len(table), size):
                yield table[start:start + size]
            return
        import tables       # slow to load, and needed for compressors that h5py lacks only
        with tables.open_file(self._old) as file:
            node = file.get_node("/" + group, name)
            for start in range(0, node.nrows, size):
                yield node.read(start, start + size)


def revise(group, facts):
    """Bring the text attributes `facts` of a group, a h5py GroupID, up to date."""
    attributes = h5py.Group(group).attrs
    for name, text in facts.items():
        old = text_of(attributes, name)
        set_new(group, name, old, joined_steps(text, old) if name == "steps" else text)


def text_of(attributes, name):
    """The text of an attribute, "" where there is none."""
    old = attributes.get(name, "")
    return old.decode("utf-8", "replace") if isinstance(old, bytes) else old if isinstance(old, str) else ""


def set_new(target, name, old, new):
    """Give the attribute of a group or table that has the text `old` the text `new`."""
    if new != old:
        if h5py.h5a.exists(target, name.encode()):
            h5py.h5a.delete(target, name.encode())
        set_text(target, name, new)


def is_ours(source):
    """Whether the file of the FileID `source` was written by this module, not by 0.6."""
    return h5py.h5a.exists(source, POSITION.encode())
