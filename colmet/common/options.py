"""Command lines declared as data: one `Option` each gives the parser, the help and the keys of ``--config``.

A configuration file is INI: one section named for the program (``[colmet-node]``), one key per long option
without its dashes; a repeatable option has one value per line, a switch is yes or no. The command line goes first.
"""
import argparse
import configparser
import difflib
from dataclasses import dataclass
from typing import Any, Callable, Optional, Tuple

from colmet import __version__


@dataclass(frozen=True)
class Option:
    """One option. `kind` makes a value from text (bool: a switch); `check` returns "" or what is wrong with
    a value; `many` is "" (one value), "repeat" (``-x 1 -x 2``) or "words" (``-x 1 2``)."""
    flags: Tuple[str, ...]
    help: str
    default: Any = None
    kind: Callable = str
    unit: str = ""
    metavar: str = ""
    many: str = ""
    group: str = ""
    check: Optional[Callable] = None
    hidden: bool = False        # left out of --help

    @property
    def key(self):
        """Its name in a configuration file: the last long flag without dashes."""
        return self.flags[-1].lstrip("-")

    @property
    def dest(self):
        """Its attribute in the parsed options."""
        return self.key.replace("-", "_")


CONFIG = Option(("--config",), "INI file with one key per option; read again on SIGHUP", metavar="FILE")
VERBOSE = Option(("-v", "--verbose"), "more messages: -v warnings, -vv also information, -vvv everything",
                 0, kind=int, many="count")


def above(limit):
    """A check: the value must be above `limit`."""
    return lambda value: "" if value > limit else "must be above %s" % limit


def at_least(limit):
    """A check: the value must be `limit` or more."""
    return lambda value: "" if value >= limit else "must be at least %s" % limit


class Usage(Exception):
    """The command line or the configuration file is wrong by itself; the text names the option."""


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise Usage(message)

    def print_help(self, file=None):
        """As argparse does by itself from Python 3.11 on: who cannot be told is not told."""
        try:
            super().print_help(file)
        except OSError:
            pass


def parse(program, description, options, argv, retired=None, positional=None, commands=("",)):
    """The values of `options` by `dest`, from `argv` over the ``--config`` file over the defaults. Raises Usage.
    `retired` maps flags of old releases to what to use in their place; `positional(parser)` may add arguments;
    `commands` are words that may come first, with these options after them, "" for none; they are not in `argv`."""
    for word in argv:
        if word.split("=")[0] in (retired or {}):
            raise Usage("%s was retired: %s" % (word.split("=")[0], retired[word.split("=")[0]]))
    parser = build(program, description, options)
    parser.usage = "\n       ".join(" ".join(filter(None, (program, word, "[OPTION ...]"))) for word in commands)
    if positional:
        positional(parser)
    values, unknown = parser.parse_known_args(argv)
    if unknown:
        raise Usage(_unknown(unknown[0], options, commands))
    given = {} if not getattr(values, "config", None) else read_config(values.config, program, options)
    for option in options:
        value = getattr(values, option.dest)
        if value is None:
            value = given.get(option.dest, option.default)
        setattr(values, option.dest, value)
        _check(option, value)
    return values


def _unknown(word, options, commands):
    """What to say to `word`, which is none of `options`."""
    if not word.startswith("-"):
        near, what = near_to(word, commands), "not expected here"
    else:
        word = word.split("=")[0]
        near, what = near_to(word, [flag for option in options if not option.hidden for flag in option.flags]), \
            "no such option"
    return "%s: %s; %s" % (word, what, "did you mean %s?" % near if near else "--help lists the options")


def near_to(word, words):
    """The one of `words` that `word` is most like, whatever its case; "" where none is."""
    by_lower = {each.lstrip("-").lower(): each for each in words}
    near = difflib.get_close_matches(word.lstrip("-").lower(), by_lower, 1)
    return by_lower[near[0]] if near else ""


def build(program, description, options):
    """An argparse parser for `options`, whose help states unit and default."""
    parser = _Parser(prog=program, description=description)
    parser.add_argument("--version", action="version", version="%s %s" % (program, __version__))
    groups = {"": parser}
    for option in options:
        if option.group not in groups:
            groups[option.group] = parser.add_argument_group(option.group)
        _add(groups[option.group], option)
    return parser


def _add(parser, option):
    text = argparse.SUPPRESS if option.hidden else _help(option).replace("%", "%%")
    common = {"help": text, "dest": option.dest, "default": None}
    if option.kind is bool:
        parser.add_argument(*option.flags, action="store_true", **common)
    elif option.many == "count":
        parser.add_argument(*option.flags, action="count", **common)
    else:
        action = {"action": "append"} if option.many == "repeat" else {}
        words = {"nargs": "+"} if option.many == "words" else {}
        name = option.metavar or option.key.replace("-", "_").upper()
        parser.add_argument(*option.flags, type=option.kind, metavar=name, **action, **words, **common)


def _help(option):
    if option.kind is bool or option.default in (None, "", (), []) or option.many == "count":
        return option.help
    default = " ".join(option.default) if isinstance(option.default, (list, tuple)) else option.default
    return "%s (default: %s%s)" % (option.help, default, " " + option.unit if option.unit else "")


def _check(option, value):
    if option.check is None or value is None:
        return
    for each in value if isinstance(value, (list, tuple)) else [value]:
        fault = option.check(each)
        if fault:
            unit = " (%s)" % option.unit if option.unit else ""
            raise Usage("--%s %s: %s%s" % (option.key, each, fault, unit))


def read_config(path, program, options):
    """Values by `dest` from section [program] of the INI file `path`; raises Usage naming file and key."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        with open(path) as file:
            parser.read_file(file)
    except UnicodeDecodeError:
        raise Usage("--config %s: not text in UTF-8; give another" % path) from None
    except OSError as error:
        raise Usage("--config %s: %s; give another" % (path, error.strerror)) from None
    except configparser.Error as error:
        raise Usage("--config %s: %s; correct it" % (path, " ".join(str(error).split()))) from None
    section = parser[program] if parser.has_section(program) else {}
    known = {option.key: option for option in options}
    values = {}
    for key, text in section.items():
        if key not in {name.lower() for name in known}:
            near = near_to(key, known)
            hint = "; did you mean %s?" % near if near else "; %s --help lists them" % program
            raise Usage("--config %s: %s: no such option%s" % (path, key, hint))
        option = next(option for name, option in known.items() if name.lower() == key)
        values[option.dest] = _value(option, text, path)
    return values


def _value(option, text, path):
    try:
        if option.kind is bool:
            return configparser.ConfigParser.BOOLEAN_STATES[text.lower()]
        if option.many in ("repeat", "words"):
            lines = text.split() if option.many == "words" else text.splitlines()
            return [option.kind(line.strip()) for line in lines if line.strip()]
        return option.kind(text)
    except (KeyError, ValueError):
        kind = "yes or no" if option.kind is bool else getattr(option.kind, "__name__", "value")
        raise Usage("--config %s: %s = %s: not a valid %s" % (path, option.key, text, kind)) from None
