"""Writing an HDF5 file of tables as PyTables lays them out, fast: h5py's low-level calls.

Making a table costs ten times what its rows cost where it has few. So one of a single chunk is made once, in memory
and with its group, is then changed in place for each job, and copied (H5Ocopy). That also leaves no holes in the
file. Chunks come packed (`colmet.collector.hdf5.chunks`) and are written as they are.
"""
import contextlib
import os
import re
from functools import lru_cache
from pathlib import Path

import numpy
from h5py import h5a, h5d, h5f, h5g, h5o, h5p, h5s, h5t, version

from colmet.collector.hdf5.chunks import CHUNKS, chunk_rows
from colmet.collector.hdf5.target import synchronize

BACKEND_VERSION = 2         # 0.6's attribute of every table
IN_MEMORY = 64 * 2 ** 20    # bytes; a larger file is written piece by piece
IMAGES = version.hdf5_version_tuple >= (2, 0, 0)    # before, H5Fget_file_image left a wrong checksum
ROOT = b"/"
_LIBVER = (h5f.LIBVER_V110, h5f.LIBVER_V110)    # newer ones cannot be read by PyTables
_MEMORY_STEP = 2 ** 20      # bytes by which a file in memory grows
_META_STEP = 2 ** 13        # bytes by which the part of a file without rows grows; HDF5's 2048 hold but one table
_CACHE = 2 ** 16            # bytes that HDF5 keeps decoded of a file in memory; its own megabytes are slower
_MODELS = 500               # at most; a model takes some 20 KB of memory
_TOGETHER = 64              # tables that are made one after the other
_INT = h5t.STD_I64LE
_SCALAR, _NULL = h5s.create(h5s.SCALAR), h5s.create(h5s.NULL)


def open_read(path):
    """The h5py FileID of `path`, without heed of locks: it is only ever replaced as a whole. Raises OSError."""
    access = _access()
    access.set_file_locking(False, True)
    return h5f.open(os.fsencode(path), h5f.ACC_RDONLY, access)


class File:
    """A file being written at `path`, which is made anew; `level` is zlib's, 0 for none; `size` is about what it
    will have in bytes: a small one is made in memory, and written at the end. Raises OSError."""

    def __init__(self, path, level, size=0):
        self.path, self.level = path, level
        self._in_memory = IMAGES and size <= IN_MEMORY
        self._file = _memory_file(b"file") if self._in_memory else _disk_file(path)
        self._memory = _memory_file(b"models")
        self._groups, self._models, self._types = set(), {}, {}
        self._waiting = []          # what `add` was given
        self._root = h5g.open(self._file, ROOT)
        _group_attributes(self._root)
        set_text(self._root, "PYTABLES_FORMAT_VERSION", "2.1")

    def set(self, attributes, path="/"):
        """Set `attributes` (int or text) on the group at `path`."""
        set_all(h5g.open(self._file, path.encode()), attributes)

    def copy(self, source, name):
        """Copy `name` of the root, with all that it holds, from the FileID `source`."""
        h5o.copy(source, name, self._file, name)
        self._groups.add(name.decode("utf-8", "surrogateescape"))

    def add(self, job, layout, total, chunk):
        """A new table of `total` rows of `layout` in the group of `job`: those of `chunk`, the one that it has. It
        is made with others, as packing and making tables in turns drives both out of the processor's cache."""
        self._waiting.append((job, layout, total, chunk))
        if len(self._waiting) == _TOGETHER:
            self._add_waiting()

    def _add_waiting(self):
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            self._add(*each)

    def _add(self, job, layout, total, chunk):
        attributes = {"TITLE": _title(job)}
        if job.group not in self._groups:
            attributes.update(job.attributes)
        model = self._model(layout, chunk_rows(total), attributes)
        model.change(total, attributes, chunk)
        if job.group not in self._groups:
            self._groups.add(job.group)
            h5o.copy(self._memory, model.name, self._root, job.group.encode())      # with the table in it
        else:
            name = b"/" + layout.table.name.encode()
            h5o.copy(self._memory, model.name + name, self._root, job.group.encode() + name)

    def table(self, job, layout, total):
        """A new table for `total` rows of `layout` in the group of `job`; returns its h5py DatasetID."""
        self._add_waiting()
        if job.group not in self._groups:
            self._groups.add(job.group)
            set_all(_group(self._root, job.group.encode()), job.attributes)
        path = "%s/%s" % (job.group, layout.table.name)
        table = _table(self._root, path, layout, self.kind(layout), total, _creation(CHUNKS[-1], self.level))
        set_text(table, "TITLE", _title(job))
        return table

    def kind(self, layout):
        """The HDF5 type of a row of `layout`."""
        kind = self._types.get(layout)
        if kind is None:
            kind = self._types[layout] = h5t.py_create(layout.dtype)
        return kind

    def find(self, group, name):
        """The DatasetID of a table in the file, None where there is none."""
        self._add_waiting()
        if group not in self._groups or name.encode() not in h5g.open(self._root, group.encode()):
            return None
        return h5d.open(self._root, ("%s/%s" % (group, name)).encode())

    def group(self, job):
        """The GroupID of `job`, whose group is there."""
        return h5g.open(self._root, job.group.encode())

    def remove(self, group, name):
        """Unlink a table."""
        self._root.unlink(("%s/%s" % (group, name)).encode())

    def close(self):
        """Finish the file and make it durable. Raises OSError."""
        self._add_waiting()
        self._memory.close()
        with system_errors():
            h5f.flush(self._file)
            if self._in_memory:
                Path(self.path).write_bytes(self._file.get_file_image())
            self._root = None
            self._file.close()
        synchronize(self.path)

    def abandon(self):
        """Give the file up, in whatever state it is."""
        self._memory.close()
        self._root = None
        with contextlib.suppress(OSError, RuntimeError):    # what could not be written before cannot be now
            self._file.close()

    def _model(self, layout, chunk, attributes):
        """The `_Model` of a table of `layout` whose attributes are as long as `attributes`."""
        key = (layout, chunk, *((name, len(text), len(text.encode())) for name, text in attributes.items()))
        model = self._models.get(key)
        if model is None:
            if len(self._models) == _MODELS:
                self._models.clear()
                self._memory.close()
                self._memory = _memory_file(b"models")
            creation = _creation(chunk, self.level)
            model = _Model(self._memory, b"%d" % len(self._models), layout, self.kind(layout), attributes, creation)
            self._models[key] = model
        return model


class _Model:
    """A group `name` of a file in memory with one table of one chunk, to be changed in place and then copied."""

    def __init__(self, file, name, layout, kind, attributes, creation):
        self.name, self._total = name, 0
        group = _group(file, name)
        self._table = _table(group, layout.table.name, layout, kind, 0, creation)
        self._texts = dict(attributes)
        self._attributes = {}
        for attribute, text in attributes.items():
            target = self._table if attribute == "TITLE" else group
            set_text(target, attribute, text)
            self._attributes[attribute] = h5a.open(target, attribute.encode())
        self._rows = h5a.open(self._table, b"NROWS")

    def change(self, total, attributes, chunk):
        """Make it the table of `total` rows in `chunk`, with `attributes` as long as those that it was made with."""
        if total != self._total:
            self._table.set_extent((0,))    # from more rows to less HDF5 would unpack the chunk to clear its end
            self._table.set_extent((total,))
            self._rows.write(numpy.array(total, "<i8"), _INT)
            self._total = total
        for name, text in attributes.items():
            if text != self._texts[name]:
                data = text.encode()
                self._attributes[name].write(numpy.array(data), _text_type(len(data), data.isascii()))
                self._texts[name] = text
        self._table.write_direct_chunk((0,), chunk)


@contextlib.contextmanager
def system_errors():
    """Turn what HDF5 and h5py make of a failed write (a long text that tells the errno) back into the OSError."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        number = re.search(r"errno = (\d+)", str(error))
        if not number:
            raise
        raise OSError(int(number.group(1)), os.strerror(int(number.group(1)))) from error


def set_all(target, attributes):
    """Set each of `attributes`, int or text, on a group or table."""
    for name, value in attributes.items():
        (set_int if isinstance(value, int) else set_text)(target, name, value)


def set_text(target, name, text):
    """Set a text attribute that is not there yet; "" is one without a value, as PyTables has it."""
    data = text.encode()
    kind = _text_type(len(data), data.isascii())
    attribute = h5a.create(target, name.encode(), kind, _SCALAR if data else _NULL)
    if data:
        attribute.write(numpy.array(data), kind)


def set_int(target, name, value):
    """Set an int64 attribute, in place of an older one."""
    name = name.encode()
    if h5a.exists(target, name):
        h5a.delete(target, name)
    h5a.create(target, name, _INT, _SCALAR).write(numpy.array(value, "<i8"), _INT)


@lru_cache(maxsize=1000)
def _text_type(size, ascii_only):
    kind = h5t.C_S1.copy()
    kind.set_size(max(size, 1))
    kind.set_strpad(h5t.STR_NULLPAD)
    kind.set_cset(h5t.CSET_ASCII if ascii_only else h5t.CSET_UTF8)
    return kind


def _title(job):
    return "Metrics for the Job %s" % job.text


def _group(parent, name):
    """A new group."""
    plain = h5p.create(h5p.GROUP_CREATE)
    plain.set_obj_track_times(False)
    group = h5g.create(parent, name, gcpl=plain)
    _group_attributes(group)
    return group


def _table(parent, name, layout, kind, total, creation):
    """A new table for `total` rows of the HDF5 type `kind`, without a title yet."""
    table = h5d.create(parent, name.encode(), kind, h5s.create_simple((total,), (h5s.UNLIMITED,)), creation)
    set_text(table, "CLASS", "TABLE")
    set_text(table, "VERSION", "2.7")
    set_int(table, "NROWS", total)
    set_int(table, "backend_version", BACKEND_VERSION)
    set_all(table, layout.attributes)
    return table


def _group_attributes(group):
    for name, text in (("CLASS", "GROUP"), ("TITLE", ""), ("VERSION", "1.0")):
        set_text(group, name, text)


def _creation(chunk, level):
    plist = h5p.create(h5p.DATASET_CREATE)
    plist.set_chunk((chunk,))
    plist.set_fill_time(h5d.FILL_TIME_NEVER)
    plist.set_obj_track_times(False)
    if level:
        plist.set_shuffle()
        plist.set_deflate(level)
    return plist


def _access():
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_libver_bounds(*_LIBVER)
    access.set_fclose_degree(h5f.CLOSE_STRONG)
    access.set_meta_block_size(_META_STEP)
    return access


def _disk_file(path):
    return h5f.create(os.fsencode(path), h5f.ACC_TRUNC, fapl=_access())


def _memory_file(name):
    """A new file in memory; `name` tells it from others that are open."""
    access = _access()
    access.set_fapl_core(_MEMORY_STEP, False)
    cache = access.get_mdc_config()
    cache.set_initial_size, cache.initial_size = True, _CACHE
    cache.min_size = cache.max_size = _CACHE
    access.set_mdc_config(cache)
    return h5f.create(name, h5f.ACC_TRUNC, fapl=access)
