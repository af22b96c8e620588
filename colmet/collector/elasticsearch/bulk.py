"""Having a cluster store documents, each once: ``_bulk`` requests, and what the answer says of each item.

An item is done with 2xx, or with 409: its id is there already. One that the server had no room or right for is sent
again; one that it will never take is rejected. Where an answer was not read, a plain index tells by the ids what it
has; an index that rolls over is asked first, as an id is no guard beyond one backing index.
"""
import re
from collections import defaultdict
from typing import List, NamedTuple

from colmet.collector.elasticsearch.client import LINES, SHOWN, TOO_LARGE, Trouble, path, reason
from colmet.collector.elasticsearch.documents import Part

ANSWER = "errors,items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by.reason"
SERVER_WAITS = "50s"        # for shards that are away: less than the client waits for the answer
BULK = "/_bulk?timeout=%s&filter_path=%s" % (SERVER_WAITS, ANSWER)
FOUND = "hits.hits._id,_shards.failed,timed_out,error"
ALL_WELL, CREATED = b'{"errors":false,', b'{"create":{"status":201}}'
IDS = 5000                  # asked for at once; a search gives 10,000 at most
CONFLICT, BUSY = 409, 429
LATER = (401, 403, 404, 408, BUSY)       # of items: rights, blocks of a full disk, an index that is being made
LATER_TYPES = ("index_closed_exception",)
SERIES_ID = "_id must be unset"
_ID = re.compile(rb'^(\{"create":\{"_index":"[^"]*"),"_id":"(?:[^"\\]|\\.)*"(\}\})$', re.M)


class Rejection(NamedTuple):
    """A document that the server will never take; `data` is its two lines."""
    index: str
    status: int
    reason: str
    data: bytes


class Outcome(NamedTuple):
    """What became of some documents: how many are `stored`, which are rejected, which wait for another try, of whom
    `unread` may be stored all the same, and why they wait ("": none does); `busy`: only as the server is."""
    stored: int
    rejections: List[Rejection]
    left: List[Part]
    unread: bool
    why: str
    busy: bool = False


class Sender:
    """Sends `Part`s through `client` to `indices`, in requests of about `limit` bytes."""

    def __init__(self, client, indices, limit):
        self._client, self._indices, self.limit = client, indices, limit

    def send(self, parts, doubtful):
        """The `Outcome` of one try; `doubtful`: an answer about them may have been missed. Raises Trouble, after
        which nothing is known."""
        kinds = {part.layout: self._indices.kind(part.layout) for part in parts}
        stored = 0
        if doubtful:
            before = _count(parts)
            parts = self._absent(parts, kinds)
            stored = before - _count(parts)
            if not parts:
                return Outcome(stored, [], [], False, "")
        if any(kind.series for kind in kinds.values()):
            body = b"".join([_ID.sub(rb"\1\2", part.data) if kinds[part.layout].series else part.data
                             for part in parts])
        else:
            body = b"".join([part.data for part in parts])
        count = _count(parts)
        answer = self._client.ask("POST", BULK, body, LINES, lambda data: _all_stored(data, count))
        if answer.status == TOO_LARGE:
            return self._too_large(parts, len(body), stored, answer)
        if not answer.fine:
            raise Trouble("%s: HTTP %d to a bulk request: %s" % (self._client.host, answer.status, answer.reason))
        if answer.value is None:
            return Outcome(stored + count, [], [], False, "")
        outcome = self._results(parts, self._items(answer, parts))
        return outcome._replace(stored=outcome.stored + stored)

    def _items(self, answer, parts):
        """[(status, error)] of each document."""
        try:
            items = [item["create"] for item in answer.value["items"]]
            found = [(item["status"], item.get("error")) for item in items]
        except (KeyError, TypeError, AttributeError):
            found = None
        if found is None or len(found) != _count(parts) or not all(type(status) is int for status, _ in found):
            raise Trouble(self._client.strange("a bulk request"))
        return found

    def _results(self, parts, items):
        stored, place, rejections, left = 0, 0, [], []
        unread, why, busy = False, "", True
        for part in parts:
            mine, place = items[place:place + part.count], place + part.count
            if all([status < 300 for status, _ in mine]):
                stored += part.count
                continue
            for each, (status, error) in zip(part.split(), mine):
                if status < 300 or status == CONFLICT:
                    stored += 1
                elif self._later(status, error):
                    left.append(each)
                    unread, busy = unread or status >= 500, busy and status == BUSY
                    why = why or "%s: %d for %s: %s" % (self._client.host, status, part.layout.index, reason(error))
                else:
                    rejections.append(Rejection(part.layout.index, status, reason(error), each.data))
        return Outcome(stored, rejections, left, unread, why, busy)

    def _later(self, status, error):
        if status in LATER or status >= 500:
            if status == 404:
                self._indices.forget()
            return True
        if isinstance(error, dict) and SERIES_ID in reason(error):
            self._indices.forget()          # it has become a time series
            return True
        return isinstance(error, dict) and error.get("type") in LATER_TYPES

    def _too_large(self, parts, size, stored, answer):
        """The server takes smaller requests only: send smaller ones, and reject a document too large by itself."""
        if _count(parts) == 1:
            only = Rejection(parts[0].layout.index, TOO_LARGE, answer.reason, parts[0].data)
            return Outcome(stored, [only], [], False, "")
        self.limit = max(size // 2, 1)
        split = [each for part in parts for each in part.split()]
        return Outcome(stored, [], split, False, "%s: takes no request of %d bytes" % (self._client.host, size))

    def _absent(self, parts, kinds):
        """Those of `parts` that no index has which rolls over; in all others an id is stored once."""
        asked = defaultdict(list)
        kept = []
        for part in parts:
            if kinds[part.layout].rolls and not kinds[part.layout].series:
                asked[part.layout.index] += part.split()
            else:
                kept.append(part)
        for index, singles in asked.items():
            answer = self._client.ask("POST", path(index, "_refresh"))
            if answer.fine:
                self._check(answer, index)
                for start in range(0, len(singles), IDS):
                    some = {part.id: part for part in singles[start:start + IDS]}
                    found = self._found(index, list(some))
                    kept += [part for name, part in some.items() if name not in found]
            elif answer.status == 404:
                kept += singles             # there is no such index yet
            else:
                raise Trouble("%s: %s could not be refreshed: %s" % (self._client.host, index, answer.reason))
        return kept

    def _found(self, index, ids):
        body = {"query": {"ids": {"values": ids}}, "size": len(ids), "_source": False, "track_total_hits": False}
        answer = self._client.ask("POST", path(index, "_search") + "?allow_partial_search_results=false&filter_path="
                                  + FOUND, body)
        self._check(answer, index)
        try:
            return {hit["_id"] for hit in answer.value.get("hits", {}).get("hits", [])}
        except (KeyError, TypeError, AttributeError):
            raise Trouble(self._client.strange("a search")) from None

    def _check(self, answer, index):
        value = answer.value if isinstance(answer.value, dict) else {}
        if not answer.fine or (value.get("_shards") or {}).get("failed") or value.get("timed_out"):
            raise Trouble("%s: parts of %s do not answer: %s" % (self._client.host, index, answer.reason[:SHOWN]))


def _all_stored(data, count):
    """Whether the bytes `data` are the whole of an answer that all of `count` documents were created. They are
    mostly, and to parse them takes half as long as to make the documents; of any other answer nothing is said."""
    return data.startswith(ALL_WELL) and data.endswith(b"]}") and data.count(CREATED) == count


def chunks(parts, limit):
    """`parts` in lists of at most `limit` bytes, or of one document where that alone is more."""
    some, size = [], 0
    fitting = [each for part in parts for each in (part.split() if len(part.data) > limit else [part])]
    for part in fitting:
        if some and size + len(part.data) > limit:
            yield some
            some, size = [], 0
        some.append(part)
        size += len(part.data)
    if some:
        yield some


def _count(parts):
    return sum([part.count for part in parts])
