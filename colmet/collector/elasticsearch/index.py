"""Which index a table goes to, found out from the server and made where it lacks.

A plain index that exists under the name is used; else the name becomes a data stream, by a template of ours with
that exact name, unless a template of the site fits it: then the site's is what counts.
"""
import fnmatch
from typing import NamedTuple

from colmet.collector.elasticsearch import mapping
from colmet.collector.elasticsearch.client import Trouble, path
from colmet.collector.log import log, tell


class Kind(NamedTuple):
    """What a name stands for. `rolls`: it may get another backing index, beyond which an id is no guard; `series`:
    a time series, which makes the ids itself and finds doubles by their dimensions and time."""
    rolls: bool = False
    series: bool = False


class Indices:
    """The indices of a cluster, each looked at when it is first needed."""

    def __init__(self, client, settings):
        self._client = client
        self._plain, self._series = settings.elastic_plain_index, settings.elastic_time_series
        self._age = settings.elastic_retention or ""
        self._keeper = None             # what deletes: "lifecycle", "ilm" or ""
        self._kinds = {}
        self._said = set()

    def kind(self, layout):
        """The `Kind` of the index of `layout`, which then is ready to be written to. Raises Trouble."""
        found = self._kinds.get(layout.index)
        if found is None:
            try:
                found = self._kinds[layout.index] = self._look(layout)
            except (KeyError, TypeError, AttributeError):
                raise Trouble(self._client.strange("GET " + path(layout.index))) from None
        return found

    def forget(self):
        """Look at all of them again: the server was away, and who knows what was done to it."""
        self._kinds.clear()

    def _look(self, layout):
        answer = self._client.ask("GET", path(layout.index))
        if not answer.fine:
            return self._make(layout)
        known = set(layout.properties())
        concrete = sorted(answer.value)
        series = False
        for name in concrete:
            about = answer.value[name]
            series = about.get("settings", {}).get("index", {}).get("mode") == "time_series"
            known -= set(about.get("mappings", {}).get("properties", {})) if name == concrete[-1] else set()
        if concrete == [layout.index]:
            self._complete(layout, known)
            self._say_no_retention(layout)
            return Kind()
        stream = all(name.startswith(".ds-") for name in concrete)
        if stream and layout.index in self._templates(layout, own=True):
            self._put_template(layout)
        self._complete(layout, known)
        return Kind(rolls=True, series=series)

    def _make(self, layout):
        theirs = self._templates(layout)
        if theirs:
            name, (stream, series) = next(iter(theirs.items()))
            log.info("%s: made by the site's template %s", layout.index, name)
            if stream or not self._plain:
                return Kind(rolls=stream, series=series)
        if self._plain:
            answer = self._client.ask("PUT", path(layout.index), mapping.index_body(layout))
            if not answer.fine and "already_exists" not in answer.reason:
                log.error("%s: could not be made: %s; the server's own defaults are used", layout.index, answer.reason)
            self._say_no_retention(layout)
            return Kind()
        return Kind(rolls=True, series=self._put_template(layout))

    def _templates(self, layout, own=False):
        """{name: (data stream, time series)} of the templates that fit the index, the one that counts first;
        `own`: only ours."""
        found = []
        answer = self._client.ask("GET", "/_index_template")
        for each in (answer.value or {}).get("index_templates", []) if answer.fine else []:
            body = each["index_template"]
            if _fits(layout.index, body.get("index_patterns", [])):
                ours = (body.get("_meta") or {}).get("made_by") == "colmet" and each["name"] == layout.index
                settings = (body.get("template") or {}).get("settings", {}).get("index", {})
                facts = ("data_stream" in body, settings.get("mode") == "time_series")
                if ours == own:
                    found.append((-(body.get("priority") or 0), each["name"], facts))
        if not found and not own:
            answer = self._client.ask("GET", "/_template")
            for name, body in (answer.value or {}).items() if answer.fine else ():
                if _fits(layout.index, body.get("index_patterns", [])):
                    found.append((0, name, (False, False)))
        return {name: facts for _, name, facts in sorted(found)}

    def _put_template(self, layout):
        """Make our template, without what this server does not have; returns whether it makes time series."""
        keep = self._keep()
        look_back, series = True, self._series
        while True:
            body = mapping.template_body(layout, series, look_back, self._age if keep == "lifecycle" else "",
                                         _policy(layout) if keep == "ilm" else "")
            if keep == "ilm":
                self._client.ask("PUT", path("_ilm", "policy", _policy(layout)), mapping.policy_body(self._age))
            answer = self._client.ask("PUT", path("_index_template", layout.index), body)
            if answer.fine:
                return series
            if series and look_back and "look_back_time" in answer.reason:
                look_back = False
            elif keep:
                keep = ""
                self._keeper = ""
                self._say("--elastic-retention", "the server refuses it (%s); delete old data yourself" % answer.reason)
            elif series:
                series = self._series = False
                self._say("--elastic-time-series", "the server refuses it (%s); plain data streams are used"
                          % answer.reason)
            else:
                log.error("%s: its template could not be made: %s; the server's own defaults are used", layout.index,
                          answer.reason)
                return False

    def _keep(self):
        """What the server has to delete old data."""
        if self._age and self._keeper is None:
            self._keeper = ""
            for keeper, probe in (("lifecycle", "/_lifecycle/stats"), ("ilm", "/_ilm/status")):
                if not self._keeper and self._client.ask("GET", probe).fine:
                    self._keeper = keeper
            if not self._keeper:
                self._say("--elastic-retention", "this server has neither data stream lifecycles nor ILM; delete old "
                          "data yourself")
        return self._keeper

    def _complete(self, layout, lacking):
        """Tell an index that exists the types of fields that it does not know yet."""
        fields = {name: field for name, field in layout.properties().items() if name in lacking}
        if fields:
            answer = self._client.ask("PUT", path(layout.index, "_mapping"), {"properties": fields})
            if not answer.fine:
                log.error("%s: the types of new fields could not be told: %s", layout.index, answer.reason)

    def _say_no_retention(self, layout):
        if self._age:
            self._say("--elastic-retention", "has no effect on plain indices, such as %s" % layout.index)

    def _say(self, option, text):
        if option not in self._said:
            self._said.add(option)
            tell("%s: %s" % (option, text))


def _fits(index, patterns):
    patterns = [patterns] if isinstance(patterns, str) else patterns
    return any(fnmatch.fnmatchcase(index, pattern) for pattern in patterns)


def _policy(layout):
    return layout.index + "-retention"
