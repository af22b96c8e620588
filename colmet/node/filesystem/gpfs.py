"""GPFS, or Storage Scale: `fs_io_s` of mmpmon, a line for each file system that is mounted.

    _fs_io_s_ _n_ 10.0.0.1 _nn_ node1 _rc_ 0 _t_ 1066660148 _tu_ 407431 _cl_ cluster _fs_ work _d_ 2 _br_ 6291456 ...

of words and values: bytes read and written (br, bw), calls of open, close, read, write and readdir (oc, cc, rdc, wc,
dir), changes of inodes (iu). mmpmon is for root.
"""
from pathlib import Path

from colmet.node.filesystem.reading import Reading, printable

KIND = "gpfs"
MMPMON = Path("usr/lpp/mmfs/bin/mmpmon")
QUESTION = b"fs_io_s\n"
LINE = "_fs_io_s_"
WORDS = {"bytes_read": "_br_", "bytes_written": "_bw_", "reads": "_rdc_", "writes": "_wc_", "opens": "_oc_",
         "closes": "_cc_"}
METADATA = ("_oc_", "_cc_", "_dir_", "_iu_")
DIGITS = 20


class Monitor:
    """mmpmon below `root`, asked by `command` (`colmet.node.filesystem.command.Command`)."""
    kind = KIND

    def __init__(self, root, command):
        self.path, self._command = root / MMPMON, command

    def lacks(self):
        """Why it cannot be asked, and what to do; "" where it can."""
        return "" if self.path.exists() else "no %s; install the package gpfs.base" % self.path

    def ask(self, mounts):
        """[Reading], at the places of `mounts` (`colmet.common.mounts`). Raises `command.Failed`."""
        return readings(self._command.ask([str(self.path), "-p", "-s"], QUESTION), mounts)


def readings(text, mounts):
    """[Reading] of what mmpmon (bytes) says of each file system."""
    points = {mount.source.rpartition("/")[2]: mount.point for mount in reversed(mounts) if mount.kind == KIND}
    found = {}
    for line in text.decode("utf-8", "replace").splitlines():
        words = line.split()
        told = dict(zip(words[1::2], words[2::2]))
        name = told.get("_fs_")
        if words[:1] == [LINE] and name and told.get("_rc_") == "0":
            values = {metric: _number(told.get(word)) for metric, word in WORDS.items()}
            parts = [_number(told.get(word)) for word in METADATA]
            values["metadata"] = None if None in parts else sum(parts)
            found[name] = Reading((KIND, name), KIND, points.get(name, printable(name)), None, values)
    return list(found.values())


def _number(word):
    return int(word) if word and word.isascii() and word.isdigit() and len(word) <= DIGITS else None
