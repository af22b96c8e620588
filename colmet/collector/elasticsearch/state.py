"""What the Elasticsearch writer leaves beside the journal: how far it is, and the documents that were rejected.

``elasticsearch.json``, replaced as a whole and synced at each step, holds one object. It is also the writer's word to
`colmet.collector.status`, whose names it has::

    position      all of the journal below it is stored or rejected
    sending       up to here it may have been sent, though no answer was read
    stored        documents stored, since the file was begun; `rejected` and `retried` likewise
    rejected      documents that the server refuses for good
    retried       documents that were sent again
    error         what is wrong now, "" when nothing is
    last_error    what was wrong last, and `last_error_time`, Unix time, when
    written       Unix time of this file

``elasticsearch.rejected.jsonl`` has a JSON object with time, index, id, status, reason and document in each line.
"""
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from colmet.collector.log import log
from colmet.collector.sequences import replace
from colmet.collector.status import WORD

STATE = "elasticsearch" + WORD
REJECTED = "elasticsearch.rejected.jsonl"
OLDER = ".1"                        # added to the name of the file of rejected documents before
REJECTED_BYTES = 64 * 2 ** 20       # of that file, after which a new one is begun
EVERYTHING = 2 ** 63 - 1


@dataclass
class State:
    """The fields of ``elasticsearch.json``."""
    position: int = 0
    sending: int = 0
    stored: int = 0
    rejected: int = 0
    retried: int = 0
    error: str = ""
    last_error: str = ""
    last_error_time: float = 0.0
    written: float = 0.0

    def save(self, journal):
        """Replace the file in the directory `journal`. Raises OSError."""
        self.written = time.time()
        replace(Path(journal) / STATE, json.dumps(asdict(self)))

    def failed(self, text):
        """Note what is wrong now."""
        self.error = self.last_error = text
        self.last_error_time = time.time()


def load(journal):
    """The `State` in the directory `journal`; a new one where there is none. One that cannot be read is begun again
    as if all had been sent and nothing answered: nothing is lost, and nothing is stored twice."""
    try:
        text = (Path(journal) / STATE).read_text()
    except FileNotFoundError:
        return State()
    try:
        values = json.loads(text)
        state = State(**{name: values[name] for name in asdict(State()) if name in values})
        if not (0 <= state.position <= state.sending):
            raise ValueError("positions that cannot be")
        return state
    except (ValueError, TypeError, AttributeError) as error:
        log.error("%s: cannot be read (%s); looking for each document of the journal", Path(journal) / STATE, error)
        return State(sending=EVERYTHING)


def reject(journal, rejections):
    """Append `rejections` (index, status, reason, bytes of the two lines) to the file of rejected documents; returns
    its path. Raises OSError."""
    path = Path(journal) / REJECTED
    lines = []
    for index, status, reason, data in rejections:
        action, document = data.split(b"\n", 1)
        lines.append(json.dumps({"time": time.time(), "index": index, "id": json.loads(action)["create"]["_id"],
                                 "status": status, "reason": reason, "document": json.loads(document)}))
    if path.exists() and path.stat().st_size > REJECTED_BYTES:
        os.replace(path, path.with_name(path.name + OLDER))
    with open(path, "a") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return path
