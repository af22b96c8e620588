"""The front door: ``colmet COMMAND ...``. A command is a module of colmet.view with a `main(argv) -> int`."""
import sys
from importlib import import_module
from typing import NamedTuple

from colmet import __version__
from colmet.common.options import near_to
from colmet.common.output import printing


class Command(NamedTuple):
    """A command: the task that it is listed under, its name (that of its module too) and what it does."""
    task: str
    name: str
    does: str


COMMANDS = (
    Command("measure", "run", "run a command and say what it used"),
    Command("measure", "attach", "the same for a process or cgroup that runs already"),
    Command("operate", "check", "say what this machine lets Colmet measure, and what to do"),
)
TASKS = ("measure", "look", "operate")
PLAIN = {"-h", "--help", "help"}


def help_text():
    """What ``colmet --help`` prints: the commands by task."""
    lines = ["usage: colmet COMMAND ...        `colmet COMMAND --help` says more"]
    for task in TASKS:
        commands = [command for command in COMMANDS if command.task == task]
        if commands:
            lines += ["", task]
            lines += ["  %-10s %s" % (command.name, command.does) for command in commands]
    return "\n".join(lines + ["", "  colmet run -- make -j4", ""])


@printing("colmet")
def main(argv=None):
    """Run the command named first; exit code 2 where there is none of that name."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if argv == ["--version"]:
        print("colmet %s" % __version__)
        return 0
    if argv[:1] == ["help"] and argv[1:]:
        argv = [argv[1], "--help"]          # what `run` would start is not asked for its help
    if argv and argv[0] in PLAIN:
        print(help_text(), end="")
        return 0
    if not argv:
        print(help_text(), end="", file=sys.stderr)
        return 2
    if argv[0] not in [command.name for command in COMMANDS]:
        print("colmet: %s: no such command%s" % (argv[0], _hint(argv[0])), file=sys.stderr)
        return 2
    return import_module("colmet.view." + argv[0]).main(argv[1:])


def _hint(word):
    near = near_to(word, [command.name for command in COMMANDS])
    return "; did you mean `colmet %s`?" % near if near else "; `colmet --help` lists them"


if __name__ == "__main__":
    sys.exit(main())
