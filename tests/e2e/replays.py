"""Recordings replayed as somebody else: not root, on whom every look at the machine is told."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

from colmet.common import wire
from colmet.common.batch import Block
from colmet.common.metrics import TABLES
from collectors import Native

HERE = "/proc /sys /dev /run".split()
ELSEWHERE = """
import os, sys
from importlib import import_module
from pathlib import Path
import colmet.node
from colmet.node import backends, main
for path in Path(colmet.node.__file__).parent.rglob("*.py"):        # what is imported later may not be readable then
    import_module("colmet.node." + ".".join(path.relative_to(Path(colmet.node.__file__).parent).with_suffix("").parts))
for path in Path(colmet.node.__file__).parent.glob("_*.so"):
    import_module("colmet.node." + path.name.partition(".")[0])
places, seen = sys.argv[1].split(":"), []
def look(event, arguments):
    if event in ("open", "os.listdir", "os.scandir") and str(arguments[0]).startswith(tuple(places)):
        seen.append(arguments[0])
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
sys.addaudithook(look)
exec(sys.argv[2])
code = main.main(sys.argv[3:])
sys.exit("looked at %s" % seen if seen else code)
"""


class Keeping(Native):
    """A collector that keeps the `frames` of each batch by sequence, as the outbox had them, and the `jobs` in them."""

    def __init__(self, uri):
        self.frames, self.jobs = {}, []
        super().__init__(uri)

    def take(self, message):
        fields, payload = wire.parse(message[1:])
        if fields["type"] != "batch":
            super().take(message)
            return
        self.frames[fields["sequence"]] = payload
        self.jobs += json.loads(payload[0])["jobs"]
        self.received.add(fields["sequence"])
        self.send(message[0], wire.message("ack", **self.state(fields["session"])))


def replay(recording, uri, folder, *arguments, forbidden=(), planted=""):
    """Start a replay of the file `recording`: Popen; what it says on stderr comes by a pipe. `forbidden` are more
    places that it must not look at, `planted` is Python to run before."""
    places = ":".join(HERE + list(map(str, forbidden)))
    command = [sys.executable, "-c", ELSEWHERE, places, planted, "--replay", recording, "--zeromq-uri", uri, "--wire",
               "native", *arguments]
    return subprocess.Popen(list(map(str, command)), cwd=folder, stderr=subprocess.PIPE, text=True,
                            env=dict(os.environ, PYTHONHASHSEED="random"))


def replayed(recording, uri, *arguments, forbidden=(), planted=""):
    """({sequence: frames}, exit code, what it said) of a replay, in a folder that anybody may read."""
    native = "tcp://127.0.0.1:%d" % (int(uri.rpartition(":")[2]) + 1)
    with tempfile.TemporaryDirectory() as folder, Keeping(native) as collector:
        os.chmod(folder, 0o755)
        copy = shutil.copy(recording, folder)
        os.chmod(copy, 0o644)
        process = replay(copy, uri, folder, *arguments, forbidden=forbidden, planted=planted)
        try:
            collector.serve(lambda: process.poll() is not None)
            return collector.frames, process.returncode, process.stderr.read()
        finally:
            process.kill()
            process.wait()
            process.stderr.close()


def rows(frames, name):
    """{instance: values} of the node's rows of the table `name`, whatever its fingerprint, in a batch."""
    head = json.loads(frames[0])
    place = [each[0] for each in head["blocks"]].index(name)
    block = Block(TABLES[name], frames[1 + place])
    return {head["strings"][row[1]]: row[2:] for row in block}
