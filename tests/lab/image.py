"""What a guest finds in its memory when it starts: an archive of files (cpio, "newc", as the kernel's document
driver-api/early-userspace/buffer-format tells) that it unpacks as its root.

A Python program is taken from this machine with the modules and libraries that it uses here, and no others, under the
paths that they have here: Python is slow in a guest without KVM, and looks for nothing that is not there.
"""
import importlib.util
import json
import marshal
import os
import stat
import subprocess
import sys
from pathlib import Path

LOADER = "/lib64/ld-linux-x86-64.so.2"
PYTHON = os.path.realpath(sys.executable)
# Run with names of modules: prints [files], those of the modules that these load and what is mapped then.
USED = """
import importlib, json, os, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
with open("/proc/self/maps") as maps:
    files.update(line.split(None, 5)[5].strip() for line in maps if "/" in line)
print(json.dumps([sys.path, sorted(path for path in files if path and os.path.isfile(path))]))
"""


class Image:
    """Files by their paths in the guest; `bytes` makes the archive."""

    def __init__(self):
        self._entries = {}      # {path without the first slash: (mode, contents)}

    def add(self, path, contents=b"", mode=0o755):
        """A file."""
        self._put(str(path), stat.S_IFREG | mode, contents)

    def folder(self, path):
        """A directory."""
        self._put(str(path), stat.S_IFDIR | 0o755, b"")

    def link(self, path, target):
        """A symbolic link."""
        self._put(str(path), stat.S_IFLNK | 0o777, os.fsencode(target))

    def copy(self, path):
        """A file of this machine under its own path, with the symbolic links that are on the way."""
        place = "/"
        parts = os.path.abspath(str(path)).split("/")[1:]
        while parts:
            place = os.path.join(place, parts.pop(0))
            if os.path.islink(place):
                target = os.readlink(place)
                self.link(place, target)
                place, rest = "/", os.path.normpath(os.path.join(os.path.dirname(place), target)).split("/")[1:]
                parts = rest + parts
        self.add(place, Path(place).read_bytes(), os.stat(place).st_mode & 0o777)
        if place.endswith(".py"):
            self._compiled(place)

    def program(self, path, place=None):
        """A program of this machine, as `place`, and the libraries that it loads."""
        said = subprocess.run([LOADER, "--list", str(path)], stdout=subprocess.PIPE, check=True)
        for word in [LOADER] + said.stdout.decode().split():
            if os.path.isabs(word):
                self.copy(word)
        self.add(place or path, Path(path).read_bytes())

    def tree(self, folder):
        """A directory of this machine with what is in it, without what Python compiled."""
        for above, _, names in os.walk(str(folder)):
            for name in names if os.path.basename(above) != "__pycache__" else ():
                self.copy(os.path.join(above, name))

    def python(self, *modules, path=()):
        """This Python, with all that these modules load, some of which are in the folders of `path`. Returns the
        folders in which it finds them."""
        environ = dict(os.environ, PYTHONPATH=os.pathsep.join(map(str, path)))
        used = subprocess.run([sys.executable, "-c", USED, *modules], stdout=subprocess.PIPE, check=True, env=environ)
        path, files = json.loads(used.stdout)
        for file in files + [LOADER, PYTHON, "/etc/ld.so.cache"]:
            self.copy(file)
        self._aliases({file for file in files if ".so" in os.path.basename(file)})
        return [folder for folder in path if folder]

    def bytes(self):
        """The archive."""
        parts = [_entry(number, path, *self._entries[path]) for number, path in enumerate(sorted(self._entries), 1)]
        return b"".join(parts) + _entry(0, "TRAILER!!!", 0, b"")

    def _put(self, path, mode, contents):
        path = path.strip("/")
        above = os.path.dirname(path)
        if above and above not in self._entries:
            self.folder(above)
        self._entries[path] = (mode, contents)

    def _compiled(self, path):
        """The module compiled, marked so that its source is not looked at (PEP 552)."""
        code = marshal.dumps(compile(Path(path).read_bytes(), path, "exec", dont_inherit=True))
        header = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + bytes(8)
        self.add(importlib.util.cache_from_source(path), header + code, 0o644)

    def _aliases(self, libraries):
        """The symbolic links beside libraries by which programs ask for them."""
        for folder in {os.path.dirname(library) for library in libraries}:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_symlink() and os.path.realpath(entry.path) in libraries:
                        self.link(entry.path, os.readlink(entry.path))


def _entry(number, path, mode, contents):
    """A header of 13 numbers in hexadecimal digits, the name and the contents, both padded to 4 bytes."""
    name = os.fsencode(path) + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(contents), 0, 0, 0, 0, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    return head + bytes(-len(head) % 4) + contents + bytes(-len(contents) % 4)
