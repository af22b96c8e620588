"""Lines on stderr, each beginning with the program's name."""
import logging
import sys

LEVELS = (logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)    # without -v, -v, -vv, -vvv


def show(log, verbose):
    """Let through what `verbose`, the number of -v, asks for of the program's logger `log`. Errors always are."""
    log.setLevel(LEVELS[min(verbose, len(LEVELS) - 1)])
    if not log.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
        log.addHandler(handler)
        log.propagate = False
