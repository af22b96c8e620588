"""What the names of directories tell: which are jobs, and of whom."""
import os
import re

DEFAULT_PATTERNS = (r"_(\d+)$",)


def check_pattern(text):
    """"" or what is wrong with `text` as a pattern for job ids."""
    try:
        groups = re.compile(text).groups
    except re.error as error:
        return "not a regular expression: %s" % error
    return "" if groups else "has no group for the job's id; write one in parentheses, as in %s" % DEFAULT_PATTERNS


def identify(name, patterns):
    """(id, user) of a directory's `name`, by the first of the compiled `patterns` that is found in it and has an id
    in its group 1; None when it is no job's. Id 0 is the node's and no job's. The user is what stands before the
    match, with a "_" between: ``alice_12``."""
    for pattern in patterns:
        match = pattern.search(name)
        if match and match.group(1) and match.group(1).strip("0"):
            before, found = name[:match.start()], match.group()
            user = before[:-1] if before.endswith("_") else before if found.startswith("_") else ""
            return _text(match.group(1)), _text(user)
    return None


def _text(name):
    return os.fsencode(name).decode("utf-8", "replace")
