"""The end of a job: its last readings, and its row of the `job` table."""
import json


def read_facts(path):
    """What whoever waited for a job's process wrote of its end (``--exit-facts``): a dict with "job" (text), and None
    or an int for "start", "end" (Unix time), "cpu" (ns), "peak_memory", "read_bytes", "write_bytes" (bytes). None
    when there is no such file, or it is none of ours."""
    try:
        with open(path, "rb") as file:
            facts = json.loads(file.read())
        found = {"job": str(facts["job"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    for name in ("start", "end", "cpu", "peak_memory", "read_bytes", "write_bytes"):
        value = facts.get(name)
        found[name] = value if isinstance(value, int) and 0 <= value < 2 ** 63 else None
    return found
