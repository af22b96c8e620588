"""What the path of a cgroup tells: a rule is the path from the top of its hierarchy, each part a regular expression.

    slurm/uid_(?P<user>[0-9]+)/job_(?P<job>[0-9]+)/step_(?P<step>.+)

The parts up to the one that names the job must fit whole names of directories; those after it say what steps and
tasks are called, as far as there are any.
"""
import os
import re
from collections import namedtuple

GROUPS = ("job", "step", "task", "user", "uid", "sluid")
_LETTER = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.S)     # or [...], where a "]" may come first
_WORDS = ((r"\(\?P<(\w+)>[^()]*\)", r"<\1>"), (r"\(\?:([^()|]*)\)\?", r"[\1]"), (r"\(\?:", "("),
          (r"(?<!\\)\.[+*]", "*"), (r"\\(\W)", r"\1"))
Identity = namedtuple("Identity", "scheduler job step task user uid sluid")
Identity.__doc__ = """Of one cgroup, texts, None where the path does not tell: `uid` is the user's number; `sluid`
Slurm's own name of a job whose number the path does not tell."""


class Rule:
    """`text` as above, of `scheduler`; the part `depth`, from 0, names the job. Raises ValueError saying what is wrong
    with it."""

    def __init__(self, scheduler, text):
        self.scheduler, self.text = scheduler, text
        try:
            self._parts = [re.compile(part) for part in split(text)]
        except re.error as error:
            raise ValueError("not a regular expression in each part between slashes: %s" % error) from None
        unknown = {name for part in self._parts for name in part.groupindex} - set(GROUPS)
        if unknown:
            raise ValueError("(?P<%s>...): the groups are %s" % (min(unknown), ", ".join(GROUPS[:4])))
        naming = [place for place, part in enumerate(self._parts) if {"job", "sluid"} & set(part.groupindex)]
        if len(naming) != 1:
            raise ValueError("needs one group (?P<job>...), in one part between slashes")
        self.depth = naming[0]

    @property
    def shape(self):
        """The path of a job's cgroup for people to read: slurm[_*]/uid_<uid>/job_<job>."""
        text = "/".join(split(self.text)[:self.depth + 1])
        for pattern, words in _WORDS:
            text = re.sub(pattern, words, text)
        return text

    def fits(self, level, name):
        """The groups that the directory `name` gives as the part `level`, a dict; None where it does not fit."""
        match = self._parts[level].fullmatch(name) if level < len(self._parts) else None
        return match and {key: clean(value) for key, value in match.groupdict().items() if value is not None}

    def identity(self, groups):
        """The Identity of these groups; None for job 0, which is the node, and where there is no job."""
        job = groups.get("job")
        if job is not None and not job.strip("0") or job is None and "sluid" not in groups:
            return None
        return Identity(self.scheduler, *(groups.get(name) for name in GROUPS))

    def step(self, names):
        """(step, task) that the `names` of directories below the job's tell, each a text or None."""
        groups = {}
        for level, name in enumerate(names, self.depth + 1):
            found = self.fits(level, name)
            if found is None:
                break
            groups.update(found)
        return groups.get("step"), groups.get("task")

    def identify(self, path):
        """The Identity of the cgroup `path`, from the top of its hierarchy; None when it is no job's."""
        groups = {}
        names = path.strip("/").split("/")
        for level, name in enumerate(names):
            found = self.fits(level, name)
            if found is None:
                break
            groups.update(found)
        else:
            level = len(names)
        return self.identity(groups) if level > self.depth else None


def split(text):
    """The parts of a rule: `text` cut at each slash that is neither escaped nor within [...]."""
    return [part for part in "".join("\0" if each == "/" else each for each in _LETTER.findall(text)).split("\0")
            if part]


def clean(name):
    """The name of a directory, as `os.fsdecode` gives it, as text that any store takes."""
    return os.fsencode(name).decode("utf-8", "replace")


def rule_fault(text):
    """"" or what is wrong with `text` as a rule of a site."""
    try:
        Rule("", text)
    except ValueError as error:
        return str(error)
    return ""
