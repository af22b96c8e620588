"""The sources, and the readers that the tasks of jobs have, each opened as the node opens it."""
import copy
import os
from pathlib import Path

from colmet.common.metrics import account
from colmet.node.account import pins
from colmet.node.account import readers as account_readers
from colmet.node.backends import NAMES, load
from colmet.node.backends.taskstats import DELAYS, delays_are_counted
from colmet.node.checks import OFF, ON, PART, Finding, opening, refused

AREA = "sources"
_UNTOUCHED = {"account_pins": ""}       # what a node left there is its own


def sources(values):
    """A Finding for each source, then for each reader of tasks, then for what only some of these give."""
    options = copy.copy(values)
    vars(options).update(_UNTOUCHED)
    for name in NAMES:
        yield _source(name, load(name), options)
    readers = {kind.name: opening(kind, options)[0] for kind in account_readers.READERS}
    yield from _readers(readers, values)
    yield _account(readers, values)
    yield _delays(values)
    yield _pins(values, readers)


def _source(name, module, options):
    tables = tuple(table.name for table in module.TABLES)
    wanted = [table for table in module.TABLES if table.name in options.tables]
    reason, opened = opening(module.Backend, options)
    if reason:
        return refused(AREA, name, reason, [table.name for table in wanted] or tables, bool(wanted))
    if not wanted:
        flags = " or ".join(dict.fromkeys("--enable-" + table.option for table in module.TABLES))
        return Finding(AREA, name, OFF, "not enabled, but could be", flags, tables, False)
    return _state(name, opened, ", ".join(table.name for table in wanted
                                          if table.name not in getattr(opened, "unfilled", ())))


def _state(name, opened, tables):
    """The Finding for a backend that opened, whole or in part."""
    lacks = getattr(opened, "lacks", {})
    if not lacks:
        return Finding(AREA, name, ON, tables)
    why, _, remedy = next(iter(lacks.values())).partition("; ")
    return Finding(AREA, name, PART, "%s, without %s: %s" % (tables, ", ".join(lacks), why), remedy)


def _readers(readers, values):
    used = next((name for name, reason in readers.items() if not reason), None)
    for kind in account_readers.READERS:
        chosen = values.task_reader == kind.name
        if readers[kind.name]:
            yield refused(AREA, "%s (tasks)" % kind.name, readers[kind.name], kind.tables, chosen)
        elif chosen or values.task_reader == account_readers.AUTO and kind.name == used:
            yield Finding(AREA, "%s (tasks)" % kind.name, ON, "reads them", asked=chosen)
        else:
            yield Finding(AREA, "%s (tasks)" % kind.name, ON, "works; for what the readers before it cannot read",
                          asked=False)


def _account(readers, values):
    name = account.TABLE.name
    kinds = [kind for kind in account_readers.READERS if name in kind.tables
             and values.task_reader in (account_readers.AUTO, kind.name)]
    by = next((kind.name for kind in kinds if not readers[kind.name]), None)
    asked = name in values.tables
    if by:
        return Finding(AREA, name, ON, "by %s, ended tasks included" % by, asked=asked)
    reason = readers[kinds[0].name] if kinds else "--task-reader %s does not tell of ended tasks; leave it out" \
        % values.task_reader
    return refused(AREA, name, reason, (name,), asked)


def _delays(values):
    if delays_are_counted(Path(values.root)):
        return Finding(AREA, "delays", ON, "kernel.task_delayacct is not 0", asked=False)
    names = tuple("account." + account.TABLE.metrics[place].name for place in DELAYS)
    return Finding(AREA, "delays", PART, "kernel.task_delayacct is 0: waits for I/O and memory are not measured",
                   "sysctl kernel.task_delayacct=1, or delayacct on the kernel's command line", names, False)


def _pins(values, readers):
    path = values.account_pins
    home = os.path.dirname(path)
    if not path:
        return Finding(AREA, "pins", OFF, "--account-pins is empty: a restart begins the account anew", asked=False)
    if not pins.is_bpf(home):
        return Finding(AREA, "pins", OFF, "no bpf file system at %s: a restart begins the account anew" % home,
                       "mount -t bpf bpf %s" % home, asked=False)
    place = path if os.path.isdir(path) else home
    if not os.access(place, os.W_OK | os.X_OK, effective_ids=True):
        return Finding(AREA, "pins", OFF, "%s may not be written by this user: a restart begins the account anew"
                       % place, "start colmet-node as root, or give another --account-pins", asked=False)
    return Finding(AREA, "pins", ON, "the account goes on over a restart, in %s" % path, asked=False)
