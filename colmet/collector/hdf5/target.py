"""Where HDF5 goes: the names of files, what may be wrong with them at the start, and how one takes its place.

A path that ends in ``.hdf5`` is one fixed file; any other is the beginning of the names of windows,
``PATH.<unix time>.hdf5``. A file is written under a hidden name beside its own and then renamed.
"""
import errno
import fcntl
import os
import re
import time
from pathlib import Path

ENDING = ".hdf5"
SIGNATURE = b"\x89HDF\r\n\x1a\n"
_LOCKS = re.compile(r"FLOCK\s+ADVISORY\s+WRITE\s+(\d+)\s+\S+:(\d+)\s")     # of /proc/locks, proc(5)


class Refused(Exception):
    """This target cannot be used; the text is one line: what, where, and what to do."""


def is_fixed(path):
    """Whether `path` names one file, and not the beginning of many."""
    return str(path).endswith(ENDING)


def check_target(path):
    """Raise `Refused` unless files can be written at `path`; nothing is changed."""
    option = "--hdf5-filepath %s" % path
    target = Path(path)
    if is_fixed(path) and target.is_symlink():
        target = Path(os.path.realpath(path))
    folder = target.parent
    if not folder.is_dir():
        raise Refused("%s: no directory %s; make it, or give another path" % (option, folder))
    if not target.name or str(path).endswith("/") or (is_fixed(path) and target.is_dir()):
        raise Refused("%s: is a directory; give the name of a file in it, such as %s" % (option, target / "colmet"))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Refused("%s: no right to write in %s; give it to user %d, or give another path"
                      % (option, folder.absolute(), os.geteuid()))
    if is_fixed(path) and target.exists():
        _check_file(target)


def _check_file(path):
    if not path.is_file():
        raise Refused("%s is no regular file; give another path" % path)
    try:
        with open(path, "rb") as file:
            start = file.read(len(SIGNATURE))
    except OSError as error:
        raise Refused("%s cannot be read: %s; nothing was changed" % (path, error.strerror)) from None
    if start != SIGNATURE:
        raise Refused("%s is not an HDF5 file (%s); nothing was changed" % (path, _beginning(start)))


def _beginning(start):
    if not start:
        return "it is empty"
    text = re.match(rb"[ -~]*", start).group()
    return 'starts with "%s"' % text.decode() if text else "starts with bytes %s" % start[:4].hex(" ")


def check_not_held(path):
    """Raise `Refused` where another program holds the HDF5 file `path` open for writing, as a collector of 0.6 does."""
    with open(path, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(os.fstat(file.fileno()).st_ino)
            raise Refused("%s is held open for writing by %s (a collector of Colmet 0.6?); stop it, or give another "
                          "path; nothing was changed" % (path, holder)) from None


def lock(path):
    """The descriptor of a lock held on `path` until this process ends; raises `Refused` where another has it."""
    while True:
        descriptor = os.open(_lock_name(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(os.fstat(descriptor).st_ino)
            os.close(descriptor)
            raise Refused("%s is being written by %s; stop it, or give another path" % (path, holder)) from None
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)        # whoever had it removed it since it was opened


def unlock(path, descriptor):
    """Give up the lock `descriptor` on `path`, and remove its file."""
    os.unlink(_lock_name(path))
    os.close(descriptor)


def _lock_name(path):
    return Path(path).parent / (".%s.lock" % Path(path).name)


def _holder(inode):
    """Who has a lock on a file, as far as /proc/locks tells."""
    try:
        text = Path("/proc/locks").read_text()
        process = next(match.group(1) for match in _LOCKS.finditer(text) if int(match.group(2)) == inode)
        name = Path("/proc", process, "comm").read_text().strip()
    except (OSError, StopIteration):
        return "another process"
    return "process %s (%s)" % (process, name)


def hidden(path):
    """The name under which what shall be `path` is written."""
    return path.parent / (".%s.tmp" % path.name)


def remove_unfinished(path):
    """Remove what a writer left unfinished that was killed while it wrote for the target `path`."""
    target = Path(path)
    names = re.compile(r"\.%s(\.\d+%s)?\.tmp" % (re.escape(target.name), re.escape(ENDING)))
    for found in target.parent.iterdir():
        if names.fullmatch(found.name):
            found.unlink()


def timed(path):
    """The files ``PATH.<unix time>.hdf5`` of a target, and those that a fixed file was set aside as; newest last."""
    target = Path(path)
    stem = target.name[:-len(ENDING)] if is_fixed(path) else target.name
    names = re.compile(r"%s\.(\d{1,19})%s" % (re.escape(stem), re.escape(ENDING)))
    found = [(int(match.group(1)), file) for file in target.parent.iterdir()
             for match in [names.fullmatch(file.name)] if match]
    return [file for _, file in sorted(found)]


def timed_name(path, seconds):
    """The name of the file for `seconds` (unix time) of a target."""
    target = Path(path)
    stem = target.name[:-len(ENDING)] if is_fixed(path) else target.name
    return target.parent / ("%s.%d%s" % (stem, seconds, ENDING))


def put(temporary, final):
    """Rename a finished file to its name, durably."""
    os.replace(temporary, final)
    synchronize(final.parent)


def set_aside(path):
    """Give the fixed file `path` a second name, ``NAME.<unix time>.hdf5``, and return that. It keeps its own until
    another takes its place, so that one is there at every instant; where there are no hard links, it loses it."""
    path = Path(path)
    for file in timed(path):
        if os.path.samefile(file, path):    # from before a crash
            return file
    seconds = int(time.time())
    while True:
        aside = timed_name(path, seconds)
        try:
            os.link(path, aside)
        except FileExistsError:
            seconds += 1
            continue
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
                raise
            os.rename(path, aside)
        synchronize(path.parent)
        return aside


def synchronize(path):
    """Make a file, or the entries of a directory, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
