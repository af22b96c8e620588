"""``colmet check``: what this machine lets Colmet measure; it is ``colmet-node check``, in whose place it runs."""
import os
import sys

from colmet.view.daemons import found_first

USAGE = """\
usage: colmet check [--json] [OPTION of colmet-node ...]

Tells what this machine lets colmet-node measure with the same options: what is
on, what is off, why, what to do, and what it costs. `colmet-node check --help`
lists the options. Exits with 1 where something that they ask for does not work.
"""
# Not -m, which would find a package of this name in the folder that somebody is in.
_PROGRAM = ("import sys; sys.path[:] = filter(None, sys.path); from colmet.node.main import main; "
            "sys.exit(main(['check'] + sys.argv[1:]))")


def main(argv):
    """Become that program; returns only for --help."""
    if {"-h", "--help"} & set(argv):
        print(USAGE, end="")
        return 0
    sys.stdout.flush()
    return os.execve(sys.executable, [sys.executable, "-c", _PROGRAM] + list(argv), found_first(os.environ))
