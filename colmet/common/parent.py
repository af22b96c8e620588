"""A child process that does not outlive whoever started it."""
import ctypes
import os

PR_SET_PDEATHSIG = 1        # prctl(2)
_LIBRARY = ctypes.CDLL(None)


def end_with(parent, number):
    """Have the kernel send signal `number` to this process when its parent, of pid `parent`, ends. False where
    that had ended before, so that nothing will be sent."""
    _LIBRARY.prctl(PR_SET_PDEATHSIG, int(number))
    return os.getppid() == parent
