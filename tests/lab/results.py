"""How the tests read what the guest of ``one_guest.py`` gave."""
import stored

READERS = ("bpf", "netlink", "proc")
NODES = READERS + ("slow",)
JOBS = {"1": "burns", "2": "has children", "3": "reads and writes", "4": "fills memory"}
FEW = {"5": "in a cgroup that few controllers count", "6": "so too, its name a SLUID"}


def rows(lab, number, table, reader):
    """Rows of one table of a job by the node of one reader."""
    return [row for row in stored.rows(lab.path, number, table) if row["hostname"] == reader.encode()]


def asleep(lab, number, table, reader):
    """The first of those made after the job had done its work; several ticks were awaited before it ended. Tables of
    0.6 have whole seconds."""
    ready = lab.truth["jobs"][number]["live"]["ready"]
    return next(row for row in rows(lab, number, table, reader) if row["timestamp"] * 10 ** 9 > ready)


def still(lab, number, found):
    """Those of the rows `found` of a job that were read between the two times at which the files of its cgroup were
    kept, while its processes slept; each is stamped before it is read."""
    begin, end = (files["time"] for files in lab.truth["jobs"][number]["still"])
    chosen = [row for row in found if begin < row["time"] < end][:-1]
    assert chosen, (begin, end, [row["time"] for row in found])
    return chosen


def counter(text, name):
    """The number after `name` in the text of cpu.stat or io.stat; 0 without."""
    words = text.replace("=", " ").split()
    return int(words[words.index(name) + 1]) if name in words else 0


def said(lab, name):
    """What the node `name` said, as one line."""
    return " ".join(lab.result.files[name + ".err"].decode().split())
