"""Standard output of a program that nobody may be reading to its end (``| head``), or that may be full."""
import errno
import functools
import os
import signal
import sys

_NO_READER = 128 + signal.SIGPIPE       # the exit code that a shell gives to what SIGPIPE ended


def printing(program):
    """Decorates a program's `main(argv=None)`, which returns its exit code: where the reader of standard output has
    gone, it ends without a word; where that is full, with one line, and 1."""
    def decorate(main):
        @functools.wraps(main)
        def guarded(argv=None):
            try:
                try:
                    return main(argv)
                finally:            # --help leaves by SystemExit
                    if sys.stdout:
                        sys.stdout.flush()
            except BrokenPipeError:
                return _let_go(_NO_READER)
            except OSError as error:
                if error.errno != errno.ENOSPC or error.filename is not None:
                    raise
                print("%s: standard output: %s; make room" % (program, error.strerror), file=sys.stderr)
                return _let_go(1)
        return guarded
    return decorate


def _let_go(code):
    """`code`; what is still in the buffer goes nowhere, so that the interpreter's own last flush does not fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return code
