"""Limits of this process (setrlimit(2))."""
import resource


def raise_file_limit():
    """Allow as many open files as this process may have; returns how many."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most
