"""The kernels that guests boot: of a distribution, unpacked by ``scripts/lab.sh`` into folders of `CACHE`."""
import lzma
import re

from checkout import CHECKOUT

CACHE = CHECKOUT / ".cache" / "lab"
USUAL = CACHE / "kernel"        # for virtual machines


class Absent(Exception):
    """What a guest needs is not on this machine; the text says what, and what brings it."""


class Kernel:
    """`image` is its path, `release` what uname(1) says in the guest. Raises Absent."""

    def __init__(self, folder=USUAL):
        images = sorted((folder / "boot").glob("vmlinuz-*"))
        if not images:
            raise Absent("a kernel for the guest: make lab fetches it on Debian")
        self.image = images[-1]
        self.release = self.image.name.partition("-")[2]
        self._files = {path.name.partition(".")[0].replace("-", "_"): path
                       for path in (folder / "lib" / "modules" / self.release).glob("**/*.ko*")}

    def modules(self, names):
        """[(name, contents)] of the modules `names` and of what they need, in the order in which they are loaded.
        What the kernel has built in is no module, and left out."""
        found = {}
        for name in names:
            self._add(name, found)
        return list(found.items())

    def _add(self, name, found):
        if name in found or name not in self._files:
            return
        contents = _contents(self._files[name])
        for needed in depends(contents):
            self._add(needed, found)
        found[name] = contents


def depends(contents):
    """Names of the modules that a module needs, from its section .modinfo: "depends=a,b" between null bytes."""
    match = re.search(rb"\0depends=([^\0]*)\0", contents)
    return [name.replace("-", "_") for name in match.group(1).decode().split(",") if name] if match else []


def _contents(path):
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data
