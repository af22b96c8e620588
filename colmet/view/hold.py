"""Telling a directory that is in use from one that a killed program left: whoever uses it holds a lock on it."""
import fcntl
import os


def hold(directory):
    """A descriptor of `directory` that holds its lock (flock(2)) until it, and whoever got it, is closed. Raises
    OSError where another holds it."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
