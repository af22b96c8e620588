"""Made-up machines that mount shared file systems: the files in which Lustre and NFS tell of themselves, the programs
that GPFS and BeeGFS are asked by, with values that a test moves.
"""
from types import SimpleNamespace

from colmet.common.metrics import TABLES
from colmet.node.backends import filesystem
from loads import executable

NAMES = [metric.name for metric in TABLES["filesystem"].metrics]
LUSTRE_2_5, LUSTRE_2_12, LUSTRE_2_15 = "2.5", "2.12", "2.15"
FOLDERS = {LUSTRE_2_5: "proc/fs/lustre/llite", LUSTRE_2_12: "sys/kernel/debug/lustre/llite",
           LUSTRE_2_15: "sys/kernel/debug/lustre/llite"}
START = 1700000000          # Unix time at which Lustre 2.15 says that it began, s
EVENTS = 27


class Machine:
    """Below `root`, with nothing mounted but /proc."""

    def __init__(self, root):
        self.root, self._mounts, self._devices = root, [], 20
        self.mount("proc", "proc", "/proc")

    def mount(self, kind, source, point, device=None, told="\n"):
        """A mount at the end of mountinfo, by default of a `device` of its own, which is returned; `told` is what
        mountstats tells of it."""
        self._devices += 1
        device = self._devices if device is None else device
        self._mounts.append((kind, source, point, device, told))
        self._write()
        return device

    def unmount(self, point):
        """Take away what is mounted there."""
        self._mounts = [mount for mount in self._mounts if mount[2] != point]
        self._write()

    def nfs(self, source, point, device=None, kind="nfs4", **told):
        """Mount NFS; `told` as `nfs_lines` takes it."""
        return self.mount(kind, source, point, device, nfs_lines(**told))

    def tell(self, point, **told):
        """What NFS mounted there tells from now on."""
        self._mounts = [mount[:4] + (nfs_lines(**told),) if mount[2] == point else mount for mount in self._mounts]
        self._write()

    def lustre(self, entry, version=LUSTRE_2_15, **counts):
        """The client `entry`; `counts` as `lustre_text` takes them. Returns its file."""
        path = self.root / FOLDERS[version] / entry / "stats"
        put(path, lustre_text(version, **counts))
        if version != LUSTRE_2_5:
            put(self.root / "sys/fs/lustre/llite" / entry / "uuid", "x\n")
        return path

    def gpfs(self, script):
        """mmpmon is this shell script."""
        path = self.root / "usr/lpp/mmfs/bin/mmpmon"
        program(path, script)
        return path

    def _write(self):
        folder = self.root / "proc" / "1"
        put(folder / "mountinfo", "".join(
            "%d 1 0:%d / %s rw,relatime shared:1 - %s %s rw\n"
            % (place + 30, device, escaped(point), kind, escaped(source))
            for place, (kind, source, point, device, _) in enumerate(self._mounts)))
        put(folder / "mountstats", "".join(
            "device %s mounted on %s with fstype %s%s" % (escaped(source), escaped(point), kind, told)
            for kind, source, point, _, told in self._mounts))


def busy(root):
    """A `Machine` with two file systems in use."""
    machine = Machine(root)
    machine.lustre("scratch-ffff88017d1b6800", read=(3, 2101248), write=(5, 10 ** 13), open=7, close=6, getattr=4)
    machine.mount("lustre", "10.0.0.1@o2ib:10.0.0.2@o2ib:/scratch", "/scratch")
    machine.nfs("server:/export", "/users", opens=12, closes=11, sizes=(1000, 2000, 30, 40, 500, 600, 7, 8),
                READ=(5, 6, 1, 70, 0), WRITE=(4, 4, 0, 30, 2), GETATTR=(100, 100, 0, 200, 1))
    return machine


def put(path, text):
    """Write the file; whoever has it open, and where the text is as long as before, reads the old or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "r+" if path.exists() else "w", encoding="utf-8") as file:
        file.write(text)
        file.truncate()


def swap(path, text):
    """Write the file so that whoever opens it has the old text or the new."""
    put(path.with_name(path.name + ".new"), text)
    path.with_name(path.name + ".new").replace(path)


def program(path, script):
    """An executable."""
    executable(path, "#!/bin/sh\n" + script)


def escaped(text):
    """As the kernel writes names (mangle() of fs/proc_namespace.c)."""
    return "".join("\\%03o" % ord(each) if each in " \t\n\\#" else each for each in text)


def nfs_lines(age=100, opens=0, closes=0, sizes=(0,) * 8, statvers="1.1", **requests):
    """What follows "with fstype nfs4" of a mount; `requests` are {READ: (requests, sent, timeouts, ms, errors)}."""
    events = [0] * EVENTS
    events[4], events[17] = opens, closes
    lines = ["opts:\trw,vers=4.2,rsize=1048576,wsize=1048576,namlen=255,hard,proto=tcp,timeo=600,retrans=2,sec=sys",
             "age:\t%d" % age, "impl_id:\tname='',domain='',date='0,0'",
             "caps:\tcaps=0xfffbc0bf,wtmult=512,dtsize=1048576",
             "nfsv4:\tbm0=0xfdffbfff,bm1=0x40f9be3e,bm2=0x60803,acl=0x3,sessions,pnfs=not configured,lease_time=90",
             "sec:\tflavor=1,pseudoflavor=1", "events:\t%s " % " ".join(map(str, events)),
             "bytes:\t%s " % " ".join(map(str, sizes)), "RPC iostats version: 1.1  p/v: 100003/4 (nfs)",
             "xprt:\ttcp 0 0 2 0 0 36 36 0 36 0 2 0 0", "per-op statistics"]
    for name, (count, sent, timeouts, time, errors) in requests.items():
        tail = " %d" % errors if statvers == "1.1" else ""
        lines.append("%12s: %d %d %d 1000 2000 1 %d %d%s" % (name, count, sent, timeouts, time - 1, time, tail))
    return " statvers=%s\n" % statvers + "".join("\t%s\n" % line for line in lines) + "\n"


def lustre_text(version=LUSTRE_2_15, read=None, write=None, **counts):
    """The text of `stats`; `read` and `write` are (calls, bytes), None: none yet; others are counts, as open=3."""
    lines = [("snapshot_time", "1795225889.772792457 secs.nsecs")]
    if version == LUSTRE_2_15:
        lines += [("start_time", "%d.000000007 secs.nsecs" % START), ("elapsed_time", "95225889.772792450 secs.nsecs")]
    for name, told in (("read_bytes", read), ("write_bytes", write)):
        if told:
            squares = "" if version == LUSTRE_2_5 else " 18446744073709551615"
            lines.append((name, "%020d samples [bytes] 1 4194304 %020d%s" % (told + (squares,))))
    for name, count in counts.items():
        tail = "[regs]" if version == LUSTRE_2_5 else "[usecs] 0 172939 3393651645 8836730033307"
        lines.append((name, "%020d samples %s" % (count, tail)))
    return "".join("%-25s %s\n" % line for line in lines)


def gpfs_line(name, read, written, opens=0, closes=0, reads=0, writes=0, listings=0, inodes=0, code=0):
    """A line of mmpmon -p."""
    return ("_fs_io_s_ _n_ 10.0.0.1 _nn_ node1 _rc_ %d _t_ 1066660148 _tu_ 407431 _cl_ cluster _fs_ %s _d_ 2 _br_ %d "
            "_bw_ %d _oc_ %d _cc_ %d _rdc_ %d _wc_ %d _dir_ %d _iu_ %d\n"
            % (code, name, read, written, opens, closes, reads, writes, listings, inodes))


def backend(root, beegfs_ctl=""):
    """The source on the machine below `root`."""
    return filesystem.Backend(root, SimpleNamespace(beegfs_ctl=beegfs_ctl))


def systems(source):
    """{mount: {metric: value}} of a sample, what is missing left out."""
    rows = source.sample([])["filesystem"]
    assert all(job is None for job, _, _ in rows) and len({name for _, name, _ in rows}) == len(rows)
    return {name: {metric: value for metric, value in zip(NAMES, values) if value is not None}
            for _, name, values in rows}
