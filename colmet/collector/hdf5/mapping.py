"""What counter_1, counter_2, ... of a table of 0.6 are on each node: the attribute `mapping` of the table, JSON.

{"mappings": [{column: what it is}, ...], "nodes": [[second, hostname, number], ...]}: from that second on the rows of
that node have `mappings[number]`; those of all others, and those before, the first of them.
"""
import json
from collections import Counter

from colmet.collector.hdf5.columns import MAX_ATTRIBUTE

NAME = "mapping"


class Mappings:
    """What the nodes of a window say of their tables."""

    def __init__(self):
        self._first = {}        # {(group, table): {(node, columns as a tuple of pairs): second of the first row}}

    def add(self, batch, block, groups):
        """Take the rows of `block`, whose table has a mapping; `groups` are those of the jobs of `batch`."""
        table = block.table
        columns = tuple(zip([metric.name for metric in table.metrics], table.mapping))
        for group in {groups[row[0]] for row in block}:
            known = self._first.setdefault((group, table.name), {})
            second = batch.time // 10 ** 9
            known[batch.node, columns] = min(known.get((batch.node, columns), second), second)

    def items(self):
        """Yield ((group, table), {(node, columns): second})."""
        return self._first.items()


def merged(old, first):
    """The text of the attribute: `old`, what it was ("" or None where there is none), and what a window says, {(node,
    columns): second}."""
    old = old.decode("utf-8", "replace") if isinstance(old, bytes) else str(old or "")
    found = _read(old)
    mappings, nodes = found["mappings"], found["nodes"]
    if not mappings and first:
        mappings.append(dict(Counter(columns for _, columns in first).most_common(1)[0][0]))
    for second, node, columns in sorted((second, node, columns) for (node, columns), second in first.items()):
        columns = dict(columns)
        if of(found, node, second) != columns:
            if columns not in mappings:
                mappings.append(columns)
            nodes.append([second, node, mappings.index(columns)])
    text = json.dumps(found)
    return text if len(text) <= MAX_ATTRIBUTE else old


def of(found, node, second):
    """{column: what it is} of a row, from what the attribute holds; None where it does not tell."""
    number = 0
    for since, name, place in found["nodes"]:
        if name == node and since <= second:
            number = place
    return found["mappings"][number] if found["mappings"] else None


def _read(text):
    try:
        found = json.loads(text)
        return {"mappings": list(found.get("mappings", ())), "nodes": list(found.get("nodes", ()))}
    except (ValueError, AttributeError, TypeError):
        return {"mappings": [], "nodes": []}
