"""Batch schedulers, one file each: all that is known of it. Here: which there are, and what a path tells.

A module has NAME and RULES, texts as `colmet.common.schedulers.rule` takes them.
"""
from colmet.common.schedulers import oar, slurm
from colmet.common.schedulers.rule import Rule

MODULES = {module.NAME: module for module in (oar, slurm)}
AUTO, NONE, SITE = "auto", "none", "site"


def rules(scheduler=AUTO, site=()):
    """[Rule] of `scheduler`, a name in MODULES, AUTO for all of them or NONE, after the texts of a `site`'s own."""
    names = list(MODULES) if scheduler == AUTO else [] if scheduler == NONE else [scheduler]
    return [Rule(SITE, text) for text in site] + [Rule(name, text) for name in names for text in MODULES[name].RULES]


def identify(path, known):
    """The Identity of the cgroup `path`, from the top of its hierarchy, by the first Rule of `known` that fits; None
    when it is no job's."""
    return next(filter(None, (rule.identify(path) for rule in known)), None)
